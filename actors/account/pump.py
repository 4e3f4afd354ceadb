"""The status pump: carries what accounts have published down the ordinary road until it is durable.

`AccountState.publish` never waits; the pump waits in its place, and tries again what the road gave back.
Of one account it carries one unit at a time, so that a change that comes back never overtakes a newer one.
"""

import logging

import trio

from supervisors.wake import Wake

from ..actor import Job
from ..normalizer import Normalizers
from ..reply import Failed, Reply
from .state import AccountState

log = logging.getLogger("unifyport.account")

RETRY_SECONDS = 0.5
SIDE_BY_SIDE = 64


class StatusPump:
    """What was in hand when `run` was cancelled waits for its next run."""

    def __init__(self, normalizers: Normalizers) -> None:
        self._normalizers = normalizers
        self._dirty: dict[str, AccountState] = {}  # by account id: those that have published something
        self._in_hand: set[str] = set()  # accounts whose unit is on the road
        self._answered = trio.Event()  # set and replaced when the road has answered
        self._wake = Wake()

    def mark(self, state: AccountState) -> None:
        """`state` has published something."""
        self._dirty[state.row.id] = state
        self._wake.ring()

    def forget(self, account_id: str) -> None:
        """Drop what a deleted account has published."""
        self._dirty.pop(account_id, None)

    async def run(self) -> None:
        """Carry until cancelled."""
        self._wake.ring()  # for what an earlier run left
        while True:
            await self._wake.wait()
            if not await self.flush():
                await trio.sleep(RETRY_SECONDS)
                self._wake.ring()

    async def flush(self) -> bool:
        """Carry the changes of every account that has none on the road, at most `SIDE_BY_SIDE` at a time;
        False when some came back.
        """
        dirty = [state for account_id, state in self._dirty.items() if account_id not in self._in_hand]
        outcomes: list[bool] = []
        for first in range(0, len(dirty), SIDE_BY_SIDE):
            async with trio.open_nursery() as nursery:
                for state in dirty[first : first + SIDE_BY_SIDE]:
                    if self._dirty.pop(state.row.id, None) is not None:
                        nursery.start_soon(self._carry, state, outcomes)
        return all(outcomes)

    async def finish(self, seconds: float) -> None:
        """Wait until everything is durable, while `run` carries it. After `seconds` put what still waits on
        the road, behind what is there: it becomes durable if the road works again before the process ends.
        """
        with trio.move_on_after(seconds):
            while self._dirty or self._in_hand:
                await self._answered.wait()
            return
        for state in self._dirty.values():
            unit, _ = state.take_pending()
            if not self._normalizers.put_nowait(Job(unit, Reply())):
                log.error("account %s: its last status is not recorded", state.row.id)
        self._dirty.clear()

    async def _carry(self, state: AccountState, outcomes: list[bool]) -> None:
        account_id, (unit, changes) = state.row.id, state.take_pending()
        durable = False
        self._in_hand.add(account_id)
        try:
            answer = await self._normalizers.commit(unit)
            durable = not isinstance(answer, Failed)
        finally:
            self._in_hand.discard(account_id)
            if durable:
                state.mark_durable(changes)
            else:
                state.put_back(changes)
                self._dirty[account_id] = state
            self._answered.set()
            self._answered = trio.Event()
        outcomes.append(durable)
