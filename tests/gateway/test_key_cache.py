"""API keys in memory: what is kept, and that no key is admitted once it was revoked.

On a mock clock, on stores that work in the loop and take their time, fail, or fail after a commit.
"""

import contextlib
import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_no_checkpoints

from actors.writer import Writer
from supervisors import Incarnation
from tests.harness import settings_of
from tests.world import RING, InLoopStore, now_ms
from unifyport.config.declared import hash_key
from unifyport.fleet.doorbells import LocalBus
from unifyport.gateway import errors as codes
from unifyport.gateway import key_cache
from unifyport.gateway.callers import USE_SECONDS, Callers
from unifyport.gateway.errors import UseCaseError
from unifyport.gateway.key_cache import TRUST_SECONDS, KeyCache
from unifyport.gateway.writes import NotKnownYet, TimedWriter, WriteRefused
from unifyport.process.clock import Clock
from unifyport.storage.contract import (
    ApiKey,
    DeleteApiKey,
    PutApiKey,
    PutWorkspace,
    Result,
    StoreUnavailable,
    Together,
    UseApiKey,
    Write,
)


class SlowStore(InLoopStore):
    """`pause` is awaited before and after each read and each commit, as a thread takes time to begin and end.

    `fault` says what happens to the next commit: "lost" and it raises, "unknown" and it raises after it.
    """

    pause: Callable[[], Awaitable[None]] = staticmethod(trio.lowlevel.checkpoint)
    fault: Callable[[], str | None] = staticmethod(lambda: None)
    unreadable = False

    async def commit(self, writes: Sequence[Write]) -> list[Result]:
        await self.pause()
        fault = self.fault()
        if fault == "lost":
            raise StoreUnavailable("no")
        results = self._commit(writes)
        with trio.CancelScope(shield=True):
            await self.pause()
        if fault == "unknown":
            raise StoreUnavailable("perhaps")
        return results

    async def _read(self, query: Any) -> Any:
        await self.pause()
        if self.unreadable:
            raise StoreUnavailable("no")
        result = self._read_in_thread(query)
        await self.pause()
        return result


@attrs.define
class Desk:
    """A gateway's keys, its writer, and the store of another process on the same database."""

    store: SlowStore
    other: InLoopStore
    writer: Writer
    writes: TimedWriter
    keys: KeyCache
    callers: Callers
    made: int = 0

    def new(self, key_id: str, **more: Any) -> tuple[ApiKey, str]:
        """A record with a secret that no other one has."""
        self.made += 1
        secret = f"secret-{self.made}"
        return ApiKey(key_id, key_id, "dk", hash_key(secret), **more), secret

    async def put(self, key_id: str, **more: Any) -> str:
        key, secret = self.new(key_id, **more)
        await self.writes.write(PutApiKey(key))
        return secret

    async def admits(self, secret: str) -> bool:
        try:
            await self.callers.admit(secret)
        except UseCaseError as error:
            if error.code != codes.INVALID_KEY:
                raise
            return False
        return True


@contextlib.asynccontextmanager
async def new_desk(directory: Path, more: str = "") -> AsyncIterator[Desk]:
    settings = settings_of(directory, more)
    path = directory / "t.db"
    store, other = SlowStore(path, RING, now_ms), InLoopStore(path, RING, now_ms)
    store.open()
    other.open()
    keys = KeyCache(store, LocalBus())
    writer = Writer(store, on_keys=keys.drop)
    writes = TimedWriter(writer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, Incarnation(1, float("inf")))
        nursery.start_soon(keys.run, Incarnation(1, float("inf")))
        await trio.testing.wait_all_tasks_blocked()
        callers = Callers(keys, writes, lambda: settings, Clock.without_steps(now_ms))
        yield Desk(store, other, writer, writes, keys, callers)
        nursery.cancel_scope.cancel()
    store.close()
    other.close()


def on_a_desk(test: Callable[[Desk], Awaitable[None]]) -> Callable[[Path], None]:
    async def main(directory: Path) -> None:
        async with new_desk(directory) as desk:
            await test(desk)

    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        trio.run(main, tmp_path, clock=MockClock(autojump_threshold=0))

    del run.__wrapped__  # pytest shall see `tmp_path`
    return run


# -- what is kept --------------------------------------------------------------------------------------------


@on_a_desk
async def test_a_known_key_is_admitted_without_the_store(desk: Desk) -> None:
    secret = await desk.put("one")
    assert await desk.admits(secret)
    desk.store.unreadable = True
    with assert_no_checkpoints():
        assert (await desk.callers.admit(secret)).id == "one"


@on_a_desk
async def test_wrong_and_inactive_keys_are_not_kept(desk: Desk) -> None:
    secrets = [await desk.put("off", status="inactive"), *(f"wrong-{n}" for n in range(50))]
    for secret in secrets:
        assert not await desk.admits(secret)
    assert len(desk.keys) == 0


