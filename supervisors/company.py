"""Who is not alone gets less: how an account that is flooded leaves room for the others, and has all of it when
there are none."""

ALONE_AFTER = 1.0  # seconds without anybody else


class Company:
    """Whether others come by, too."""

    __slots__ = ("_last", "_others_at")

    def __init__(self) -> None:
        self._last: object = None
        self._others_at = float("-inf")

    def of(self, who: object, now: float) -> bool:
        """`who` comes at `now` (trio's clock); whether somebody else came within the second before."""
        if self._last is not None and who != self._last:
            self._others_at = now
        self._last = who
        return now - self._others_at < ALONE_AFTER
