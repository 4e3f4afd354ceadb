"""Writes whose caller waits for a limited time: what it is told is what has happened, or may have."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from actors.reply import Failed
from actors.writer import IN_HAND_SECONDS, OutcomeUnknown, Writer
from supervisors import Incarnation
from tests.world import RING, InLoopStore, now_ms
from unifyport.storage.contract import Committed, PutWorkspace, StoreUnavailable

WRITE = PutWorkspace("written")


class Disk:
    """The store's connection. `fails`: the error of each COMMIT, which is done before if `done` is set."""

    def __init__(self, connection: sqlite3.Connection, fails: int, *, done: bool) -> None:
        self._connection, self._fails, self._done = connection, fails, done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql != "commit":
            return self._connection.execute(sql, *values)
        if self._done:
            self._connection.execute(sql)
        error = sqlite3.OperationalError("the test says so")
        error.sqlite_errorcode = self._fails
        raise error


class FailingStore(InLoopStore):
    """`disk`: how the COMMIT of every transaction fails, as in `Disk`; None: it does not."""

    disk: tuple[int, bool] | None = None
    tries = 0

    def _commit(self, writes: Any) -> Any:
        if self.disk is None:
            return super()._commit(writes)
        self.tries += 1
        self._writer = cast(Any, Disk(self._connect("rw"), self.disk[0], done=self.disk[1]))
        return super()._commit(writes)


@contextlib.asynccontextmanager
async def world(directory: Path) -> AsyncIterator[tuple[FailingStore, Writer, trio.Nursery]]:
    store = FailingStore(directory / "t.db", RING, now_ms)
    store.open()
    writer = Writer(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, Incarnation(1, float("inf")))
        yield store, writer, nursery
        nursery.cancel_scope.cancel()
    store.close()


async def name_of(store: FailingStore) -> str:
    return (await store.workspace()).name


@pytest.mark.parametrize("done", [True, False])
async def test_a_write_whose_commit_may_have_happened_is_not_said_to_be_withdrawn(
    autojump_clock: MockClock, tmp_path: Path, done: bool
) -> None:
    async with world(tmp_path) as (store, writer, _):
        store.disk = (sqlite3.SQLITE_IOERR_FSYNC, done)
        with pytest.raises(OutcomeUnknown):
            await writer.submit_within(5, WRITE)
        assert trio.current_time() >= 5 + IN_HAND_SECONDS
        assert (await name_of(store) == "written") is done
        store.disk = None
        await trio.sleep(10)
        assert await name_of(store) == "written"


async def test_a_write_in_doubt_that_comes_out_meanwhile_is_told(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as (store, writer, nursery):
        store.disk = (sqlite3.SQLITE_IOERR_FSYNC, True)

        async def heal() -> None:
            await trio.sleep(10)
            store.disk = None

        nursery.start_soon(heal)
        assert isinstance(await writer.submit_within(5, WRITE), Committed)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
async def test_a_write_that_was_not_committed_is_withdrawn(
    autojump_clock: MockClock, tmp_path: Path, code: int
) -> None:
    async with world(tmp_path) as (store, writer, _):
        store.disk = (code, False)
        assert await writer.submit_within(5, WRITE) == Failed("not_in_time")
        assert (trio.current_time(), store.tries > 1) == (5, True)
        store.disk = None
        await trio.sleep(10)
        assert await name_of(store) != "written"


async def test_a_write_in_doubt_whose_writer_ends_is_unknown(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    store = FailingStore(tmp_path / "t.db", RING, now_ms)
    store.open()
    store.disk = (sqlite3.SQLITE_IOERR_FSYNC, True)
    writer, life = Writer(store), trio.CancelScope()

    async def run() -> None:
        with life:
            await writer.run(Incarnation(1, float("inf")))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            life.deadline = trio.current_time() + 1
            with pytest.raises(OutcomeUnknown):
                await writer.submit_within(5, WRITE)
    store.close()


async def test_what_was_committed_of_a_group_is_in_no_doubt(tmp_path: Path) -> None:
    store = FailingStore(tmp_path / "t.db", RING, now_ms)
    store.open()
    for fails, in_doubt in ((sqlite3.SQLITE_IOERR_FSYNC, True), (sqlite3.SQLITE_FULL, False)):
        store.disk = (fails, False)
        with pytest.raises(StoreUnavailable) as caught:
            await store.commit([WRITE])
        assert (caught.value.maybe_committed, caught.value.done) == (in_doubt, [])
    store.close()