def test_the_number_of_keys_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_cache, "MAX_KEYS", 3)

    @on_a_desk
    async def test(desk: Desk) -> None:
        secrets = [await desk.put(f"key-{n}") for n in range(5)]
        for secret in secrets * 3:
            assert await desk.admits(secret)
            assert len(desk.keys) <= 3
        assert len(desk.keys) == 3

    test(tmp_path)


# -- what is dropped -----------------------------------------------------------------------------------------


@on_a_desk
async def test_every_change_of_a_key_drops_and_nothing_else_does(desk: Desk) -> None:
    secret = await desk.put("one")
    changes: list[Write] = [
        PutApiKey(desk.new("two")[0]),
        DeleteApiKey("two"),
        Together([PutWorkspace("n", "active", {}), PutApiKey(desk.new("two")[0])]),
        Together([DeleteApiKey("two")]),
    ]
    for write in changes:
        assert await desk.admits(secret)
        assert len(desk.keys) == 1
        await desk.writes.write(write)
        assert len(desk.keys) == 0
    others: list[Write] = [
        UseApiKey("one", 5),
        PutWorkspace("m", "active", {}),
        Together([PutWorkspace("o", "active", {})]),
    ]
    assert await desk.admits(secret)
    for write in others:
        await desk.writes.write(write)
        assert len(desk.keys) == 1


@on_a_desk
async def test_a_read_that_is_overtaken_by_a_change_is_not_kept(desk: Desk) -> None:
    """The row is read, then the key gets another secret and its caller is answered, then the read returns."""
    secret = await desk.put("one")
    read, go_on = trio.Event(), trio.Event()

    async def before_the_read() -> None:
        desk.store.pause = after_the_read

    async def after_the_read() -> None:
        desk.store.pause = trio.lowlevel.checkpoint
        read.set()
        await go_on.wait()

    desk.store.pause = before_the_read
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.admits, secret)
        await read.wait()
        await desk.put("one")
        go_on.set()
    assert len(desk.keys) == 0
    assert not await desk.admits(secret)


@on_a_desk
async def test_a_change_whose_outcome_is_unknown_drops_at_once(desk: Desk) -> None:
    """Committed, but the store says that it failed: nobody is answered, and the old secret is void."""
    secret = await desk.put("one")
    assert await desk.admits(secret)
    await trio.testing.wait_all_tasks_blocked()  # its use is written
    faults = iter(["unknown"])
    desk.store.fault = lambda: next(faults, None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.put, "one")
        while desk.writer.unavailable is None:
            await trio.lowlevel.checkpoint()
        assert not await desk.admits(secret)


@on_a_desk
async def test_a_change_of_another_process_is_known_within_a_second(desk: Desk) -> None:
    secret = await desk.put("one")
    assert await desk.admits(secret)
    await desk.other.commit([PutApiKey(desk.new("one")[0])])
    await trio.sleep(TRUST_SECONDS)
    assert len(desk.keys) == 0
    assert not await desk.admits(secret)


@on_a_desk
async def test_keys_are_not_trusted_while_the_version_cannot_be_read(desk: Desk) -> None:
    secret = await desk.put("one")
    assert await desk.admits(secret)
    desk.store.unreadable = True
    await trio.sleep(TRUST_SECONDS)
    with pytest.raises(StoreUnavailable):
        await desk.callers.admit(secret)
    desk.store.unreadable = False
    assert await desk.admits(secret)


@on_a_desk
async def test_the_trust_in_a_slow_comparison_counts_from_its_begin(desk: Desk) -> None:
    """It reads after 0.4 s and returns after 0.8 s; the change comes just after it has read."""
    secret, began = await desk.put("one"), trio.Event()
    await trio.sleep(TRUST_SECONDS)  # this change is known
    assert await desk.admits(secret)

    async def slow() -> None:
        began.set()
        await trio.sleep(0.4)

    await trio.testing.wait_all_tasks_blocked()
    desk.store.pause = slow
    await began.wait()
    await trio.sleep(0.45)
    await desk.other.commit([PutApiKey(desk.new("one")[0])])
    await trio.sleep(TRUST_SECONDS)
    assert not await desk.admits(secret)


@on_a_desk
async def test_the_version_rises_with_each_change_and_not_with_a_refused_one(desk: Desk) -> None:
    assert await desk.store.keys_version() == 0
    key, _ = desk.new("one")
    await desk.writes.write(PutApiKey(key))
    await desk.writes.write(UseApiKey("one", 5))
    assert await desk.store.keys_version() == 1
    with pytest.raises(WriteRefused):  # two keys with one secret
        await desk.writes.write(Together([DeleteApiKey("none"), PutApiKey(attrs.evolve(key, id="two"))]))
    assert await desk.store.keys_version() == 1
    await desk.writes.write(Together([DeleteApiKey("one")]))
    assert await desk.store.keys_version() == 2


