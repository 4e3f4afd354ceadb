"""The status pump: carries what accounts have published down the ordinary road, until it is durable.

Publishing never waits, so the pump is what waits, and tries again what came back.
"""

import trio

from supervisors.wake import Wake

from ..normalizer import Normalizers
from ..reply import Failed
from .actor import AccountActor
from .status import Change

RETRY_SECONDS = 0.5
SIDE_BY_SIDE = 64


class StatusPump:
    """See the module. What was in hand when it was cancelled waits for its next run."""

    def __init__(self, normalizers: Normalizers) -> None:
        self._normalizers = normalizers
        self._dirty: dict[str, AccountActor] = {}  # by id: those whose slot holds something
        self._wake = Wake()

    def mark(self, actor: AccountActor) -> None:
        """It has published something."""
        self._dirty[actor.row.id] = actor
        self._wake.ring()

    def forget(self, account_id: str) -> None:
        """Nothing that it has published counts any more."""
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
        """Carry all slots down the road, some side by side; False when some came back."""
        dirty = list(self._dirty.values())
        outcomes: list[bool] = []
        for first in range(0, len(dirty), SIDE_BY_SIDE):
            async with trio.open_nursery() as nursery:
                for actor in dirty[first : first + SIDE_BY_SIDE]:
                    if self._dirty.pop(actor.row.id, None) is not None:
                        nursery.start_soon(self._carry, actor, outcomes)
        return all(outcomes)

    async def _carry(self, actor: AccountActor, outcomes: list[bool]) -> None:
        unit, changes = actor.pending()
        durable = False
        try:
            answer = await self._normalizers.commit(unit)
            durable = not isinstance(answer, Failed)
        finally:
            if not durable:
                self._give_back(actor, changes)
        if not actor.slot:
            actor.flushed()
        outcomes.append(durable)

    def _give_back(self, actor: AccountActor, changes: list[Change]) -> None:
        actor.slot.put_back(changes)
        self._dirty[actor.row.id] = actor
