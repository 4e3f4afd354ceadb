"""Time for all connections of a process in one task: a deadline for each request, an end for what is idle.

A cancel scope of its own costs each request about as much as the request does. So a connection only says
until when its request may take, or since when it has none, and the sweeper looks ten times a second, while
there is anything to look at.
"""

import math
from typing import Protocol

import trio

TICK = 0.1  # seconds; deadlines are kept that exactly
IDLE_SECONDS = 30.0
MAX_IDLE = 256  # idle connections of the whole process; the longest idle is closed first


class Swept(Protocol):
    """A connection. `deadline` is inf while nothing is under way, `idle_since` while something is."""

    deadline: float
    idle_since: float

    def sweep(self) -> None:
        """Its deadline has passed."""

    def retire(self) -> None:
        """Nobody has used it for long, or there are too many of its kind."""


class Sweeper:
    def __init__(self) -> None:
        self._open: dict[Swept, None] = {}
        self._news = trio.Event()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            if not self._open:
                self._news = trio.Event()
                await self._news.wait()
            await trio.sleep(TICK)
            self._sweep(trio.current_time())

    def _sweep(self, now: float) -> None:
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.deadline = math.inf
            connection.sweep()
        idle = [each for each in self._open if each.idle_since < math.inf]
        if len(idle) > MAX_IDLE:
            idle.sort(key=lambda connection: connection.idle_since)
        for connection in idle[: max(0, len(idle) - MAX_IDLE)]:
            connection.retire()
        for connection in idle[max(0, len(idle) - MAX_IDLE) :]:
            if now - connection.idle_since >= IDLE_SECONDS:
                connection.retire()

    def add(self, connection: Swept) -> None:
        """One that was opened."""
        self._open[connection] = None
        self._news.set()

    def remove(self, connection: Swept) -> None:
        """One that is closed."""
        self._open.pop(connection, None)
