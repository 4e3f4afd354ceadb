"""A level-triggered bell between a verb and the loop that acts on it, and a latch that is set once."""

import math

import trio


class Wake:
    """`ring` does not block, and a ring before `wait` is kept: the next `wait` then returns at once."""

    __slots__ = ("_event", "_rung")

    def __init__(self) -> None:
        self._rung = False
        self._event: trio.Event | None = None

    def ring(self) -> None:
        self._rung = True
        if self._event is not None:
            self._event.set()

    async def wait(self, until: float = math.inf) -> bool:
        """Return True when rung, False when `until` (trio's clock) has passed."""
        if self._rung:
            await trio.lowlevel.checkpoint()
        else:
            self._event = trio.Event()
            try:
                with trio.CancelScope(deadline=until):
                    await self._event.wait()
            finally:
                self._event = None
        rung, self._rung = self._rung, False
        return rung


class Latch:
    """A flag that is set once, for tasks to wait for.

    It makes a `trio.Event` only if a task waits: most incarnations never need one.
    """

    __slots__ = ("_event", "_set")

    def __init__(self) -> None:
        self._set = False
        self._event: trio.Event | None = None

    def set(self) -> None:
        self._set = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        return self._set

    async def wait(self) -> None:
        if self._set:
            await trio.lowlevel.checkpoint()
            return
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()
