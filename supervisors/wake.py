"""A level-triggered bell between a verb and the loop that acts on it."""

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
