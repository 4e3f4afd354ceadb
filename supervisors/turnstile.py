"""A turnstile: no turn of the event loop takes more than so many tasks through it.

trio runs everything that is ready in one turn, and nobody else until then. When ten thousand connections are
lost in the same moment, that turn is seconds long. What many tasks wake up for at once goes through the
turnstile: some pass in each turn, the others wait for the next one, first come first served, and whoever else
is there gets his turns in between. A task that comes alone passes without waiting.
"""

import trio

PER_TURN = 8


class Turnstile(trio.abc.Instrument):
    """One for each run of trio (`turnstile`): an instrument, because only those see where a turn begins."""

    def __init__(self, per_turn: int = PER_TURN) -> None:
        self._per_turn = self._left = per_turn
        self._lot = trio.lowlevel.ParkingLot()
        self._for_idle = trio.lowlevel.ParkingLot()
        self._token = trio.lowlevel.current_trio_token()

    async def enter(self) -> None:
        """Return in this turn, or in the next one that has room. Not a checkpoint when there is room."""
        if self._left > 0:
            self._left -= 1
            return
        await self._lot.park()

    @property
    def crowded(self) -> bool:
        """Whether somebody waits for the next turn."""
        return bool(self._lot)

    async def idle(self, longest: float) -> None:
        """Return when the loop has nothing else to do, or after `longest` seconds:
        who has had much goes last.
        """
        with trio.move_on_after(longest):
            await self._for_idle.park()

    def before_io_wait(self, timeout: float) -> None:
        """A turn is over. `timeout` is 0 when somebody is ready for the next one."""
        if timeout > 0 and (self._lot or self._for_idle):
            self._for_idle.unpark()
            self._hurry()

    def after_io_wait(self, timeout: float) -> None:
        """A turn begins."""
        self._left = self._per_turn
        if self._lot:
            self._left -= len(self._lot.unpark(count=self._per_turn))

    def _hurry(self) -> None:
        """Have the next turn come at once, whatever else there is to wait for."""
        self._token.run_sync_soon(_nothing, idempotent=True)


def _nothing() -> None:
    pass


_OF_THIS_RUN: trio.lowlevel.RunVar[Turnstile] = trio.lowlevel.RunVar("turnstile")


def turnstile() -> Turnstile:
    """The turnstile of this run."""
    try:
        return _OF_THIS_RUN.get()
    except LookupError:
        made = Turnstile()
        trio.lowlevel.add_instrument(made)
        _OF_THIS_RUN.set(made)
        return made
