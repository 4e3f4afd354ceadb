"""Time for all connections of a process in one task: a deadline for each request, an end for what is idle.

A cancel scope of its own costs each request about as much as the request does. So requests only say until when they
may take, and the sweeper looks ten times a second, while there is anything to look at.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import trio

TICK = 0.1  # seconds; deadlines are kept that exactly
IDLE_SECONDS = 30.0
MAX_IDLE = 256  # idle connections of the whole process; the longest idle is closed first


class Swept(Protocol):
    deadline: float
    idle_since: float

    def sweep(self) -> None: ...


class Sweeper:
    def __init__(self) -> None:
        self._busy: dict[Swept, None] = {}
        self._idle: OrderedDict[Swept, Callable[..., None]] = OrderedDict()
        self._news = trio.Event()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            if not self._busy and not self._idle:
                self._news = trio.Event()
                await self._news.wait()
            await trio.sleep(TICK)
            self._sweep(trio.current_time())

    def _sweep(self, now: float) -> None:
        for connection in [each for each in self._busy if each.deadline <= now]:
            del self._busy[connection]
            connection.sweep()
        while self._idle:
            connection, forget = next(iter(self._idle.items()))
            if now - connection.idle_since < IDLE_SECONDS and len(self._idle) <= MAX_IDLE:
                break
            del self._idle[connection]
            forget(connection)

    def watch(self, connection: Swept) -> None:
        """A request is under way, until its `deadline`."""
        self._busy[connection] = None
        self._news.set()

    def unwatch(self, connection: Swept) -> None:
        self._busy.pop(connection, None)

    def idle(self, connection: Swept, forget: Callable[..., None]) -> None:
        """Nothing is under way; `forget` is called when nothing has been for too long, or there are too many."""
        self._idle[connection] = forget
        self._news.set()

    def used_again(self, connection: Swept) -> None:
        self._idle.pop(connection, None)
