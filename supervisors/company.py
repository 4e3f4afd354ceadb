"""Fair share: an account gets full capacity only while no other account is active."""

ALONE_AFTER = 1.0  # seconds without activity of another user


class FairShare:
    """Remembers which users of a shared resource were active in the last second."""

    __slots__ = ("_last", "_others_at")

    def __init__(self) -> None:
        self._last: object = None
        self._others_at = float("-inf")

    def is_shared(self, user: object, now: float) -> bool:
        """Record that `user` is active at `now` (trio's clock).

        Returns whether another user was active within the last second.
        """
        if self._last is not None and user != self._last:
            self._others_at = now
        self._last = user
        return now - self._others_at < ALONE_AFTER

    def others_active(self, user: object, now: float) -> bool:
        """Whether another user than `user` was active within the last second; records nothing."""
        return now - self._others_at < ALONE_AFTER or (self._last is not None and user != self._last)
