"""What a command waits for before it begins: its conversation's pace, a slot, and the account's pace."""

from contextlib import AsyncExitStack

import trio

from unifyport.model.send_pace import Pace, Pacer

from .lanes import Lanes, Place


class Turns:
    """Slots and tokens of one account; both are given first come, first served."""

    def __init__(self, pacer: Pacer, lanes: Lanes) -> None:
        self._pacer = pacer
        self._lanes = lanes
        self._slots = trio.CapacityLimiter(lanes.slots)
        self._changed = trio.Event()  # set and replaced by other limits
        self._account = trio.Lock()  # held by the command that waits for the account's pace

    @property
    def taken(self) -> int:
        """Slots in use."""
        return int(self._slots.borrowed_tokens)

    def adopt(self, pace: Pace, slots: int) -> None:
        """Other limits, from now on; what was taken stays taken."""
        self._pacer.pace = pace
        self._slots.total_tokens = self._lanes.slots = slots
        self._wake()

    def reopen(self) -> None:
        """Forget that the platform told the account or a conversation to wait."""
        self._pacer.reopen()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _sleep(self, seconds: float) -> None:
        """Wait so long, or until the limits change."""
        with trio.move_on_after(seconds):
            await self._changed.wait()

    async def take_slot(self, place: Place, held: AsyncExitStack) -> None:
        """Wait for the pace of the conversation, then for a slot, which `held` gives back."""
        while place.paced and (wait := self._conversation_wait(place)) > 0:
            await self._sleep(wait)
        await self._slots.acquire()
        held.callback(self._slots.release)

    async def take_tokens(self, place: Place) -> None:
        """Wait for the pace of the account, then take a token of both buckets; at once if it is not paced."""
        if not place.paced:
            return
        async with self._account:
            while (wait := self._pacer.account_wait(trio.current_time())) > 0:
                await self._sleep(wait)
            self._pacer.take(place.lane.conversation or "", place.kind, trio.current_time())
            self._lanes.take_tokens(place)

    def _conversation_wait(self, place: Place) -> float:
        return self._pacer.conversation_wait(place.lane.conversation or "", place.kind, trio.current_time())
