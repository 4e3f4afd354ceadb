"""A turnstile: at most `PER_TURN` tasks pass it in one turn of the event loop.

trio runs every ready task in one turn, before tasks that become ready later. When ten thousand connections
are lost in the same moment, that turn takes seconds. Work for which many tasks wake up at once goes through
the turnstile: some tasks pass in each turn, the others wait for the next one, first come first served, and
all other tasks run in between. A single task passes without waiting.
"""

import trio

from .instruments import raises_nothing

PER_TURN = 8


class Turnstile(trio.abc.Instrument):
    """One for each run of trio (`turnstile`). An instrument, because only instruments see a turn begin."""

    def __init__(self, per_turn: int = PER_TURN) -> None:
        self._per_turn = self._left = per_turn
        self._lot = trio.lowlevel.ParkingLot()
        self._for_idle = trio.lowlevel.ParkingLot()
        self._token = trio.lowlevel.current_trio_token()

    async def enter(self) -> None:
        """Return in this turn, or in the next one with room. Not a checkpoint if there is room now."""
        if self._left > 0:
            self._left -= 1
            return
        await self._lot.park()

    @property
    def crowded(self) -> bool:
        """Whether a task waits for the next turn."""
        return bool(self._lot)

    async def idle(self, longest: float) -> None:
        """Let all other tasks run first: return when the loop is idle, or after `longest` seconds."""
        with trio.move_on_after(longest):
            await self._for_idle.park()

    @raises_nothing
    def before_io_wait(self, timeout: float) -> None:
        """A turn ends. `timeout` is 0 if a task is ready for the next one."""
        if timeout > 0 and (self._lot or self._for_idle):
            self._for_idle.unpark()
            self._hurry()

    @raises_nothing
    def after_io_wait(self, timeout: float) -> None:
        """A turn begins."""
        self._left = self._per_turn
        if self._lot:
            self._left -= len(self._lot.unpark(count=self._per_turn))

    def _hurry(self) -> None:
        """Start the next turn at once, even if no task is ready."""
        self._token.run_sync_soon(_nothing, idempotent=True)


def _nothing() -> None:
    pass


_OF_THIS_RUN: trio.lowlevel.RunVar[Turnstile] = trio.lowlevel.RunVar("turnstile")


def turnstile() -> Turnstile:
    """The turnstile of this run of trio; made on the first call."""
    try:
        return _OF_THIS_RUN.get()
    except LookupError:
        made = Turnstile()
        trio.lowlevel.add_instrument(made)
        _OF_THIS_RUN.set(made)
        return made
