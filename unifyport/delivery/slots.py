"""How many attempts a process has under way, over all endpoints: each takes a connection,
and those are not endless.
"""

from supervisors.wake import Wake


class Slots:
    def __init__(self, limit: int = 1024) -> None:
        self._free = limit
        self._waiting: dict[Wake, None] = {}

    def take(self, wake: Wake) -> bool:
        """False when there is none: then `wake` is rung when there is."""
        if not self._free:
            self._waiting[wake] = None
            return False
        self._free -= 1
        return True

    def give(self) -> bool:
        """Give one back; True when another endpoint was waiting for it and is rung: whoever gives shall not
        take it again before that one has looked.
        """
        self._free += 1
        if not self._waiting:
            return False
        wake = next(iter(self._waiting))
        del self._waiting[wake]
        wake.ring()
        return True
