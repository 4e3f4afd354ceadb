"""One task that ends overdue requests and idle connections: of all deliveries, or of all calls to platforms.

A cancel scope for each request would cost about as much as the request itself. Instead a connection stores
the deadline of its request, or since when it is idle, and the sweeper checks all open connections at each
tick. Without open connections it sleeps.
"""

import math
from typing import Protocol

import trio

TICK = 0.1  # seconds; the precision of deadlines
IDLE_SECONDS = 30.0
MAX_IDLE = 256  # idle connections of the whole process; the longest idle is closed first


class Swept(Protocol):
    """A connection. `deadline` is inf without a request, `idle_since` is inf during one (trio's clock)."""

    deadline: float
    idle_since: float

    def sweep(self) -> None:
        """End the request: its deadline has passed."""

    def retire(self) -> None:
        """Close the connection: it was idle for too long, or too many are idle."""


class Sweeper:
    """`tick`: seconds between two checks. `most_idle`: how many connections may be idle."""

    def __init__(self, tick: float = TICK, most_idle: int = MAX_IDLE) -> None:
        self._tick = tick
        self._most_idle = most_idle
        self._open: dict[Swept, None] = {}
        self._opened = trio.Event()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            if not self._open:
                self._opened = trio.Event()
                await self._opened.wait()
            await trio.sleep(self._tick)
            self._sweep(trio.current_time())

    def _sweep(self, now: float) -> None:
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.deadline = math.inf
            connection.sweep()
        idle = [each for each in self._open if each.idle_since < math.inf]
        excess = len(idle) - self._most_idle
        if excess > 0:
            idle.sort(key=lambda connection: connection.idle_since)
        for place, connection in enumerate(idle):
            if place < excess or now - connection.idle_since >= IDLE_SECONDS:
                connection.retire()

    def add(self, connection: Swept) -> None:
        """Watch a connection that was opened."""
        self._open[connection] = None
        self._opened.set()

    def remove(self, connection: Swept) -> None:
        """Stop watching a connection that was closed."""
        self._open.pop(connection, None)
