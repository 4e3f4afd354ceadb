"""Readers of the event log share what is new, and get what each would have read by itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.world import EPOCH_MS, RING, InLoopStore
from unifyport.fleet.doorbells import EVENTS_TOPIC, LocalBus
from unifyport.gateway import log_tail
from unifyport.gateway.events import EventUseCases, LogStep, Selection
from unifyport.model.account import Account
from unifyport.model.event import ALL_MASK, Event, EventType
from unifyport.model.unit import Item, Unit
from unifyport.storage.contract import PutAccount

KINDS = (EventType.MESSAGE_RECEIVED, EventType.MESSAGE_READ)


class CountingStore(InLoopStore):
    reads = 0

    async def _read(self, query: Any) -> Any:
        self.reads += 1
        return await super()._read(query)


class Log:
    """A log of two accounts, to which a test commits events of alternating kinds."""

    def __init__(self, path: Path) -> None:
        self.store = CountingStore(path, RING, lambda: EPOCH_MS)
        self.bus = LocalBus()
        self.use_cases = EventUseCases(self.store, cast(Any, None), self.bus, most_streams=1000)
        self.number = 0

    async def open(self) -> None:
        self.store.open()
        for name in "ab":
            await self.store.commit(
                [PutAccount(Account(f"acct_{name}", name, "telegram", "telegram", "global", "token"))]
            )
        await self.store.claim(["account:acct_a", "account:acct_b"], "t")

    async def commit(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            no = self.number % 2 + 1
            event = Event(f"evt_{self.number:05}", KINDS[self.number % 4 // 2].number, no, EPOCH_MS, b"{}")
            unit = Unit(no, f"acct_{'ab'[no - 1]}", "telegram", 1)
            unit.items.append(Item(event.id.encode(), [event]))
            await self.store.commit([unit])
            self.bus.ring(EVENTS_TOPIC)

    async def follow(self, selection: Selection, position: int, into: list[int]) -> None:
        async for followed in self.use_cases.follow(selection, position):
            if followed.step is LogStep.EVENT:
                into.append(followed.position)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    log = Log(tmp_path / "t.db")
    await log.open()
    yield log
    log.store.close()


async def test_readers_at_the_end_share_one_read_for_each_commit(log: Log, autojump_clock: MockClock) -> None:
    found = [list[int]() for _ in range(100)]
    async with trio.open_nursery() as nursery:
        for into in found:
            nursery.start_soon(log.follow, Selection(ALL_MASK), 0, into)
        await trio.testing.wait_all_tasks_blocked()
        log.store.reads = 0
        for _ in range(20):
            await log.commit(1)
            await trio.testing.wait_all_tasks_blocked()
        assert log.store.reads <= 2 * 20
        nursery.cancel_scope.cancel()
    assert found == [list(range(1, 21))] * 100


async def test_a_quiet_log_is_polled_once_for_all(log: Log, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(log.follow, Selection(ALL_MASK), 0, [])
        await trio.sleep(3)
        log.store.reads = 0
        await trio.sleep(10)
        assert 5 <= log.store.reads <= 12
        nursery.cancel_scope.cancel()


async def test_each_gets_its_selection_from_wherever_it_begins(
    log: Log, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Some begin before what is in memory, some at the end; a page, a read and the tail are small."""
    monkeypatch.setattr(log_tail, "PAGE", 3)
    monkeypatch.setattr("unifyport.gateway.events.PAGE", 3)
    monkeypatch.setattr(log_tail, "_READ_AT_ONCE", 4)
    monkeypatch.setattr(log_tail, "MOST_BYTES", 10)
    await log.commit(20)
    selections = [
        Selection(mask, no)
        for mask in (ALL_MASK, 1 << KINDS[0].number, 1 << KINDS[1].number)
        for no in (None, 1, 2)
    ]
    begins = [(selection, position) for selection in selections for position in (0, 7, 19, 20)]
    found = [list[int]() for _ in begins]
    async with trio.open_nursery() as nursery:
        for (selection, position), into in zip(begins, found, strict=True):
            nursery.start_soon(log.follow, selection, position, into)
        for burst in (1, 0, 9, 2, 30, 1):
            await log.commit(burst)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(60)  # nothing is kept so long
        await log.commit(1)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    for (selection, position), into in zip(begins, found, strict=True):
        events = await log.store.events(position, 1000, mask=selection.mask, account_no=selection.account_no)
        assert into == [event.seq for event in events]
        assert into


async def test_a_reader_that_goes_while_it_reads_for_all_leaves_the_others_theirs(
    log: Log, autojump_clock: MockClock
) -> None:
    found = [list[int]() for _ in range(10)]
    scopes = [trio.CancelScope() for _ in found]

    async def follow(number: int) -> None:
        with scopes[number]:
            await log.follow(Selection(ALL_MASK), 0, found[number])

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(follow, number)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(9):
            await log.commit(1)
            await trio.lowlevel.checkpoint()
            scopes[number].cancel()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert found[9] == list(range(1, 10))