# -- the time of use -----------------------------------------------------------------------------------------


async def last_use(desk: Desk) -> int | None:
    await trio.testing.wait_all_tasks_blocked()
    [key] = await desk.other.api_keys()
    return key.last_used_at


@on_a_desk
async def test_the_use_of_a_key_is_written_once_a_minute(desk: Desk) -> None:
    secret = await desk.put("one")
    assert await desk.admits(secret)
    first = await last_use(desk)
    assert first == now_ms()
    await trio.sleep(USE_SECONDS - 1)
    assert await desk.admits(secret)
    assert await last_use(desk) == first
    await trio.sleep(1)
    assert await desk.admits(secret)
    assert await last_use(desk) == first + USE_SECONDS * 1000


@on_a_desk
async def test_no_request_waits_for_the_time_of_use_and_it_is_made_up_for(desk: Desk) -> None:
    secret, release = await desk.put("one"), trio.Event()
    assert await desk.admits(secret)
    first = await last_use(desk)
    await trio.sleep(USE_SECONDS)
    assert await desk.admits(secret)  # the minute is over: this one is written as well
    assert await last_use(desk) != first
    await trio.sleep(USE_SECONDS)
    desk.store.pause = release.wait
    desk.keys._trusted_until = float("inf")  # the comparison hangs as well
    while desk.writer.offer(UseApiKey("none", 1)):  # until the mailbox is full
        pass
    waiting = len(desk.writer.mailbox)
    with assert_no_checkpoints():
        await desk.callers.admit(secret)
    assert len(desk.writer.mailbox) == waiting
    desk.writer.unavailable = "disk full"
    with assert_no_checkpoints():
        await desk.callers.admit(secret)
    desk.writer.unavailable = None
    release.set()
    await trio.testing.wait_all_tasks_blocked()
    await desk.callers.admit(secret)
    assert await last_use(desk) == now_ms()


# -- whatever happens ----------------------------------------------------------------------------------------


@attrs.define
class Life:
    """Callers of one desk, and changes of the keys by this process and by another one, at random.

    A secret is never given twice, so what is revoked stays so. `dead_from`: since when a secret must be
    refused, trio's clock.
    """

    desk: Desk
    rng: random.Random
    known: list[str] = attrs.field(factory=list)
    dead_from: dict[str, float] = attrs.field(factory=dict)
    admitted: int = 0
    refused: int = 0

    async def pause(self) -> None:
        await trio.sleep(self.rng.choice([0.0, 0.0, 0.001, 0.05, 0.4]) * self.rng.random())

    def fault(self) -> str | None:
        return self.rng.choice([None, None, None, "lost", "unknown"])

    async def call(self) -> None:
        while True:
            secret = self.rng.choice(self.known)
            dead = self.dead_from.get(secret, float("inf")) <= trio.current_time()
            if await self.desk.admits(secret):
                assert not dead, f"{secret} was revoked"
                self.admitted += 1
            else:
                self.refused += 1
            await self.pause()

    async def change(self, key_id: str) -> None:
        """Give the key other secrets. One of `perhaps` is the stored one."""
        perhaps: list[str] = []
        while True:
            key, secret = self.desk.new(key_id)
            self.known.append(secret)  # it may be admitted before its change is answered
            here = self.rng.random() < 0.5
            try:
                if here:
                    await self.desk.writes.write(PutApiKey(key))
                else:
                    await self.desk.other.commit([PutApiKey(key)])
            except NotKnownYet:
                return  # it may be committed at any time
            except StoreUnavailable:
                perhaps.append(secret)
            else:
                from_ = trio.current_time() + (0.0 if here else TRUST_SECONDS)
                self.dead_from |= dict.fromkeys(perhaps, from_)
                perhaps = [secret]
            await trio.sleep(self.rng.random() * 2)


@pytest.mark.parametrize("seed", range(10))
def test_a_revoked_key_is_never_admitted(tmp_path: Path, seed: int) -> None:
    @on_a_desk
    async def test(desk: Desk) -> None:
        life = Life(desk, random.Random(seed))
        life.known.append(await desk.put("first"))
        desk.store.pause, desk.store.fault = life.pause, life.fault
        with trio.move_on_after(60):
            async with trio.open_nursery() as nursery:
                for n in range(4):
                    nursery.start_soon(life.change, f"key-{n}")
                for _ in range(4):
                    nursery.start_soon(life.call)
        assert life.admitted > 20
        assert life.refused > 20

    test(tmp_path)
