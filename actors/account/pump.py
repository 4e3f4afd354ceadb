"""The status pump: carries what accounts have published down the ordinary road until it is durable.

`AccountState.publish` never waits; the pump waits in its place, and tries again what the road gave back.
"""

import trio

from supervisors.wake import Wake

from ..normalizer import Normalizers
from ..reply import Failed
from .state import AccountState

RETRY_SECONDS = 0.5
SIDE_BY_SIDE = 64


class StatusPump:
    """What was in hand when `run` was cancelled waits for its next run."""

    def __init__(self, normalizers: Normalizers) -> None:
        self._normalizers = normalizers
        self._dirty: dict[str, AccountState] = {}  # by account id: those that have published something
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
        """Carry every account's changes, at most `SIDE_BY_SIDE` at a time; False when some came back."""
        dirty = list(self._dirty.values())
        outcomes: list[bool] = []
        for first in range(0, len(dirty), SIDE_BY_SIDE):
            async with trio.open_nursery() as nursery:
                for state in dirty[first : first + SIDE_BY_SIDE]:
                    if self._dirty.pop(state.row.id, None) is not None:
                        nursery.start_soon(self._carry, state, outcomes)
        return all(outcomes)

    async def _carry(self, state: AccountState, outcomes: list[bool]) -> None:
        unit, changes = state.take_pending()
        durable = False
        try:
            answer = await self._normalizers.commit(unit)
            durable = not isinstance(answer, Failed)
        finally:
            if not durable:
                state.put_back(changes)
                self._dirty[state.row.id] = state
        if durable:
            state.mark_durable(changes)
        outcomes.append(durable)
