"""Deadlines of many, kept by one task: to set one and to drop it costs a dictionary's entry and no timer.

Most starts are up, and most stops are done, long before their deadline, so deadlines are rarely due. They are
looked through when the earliest that was ever set is due, and not more often than every `TICK` seconds: a
deadline is met up to `TICK` late.
"""

import math
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from .wake import Wake

TICK = 0.1

T = TypeVar("T")


class Deadlines(Generic[T]):
    """One deadline for each owner. `expired(owner, now)` is called once for it, while `run` runs."""

    def __init__(self, expired: Callable[[T, float], None]) -> None:
        self._expired = expired
        self._due: dict[T, float] = {}
        self._next = math.inf  # no deadline is earlier
        self._wake = Wake()

    def set(self, owner: T, at: float) -> None:
        """Set or change the deadline of `owner` (trio's clock)."""
        self._due[owner] = at
        if at < self._next:
            self._next = at
            self._wake.ring()

    def drop(self, owner: T) -> None:
        """Forget the deadline of `owner`, if it has one."""
        self._due.pop(owner, None)

    async def run(self) -> None:
        """Keep the deadlines until cancelled. Raises only `Cancelled`."""
        while True:
            await self._wake.wait(self._next)
            now = trio.current_time()
            if now < self._next:
                continue
            for owner in [owner for owner, at in self._due.items() if at <= now]:
                if self._due.get(owner, math.inf) <= now:  # `expired` may have changed that of another
                    del self._due[owner]
                    self._expired(owner, now)
            self._next = max(now + TICK, min(self._due.values(), default=math.inf))
