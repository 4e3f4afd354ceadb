"""Our pipeline without platform and API: updates are parsed and handed in as account actors do it, then go
through normalizer, writer, store and fan-out to one endpoint's actor and the delivery client.

`Job.units`: `batches` are answers of `getUpdates` under load, 100 updates a unit, one unit at a time for each
of 4 accounts; `singles` are webhooks of platforms, one update a unit, one at a time for each of 64 accounts.
With a `rate`, units of one update begin when they are due, without waiting for those before.

An event is done when the sink's 2xx is durable. Everything that the gateway does for an event is included:
dedupe key, order within the conversation, history of attempts, fencing, breaker and bounds.
"""

import itertools
import time
from collections.abc import Iterator

import trio
from msgspec import Raw

from supervisors import Incarnation
from unifyport.delivery.verdict import Verdict
from unifyport.model.unit import Unit
from unifyport.process.garbage import Garbage, tame
from unifyport.providers.telegram.bot.polled import parse_updates
from unifyport.storage.contract import Committed

from .house import House, opened
from .job import Job, Measured, Stopwatch

ACCOUNTS = {"batches": 4, "singles": 64}
A_UNIT = {"batches": 100, "singles": 1}
PAUSE = 0.002


class Run:
    """A house under load. `began`: event id -> when it was handed in; `accepted`: when it was committed."""

    def __init__(self, job: Job, house: House) -> None:
        self._job = job
        self._house = house
        self._handed_in = 0
        self._room = trio.Event()
        self.began: dict[str, float] = {}
        self.accepted: dict[str, float] = {}

    async def flood(self, updates: list[bytes]) -> None:
        """Hand updates in as fast as allowed; returns when all are delivered and this is durable."""
        size = A_UNIT[self._job.units]
        units = iter([updates[n : n + size] for n in range(0, len(updates), size)])
        async with trio.open_nursery() as watch:
            watch.start_soon(self._watch)
            async with trio.open_nursery() as nursery:
                for account in range(ACCOUNTS[self._job.units]):
                    nursery.start_soon(self._account, account, units)
            watch.cancel_scope.cancel()
        await self._settled()

    async def _account(self, account: int, units: Iterator[list[bytes]]) -> None:
        for updates in units:
            while self._ahead:
                await self._room.wait()
            await self._hand_in(account, updates)

    async def _watch(self) -> None:
        """Wake the producers when there is room. One task polls for all of them."""
        while True:
            await trio.sleep(PAUSE)
            if not self._ahead:
                self._room.set()
                self._room = trio.Event()

    @property
    def _ahead(self) -> bool:
        return self._handed_in - self._delivered > self._job.undelivered

    async def _hand_in(self, account: int, updates: list[bytes]) -> Unit:
        """Parse and commit updates, as an account actor does with an answer of its platform."""
        self._handed_in += len(updates)
        unit = self._house.unit(account)
        unit.provider_events, _ = await parse_updates([Raw(update) for update in updates], "42")
        answer = await self._house.normalizers.commit(unit, sum(map(len, updates)))
        if not isinstance(answer, Committed):
            raise RuntimeError(repr(answer))
        return unit

    async def steady(self, updates: list[bytes]) -> None:
        """Hand updates in at the job's rate, each when it is due."""
        accounts, began = itertools.cycle(range(ACCOUNTS["singles"])), trio.current_time()
        async with trio.open_nursery() as nursery:
            for number, update in enumerate(updates):
                await trio.sleep_until(began + number / self._job.rate)
                nursery.start_soon(self._timed, next(accounts), update)
        await self._settled()

    async def _timed(self, account: int, update: bytes) -> None:
        began = time.perf_counter()
        unit = await self._hand_in(account, [update])
        [event] = unit.items[0].events
        self.accepted[event.id], self.began[event.id] = time.perf_counter(), began

    @property
    def _delivered(self) -> int:
        return self._house.verdicts[Verdict.DELIVERED]

    async def _settled(self) -> None:
        while self._delivered < self._handed_in or await self._house.owed():
            await trio.sleep(PAUSE)
        failed = self._house.verdicts.total() - self._delivered
        if failed:
            raise RuntimeError(f"{failed} attempts failed")


async def main(job: Job) -> None:
    tame()
    async with opened(job) as house, trio.open_nursery() as nursery:
        nursery.start_soon(Garbage().run, Incarnation(1, float("inf")))
        run, few, many = Run(job, house), job.updates(0, job.count // 10), job.updates(job.count, job.count)
        if job.rate:
            found = await _latencies(run, house, few, many)
        else:
            await run.flood(few)  # not counted
            watch = Stopwatch()
            await run.flood(many)
            found = watch.measured(len(many))
        found.say()
        nursery.cancel_scope.cancel()


async def _latencies(run: Run, house: House, few: list[bytes], many: list[bytes]) -> Measured:
    """Measures seconds from the hand-in of an event to the end of its commit, and from there to the 2xx."""
    await run.steady(few)  # not counted
    run.began.clear()
    watch = Stopwatch()
    await run.steady(many)
    return watch.measured(
        len(many),
        accepted=[run.accepted[each] - began for each, began in run.began.items()],
        delivered=[house.answered[each] - run.accepted[each] for each in run.began],
    )


if __name__ == "__main__":
    trio.run(main, Job.read())
