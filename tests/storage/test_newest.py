"""The newest debts in memory: what an endpoint is given equals what the database has, and spares a read."""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import EPOCH_MS, RING, InLoopStore
from unifyport.model.account import Account
from unifyport.model.event import Event, EventType
from unifyport.model.owed import Owed
from unifyport.model.unit import Item, Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import (
    DropOwed,
    LoggedEvents,
    PutAccount,
    PutEndpoint,
    Replay,
    Settle,
    Settled,
    StoreUnavailable,
)
from unifyport.storage.sqlite import newest, reads

RECEIVED, READ = EventType.MESSAGE_RECEIVED, EventType.MESSAGE_READ
MASKS = [["message.received"], []]  # of endpoint 1 and 2: messages, everything


class CountingStore(InLoopStore):
    reads = 0

    async def _read(self, query: Any) -> Any:
        self.reads += 1
        return await super()._read(query)


@attrs.define
class Bench:
    """A store with two endpoints, and for each of them a reader that goes through its debts."""

    store: CountingStore
    pos: dict[int, int] = attrs.field(factory=lambda: {1: 0, 2: 0})
    got: dict[int, list[Owed]] = attrs.field(factory=lambda: {1: [], 2: []})
    number: int = 0

    async def events(self, *kinds: EventType) -> None:
        unit = Unit(1, "acct_1", "telegram", 1)
        for kind in kinds:
            self.number += 1
            event = Event(f"evt_{self.number:05}", kind.number, 1, EPOCH_MS, b"{}")
            unit.items.append(Item(event.id.encode(), [event]))
        await self.store.commit([unit])

    async def read(self, no: int, limit: int = 10) -> list[Owed]:
        """What a reader gets next; it must be what the database has."""
        expected = self.store._read_in_thread(lambda db: reads.fresh(db, no, self.pos[no], limit))
        rows = await self.store.fresh(no, self.pos[no], limit)
        assert rows == expected[: len(rows)]
        assert rows or not expected
        if rows:
            self.pos[no] = rows[-1].seq
            self.got[no] += rows
        return rows

    async def settle(self, no: int) -> None:
        """What was read is delivered."""
        done = [Settled(row.seq, 0, "delivered", 1, EPOCH_MS) for row in self.got[no]]
        await self.store.commit([Settle(no, f"we_{no}", 1, done, EPOCH_MS)])
        self.got[no] = []

    def restart(self, no: int) -> None:
        """A reader begins again at the lowest debt."""
        self.pos[no], self.got[no] = 0, []


async def new_bench(path: Path) -> Bench:
    store = CountingStore(path, RING, lambda: EPOCH_MS)
    store.open()
    account = Account("acct_1", "a", "telegram", "telegram", "global", "token")
    endpoints = [
        PutEndpoint(WebhookEndpoint(f"we_{no}", "https://x.example", subscribed_events=names))
        for no, names in enumerate(MASKS, 1)
    ]
    await store.commit([PutAccount(account), *endpoints])
    await store.claim(["account:acct_1", "endpoint:we_1", "endpoint:we_2"], "t")
    return Bench(store)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = await new_bench(tmp_path / "t.db")
    yield made
    made.store.close()


async def kept_up(bench: Bench) -> None:
    """Both readers have everything, and the next commit is known to follow the last one."""
    for _ in range(2):
        await bench.events(RECEIVED)
        for no in (1, 2):
            while await bench.read(no):
                pass


async def test_an_endpoint_that_keeps_up_needs_no_read(bench: Bench) -> None:
    await kept_up(bench)
    before = bench.store.reads
    for _ in range(20):
        await bench.events(RECEIVED, READ)
        assert len(await bench.read(1)) == 1
        assert len(await bench.read(2)) == 2
        await bench.settle(1)
    assert bench.store.reads == before


