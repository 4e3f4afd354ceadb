"""The clock of the gateway: watched, remembered in the database, shown to the operator, and accepted."""

import attrs
import trio

from actors.writer import Writer
from supervisors import Incarnation
from unifyport.process.clock import Clock
from unifyport.storage.contract import RememberClock

EVERY = 5.0  # seconds between two looks at the clock
REMEMBER_SECONDS = 60.0


@attrs.frozen
class ClockState:
    """`doubt`: why the clock is in doubt, or None. `ends_in`: seconds until doubt ends without a step."""

    doubt: str | None
    ends_in: float | None
    steps: int


@attrs.frozen
class ClockUseCases:
    _clock: Clock

    def read(self) -> ClockState:
        doubt, left = self._clock.doubt, self._clock.remember().left
        return ClockState(doubt, None if doubt is None or left is None else left / 1000, self._clock.steps)

    def accept(self) -> ClockState:
        """The operator says that the clock is right: doubt ends."""
        self._clock.accept()
        return self.read()


class ClockKeeper:
    """Stores what the next process needs of the clock: each minute, and at once after a step."""

    def __init__(self, clock: Clock, writer: Writer) -> None:
        self._clock = clock
        self._writer = writer

    async def run(self, incarnation: Incarnation) -> None:
        """Watch the clock until cancelled or asked to stop."""
        incarnation.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._forever)
            await incarnation.stopping()
            nursery.cancel_scope.cancel()

    async def _forever(self) -> None:
        stored, stored_at = None, 0.0
        while True:
            self._clock.check()
            clock = self._clock.remember()
            known = (self._clock.steps, clock.left is None, clock.pending)
            if stored != known or trio.current_time() - stored_at >= REMEMBER_SECONDS:
                await self._writer.submit(RememberClock(clock))
                stored, stored_at = known, trio.current_time()
            await trio.sleep(EVERY)
