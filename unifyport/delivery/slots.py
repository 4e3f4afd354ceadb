"""Limits the concurrent attempts of a process, over all endpoints, as each attempt takes a connection."""

from supervisors.wake import Wake


class Slots:
    def __init__(self, limit: int = 1024) -> None:
        self._free = limit
        self._waiting: dict[Wake, None] = {}

    def take(self, wake: Wake) -> bool:
        """Take a slot. Returns False if there is none; `wake` is then rung when one is free."""
        if not self._free:
            self._waiting[wake] = None
            return False
        self._free -= 1
        return True

    def give(self) -> bool:
        """Give a slot back. Returns whether a waiting endpoint was rung.

        In that case the caller must not take a slot before that endpoint could.
        """
        self._free += 1
        if not self._waiting:
            return False
        wake = next(iter(self._waiting))
        del self._waiting[wake]
        wake.ring()
        return True
