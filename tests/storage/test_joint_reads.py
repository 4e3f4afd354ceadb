"""Short reads that are done together: who gets what, and what a cancellation leaves."""

import sqlite3
from collections.abc import AsyncIterator, Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from unifyport.storage.contract import StoreUnavailable
from unifyport.storage.sqlite.joint_reads import MOST, JointReads


class Reader:
    """Calls queries on a database in memory; each call waits until it is let through."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.calls = 0
        self.error: Exception | None = None
        self.gate = trio.Semaphore(0)

    async def read(self, query: Callable[[sqlite3.Connection], None]) -> None:
        self.calls += 1
        await self.gate.acquire()
        if self.error is not None:
            raise self.error
        query(self.db)


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = Reader()
    yield reader
    reader.db.close()


def value(number: int) -> Callable[[sqlite3.Connection], int]:
    def query(db: sqlite3.Connection) -> int:
        found: int = db.execute("select ?", (number,)).fetchone()[0]
        return found

    return query


async def begin(nursery: trio.Nursery, reads: JointReads, numbers: range, got: dict[int, object]) -> None:
    """Begin a read of each number, in this order."""

    async def one(number: int) -> None:
        try:
            got[number] = await reads.do(value(number))
        except StoreUnavailable as error:
            got[number] = error

    for number in numbers:
        nursery.start_soon(one, number)
        await wait_all_tasks_blocked()


async def test_reads_that_wait_share_a_call_and_each_gets_its_own_result(reader: Reader) -> None:
    reads, got = JointReads(reader.read), dict[int, object]()
    async with trio.open_nursery() as nursery:
        await begin(nursery, reads, range(20), got)
        assert reader.calls == 1
        reader.gate.release()
        await wait_all_tasks_blocked()
        assert got == {0: 0}
        reader.gate.release()
    assert got == {number: number for number in range(20)}
    assert reader.calls == 2


async def test_a_call_does_a_bounded_number_of_reads(reader: Reader) -> None:
    reads, got = JointReads(reader.read), dict[int, object]()
    async with trio.open_nursery() as nursery:
        await begin(nursery, reads, range(MOST + 2), got)
        for _ in range(3):
            reader.gate.release()
    assert len(got) == MOST + 2
    assert reader.calls == 3


async def test_an_error_is_for_the_reads_of_its_call_alone(reader: Reader) -> None:
    reads, got = JointReads(reader.read), dict[int, object]()
    async with trio.open_nursery() as nursery:
        await begin(nursery, reads, range(3), got)
        reader.error = StoreUnavailable("away")
        reader.gate.release()
        await wait_all_tasks_blocked()
        reader.error = None
        reader.gate.release()
    assert isinstance(got[0], StoreUnavailable)
    assert (got[1], got[2]) == (1, 2)


async def test_the_others_are_read_when_the_one_that_reads_is_cancelled(reader: Reader) -> None:
    reads, got = JointReads(reader.read), dict[int, object]()
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as leaving:
            await begin(leaving, reads, range(1), got)
            await begin(nursery, reads, range(1, 4), got)
            leaving.cancel_scope.cancel()
        reader.gate.release()
    assert got == {1: 1, 2: 2, 3: 3}


async def test_the_others_are_read_when_the_next_one_to_read_is_cancelled(reader: Reader) -> None:
    reads, got = JointReads(reader.read), dict[int, object]()
    async with trio.open_nursery() as nursery:
        await begin(nursery, reads, range(1), got)
        async with trio.open_nursery() as leaving:
            await begin(leaving, reads, range(1, 2), got)
            await begin(nursery, reads, range(2, 4), got)
            reader.gate.release()
            leaving.cancel_scope.cancel()
        reader.gate.release()
    assert got == {0: 0, 2: 2, 3: 3}


async def test_a_read_begins_after_it_was_asked_for(reader: Reader) -> None:
    """What a read that is in progress finds may be older than the question."""
    reads, found = JointReads(reader.read), list[int]()
    current = 1

    async def read_current() -> None:
        found.append(await reads.do(lambda _: current))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_current)
        await wait_all_tasks_blocked()
        nursery.start_soon(read_current)
        await wait_all_tasks_blocked()
        reader.gate.release()
        await wait_all_tasks_blocked()
        current = 2
        reader.gate.release()
    assert found == [1, 2]
