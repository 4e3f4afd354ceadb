"""What a command waits for before it begins: its conversation's pace, a slot, and the account's pace."""

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

    # -- taking ---------------------------------------------------------------------------------------------

    def take_now(self, place: Place) -> bool:
        """Take a slot and tokens if nothing has to be waited for; else nothing is taken."""
        if self._account.locked() or self._conversation_wait(place) > 0 or self._account_wait(place) > 0:
            return False
        if not self._take_slot_now(place):
            return False
        self._take_tokens_now(place)
        return True

    async def take_slot(self, place: Place) -> None:
        """Wait for the pace of the conversation, then for a slot."""
        while (wait := self._conversation_wait(place)) > 0:
            await self._sleep(wait)
        if not place.has_slot and not self._take_slot_now(place):
            await self._slots.acquire_on_behalf_of(place)
            place.has_slot = True

    async def take_tokens(self, place: Place) -> None:
        """Wait for the pace of the account, then take a token of both buckets; at once if it is not paced."""
        if not place.paced:
            return
        if self._account.locked() or self._account_wait(place) > 0:
            async with self._account:
                while (wait := self._account_wait(place)) > 0:
                    await self._sleep(wait)
                self._take_tokens_now(place)
        else:
            self._take_tokens_now(place)

    def free_slot(self, place: Place) -> None:
        """The command has ended."""
        if place.has_slot:
            place.has_slot = False
            self._slots.release_on_behalf_of(place)

    def give_back(self, place: Place) -> None:
        """Slot and tokens: there is no command after all."""
        self.free_slot(place)
        if place.tokens is not None:
            self._pacer.give_back(place.lane.conversation or "", place.kind, place.tokens)
            place.tokens = None

    def _take_slot_now(self, place: Place) -> bool:
        try:
            self._slots.acquire_on_behalf_of_nowait(place)
        except trio.WouldBlock:
            return False
        place.has_slot = True
        return True

    def _take_tokens_now(self, place: Place) -> None:
        if place.paced:
            self._pacer.take(place.lane.conversation or "", place.kind, trio.current_time())
            place.tokens = self._pacer.pace
            self._lanes.take_tokens(place)

    def _conversation_wait(self, place: Place) -> float:
        if not place.paced:
            return 0.0
        return self._pacer.conversation_wait(place.lane.conversation or "", place.kind, trio.current_time())

    def _account_wait(self, place: Place) -> float:
        return self._pacer.account_wait(trio.current_time()) if place.paced else 0.0