async def test_a_reader_that_begins_again_gets_what_it_was_given_and_did_not_settle(bench: Bench) -> None:
    await kept_up(bench)
    await bench.settle(1)
    await bench.events(RECEIVED)
    [row] = await bench.read(1)
    bench.restart(1)
    assert [again.seq for again in await bench.read(1)] == [row.seq]


async def test_a_row_is_not_given_after_it_was_delivered_by_a_reader_of_before(bench: Bench) -> None:
    await kept_up(bench)
    await bench.events(RECEIVED)
    await bench.read(1)
    await bench.settle(1)
    bench.restart(1)
    assert await bench.read(1) == []


async def test_a_cancelled_reader_loses_nothing(bench: Bench) -> None:
    await kept_up(bench)
    await bench.events(RECEIVED)
    with trio.CancelScope() as scope:
        scope.cancel()
        await bench.read(1)
    assert scope.cancelled_caught
    assert len(await bench.read(1)) == 1


async def test_dropped_debts_are_not_given(bench: Bench) -> None:
    await kept_up(bench)
    await bench.events(RECEIVED)
    await bench.store.commit([DropOwed("we_1")])
    assert await bench.read(1) == []


async def test_events_of_another_process_are_not_left_out(bench: Bench, tmp_path: Path) -> None:
    await kept_up(bench)
    other = await _other(tmp_path / "t.db", bench)
    await other.events(RECEIVED)
    bench.number = other.number
    await bench.events(RECEIVED)
    assert len(await bench.read(1)) == 2
    other.store.close()


async def _other(path: Path, bench: Bench) -> Bench:
    store = CountingStore(path, RING, lambda: EPOCH_MS)
    store.open()
    return Bench(store, number=bench.number)


async def test_a_commit_whose_outcome_is_unknown_makes_everything_unknown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept_up(bench)
    commit = bench.store._commit

    def lost(writes: Any) -> Any:
        commit(writes)
        raise StoreUnavailable("disk I/O error")

    monkeypatch.setattr(bench.store, "_commit", lost)
    with pytest.raises(StoreUnavailable):
        await bench.events(RECEIVED)
    monkeypatch.undo()
    await bench.events(RECEIVED)
    assert len(await bench.read(1)) == 2


async def test_an_endpoint_that_lags_behind_makes_commits_read_nothing(bench: Bench) -> None:
    await kept_up(bench)
    for _ in range(newest.MOST // 2):  # each is owed to both endpoints
        await bench.events(RECEIVED)
    assert bench.store._newest.wanted
    await bench.events(RECEIVED, READ)
    assert not bench.store._newest.wanted
    assert not bench.store._newest._rows
    while await bench.read(1):
        pass
    assert bench.store._newest.wanted, "it has kept up again"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.lists(st.sampled_from((RECEIVED, READ)), min_size=1, max_size=70)),
        st.tuples(st.just("read"), st.sampled_from((1, 2)), st.integers(1, 12)),
        st.tuples(st.sampled_from(("settle", "restart", "drop", "replay")), st.sampled_from((1, 2))),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(STEPS)
def test_whatever_happens_readers_get_what_the_database_has(steps: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            bench = await new_bench(Path(directory) / "t.db")
            try:
                for name, *arguments in steps:
                    await _take_step(bench, name, arguments)
            finally:
                bench.store.close()

    trio.run(run)


async def _take_step(bench: Bench, name: str, arguments: list[Any]) -> None:
    actions: dict[str, Callable[..., Any]] = {"read": bench.read, "settle": bench.settle}
    if name == "events":
        await bench.events(*arguments[0])
    elif name == "restart":
        bench.restart(*arguments)
    elif name == "drop":
        await bench.store.commit([DropOwed(f"we_{arguments[0]}")])
    elif name == "replay":
        upto = await bench.store.newest_position()
        await bench.store.commit([Replay(f"we_{arguments[0]}", LoggedEvents(), upto=upto)])
    else:
        await actions[name](*arguments)
