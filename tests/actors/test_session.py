"""The session of an incarnation, against a model of what is on the disk and what was on the wire.

Tasks share one ratchet, a number: each reads it, hands over the next one by `deliver`, `commit` or `sending`,
and then writes the number to the wire. Calls are cancelled at random, the normalizer and the writer crash,
incarnations end, and processes die. A number must be on the disk before it is on the wire, and is on the wire
once.
"""

import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.account import command_log
from actors.account.attempts import Attempt, Attempts
from actors.account.connection_lease import ConnectionLease
from actors.account.services import Services
from actors.account.session import AccountSession
from actors.account.state import AccountState
from actors.actor import Job
from actors.normalizer import Normalizer, Normalizers
from actors.reply import Reply
from actors.writer import Writer
from supervisors import ChildSpec, Incarnation, OneForOne
from tests.actors.test_commit_units import POLICY, CrashingNormalizer, CrashingWriter, message
from tests.reference.ratchet.channel import CHANNEL
from unifyport.fleet.leases import LocalFleet
from unifyport.model.account import Account, AuthStatus
from unifyport.model.ids import EventIds
from unifyport.model.inbound import Conversation, Status, StatusChanged, dedupe_key
from unifyport.model.message import Answer, CommandState, OutboundText, SendCommand
from unifyport.model.unit import SessionChange, Unit
from unifyport.process.clock import Clock
from unifyport.providers.contract.errors import NotBegun, SessionLost
from unifyport.providers.contract.session import MAX_CHANGES, MAX_KEY, MAX_NAME, MAX_VALUE
from unifyport.providers.registry import Registry
from unifyport.storage.contract import AcceptCommand, PutAccount, Refused, Result, Write
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore

NAME, KEY = "ratchet", b"key"
TASKS, STEPS = 4, 60
FAR = 2**50  # unix ms: a deadline that never comes


class Wire:
    """What left the gateway: each number of the ratchet, once."""

    def __init__(self) -> None:
        self.used: dict[int, str] = {}
        self.steps = 0

    def write(self, number: int, what: str) -> None:
        assert number not in self.used, f"{number} for {self.used[number]} and for {what}"
        self.used[number] = what


class RefusingWriter(CrashingWriter):
    """It also has units with session changes refused, and then all later ones of their generation."""

    async def _write(self, group: Sequence[Job[Write, Result]]) -> list[Result]:
        refused: set[int | None] = set()
        taken = list[Job[Write, Result]]()
        for job in group:
            unit = job.work if isinstance(job.work, Unit) else None
            chosen = unit is not None and bool(unit.session) and self.rng.random() < 0.05
            if unit is not None and (chosen or unit.generation in refused):
                refused.add(unit.generation)
            else:
                taken.append(job)
        results = iter(await super()._write(taken))
        kept = {id(job) for job in taken}
        return [next(results) if id(job) in kept else Refused("the test says so") for job in group]


@attrs.define
class Process:
    """The account's state and its road, until the process dies."""

    store: SqliteStore
    state: AccountState
    services: Services
    attempts: Attempts
    nursery: trio.Nursery
    generation: int = 0
    session: AccountSession | None = None
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def incarnate(self) -> AccountSession:
        """The session of the next incarnation."""
        if self.session is not None:
            self.session.close()
            await self.session.drained()
        self.generation = next(self.services.generations)
        self.ended = trio.Event()
        self.session = AccountSession(
            self.state,
            self.services,
            self.generation,
            attempts=self.attempts,
            spawn=self._spawn,
            lost=lambda reason: self.ended.set(),
        )
        return self.session

    def _spawn(self, task: Any, *arguments: Any) -> bool:
        self.nursery.start_soon(task, *arguments)
        return True


@asynccontextmanager
async def process(store: SqliteStore, *, crashing: bool = False) -> AsyncIterator[Process]:
    writer = RefusingWriter(store) if crashing else Writer(store)
    ids = EventIds(lambda: 1, await store.newest_event_id())
    kind = CrashingNormalizer if crashing else CrashingNormalizer.__base__
    assert kind is not None
    road = Normalizers([kind(writer, ids, b"lane", lambda *_: "")])
    fleet = LocalFleet(store, "test")
    [lease] = await fleet.claim(["account:acct_1"])
    [row] = await store.accounts()
    services = Services(
        store=store,
        registry=Registry([CHANNEL]),
        fleet=fleet,
        normalizers=road,
        endpoints={},
        ssl_context=cast(Any, None),
        clock=Clock.without_steps(lambda: 1),
        ingress_url=lambda account: None,
        proxy_guard=cast(Any, None),
        qr_url=lambda *_: "",
    )
    state = AccountState(row, lease, CHANNEL.connections[0], services, announce=lambda state: None)
    supervisor, root = OneForOne(), Incarnation(1, float("inf"))
    supervisor.add(ChildSpec("writer", writer.run, POLICY))
    supervisor.add(ChildSpec("normalizer", road.partitions[0].run, POLICY))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run, root)
        yield Process(store, state, services, Attempts(state, services), nursery)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(directory / "test.db", KeyRing.parse(KeyRing.new_key()), lambda: 1)
    store.open()
    account = Account("acct_1", "a", "zalo", "zalo", "global", "token", auth_status=AuthStatus.AUTHORIZED)
    await store.commit([PutAccount(account)])
    try:
        yield store
    finally:
        store.close()


class Worker:
    """A task of a connector. `lock` is the ratchet's."""

    def __init__(self, world: Process, lock: trio.Lock, wire: Wire, rng: random.Random) -> None:
        self.world, self.lock, self.wire, self.rng = world, lock, wire, rng

    async def run(self, session: AccountSession) -> None:
        """Until the session is lost or all is done."""
        while self.wire.steps < STEPS:
            self.wire.steps += 1
            with trio.CancelScope() as scope:
                if self.rng.random() < 0.2:
                    scope.deadline = trio.current_time() + self.rng.random() * 0.004
                async with self.lock:
                    try:
                        await self.step(session)
                    except SessionLost:
                        return

    async def step(self, session: AccountSession) -> None:
        number = int(await session.get(NAME, KEY) or b"0")
        changes = [SessionChange(NAME, KEY, str(number + 1).encode())]
        what = self.rng.choice(("deliver", "commit", "sending"))
        if what == "commit":
            await session.commit(changes)
        elif what == "deliver":
            unit = self.world.state.unit(self.world.generation)
            unit.provider_events, unit.session = [message(1, number)], changes
            await session.deliver(unit, 10)
        else:
            await self.send(session, changes, number)
        self.wire.write(number, what)
        stored = await self.world.store.session_record(1, NAME, KEY)
        assert stored is not None
        assert int(stored) > number, f"{number} is on the wire and not on the disk"

    async def send(self, session: AccountSession, changes: list[SessionChange], number: int) -> None:
        command_id = f"cmd_{self.rng.random()}"
        text = OutboundText("c", "user", "x", client_ref=command_id)
        command = SendCommand(command_id, "acct_1", text, deadline=FAR, created_at=1)
        await self.world.store.commit([AcceptCommand(1, command, b"")])
        attempt = Attempt(command, ConnectionLease(cast(Any, None), "acct_1"))
        with self.world.attempts.registered(attempt):
            await session.sending(text, changes)
            assert attempt.begun
        record = await self.world.store.command(command_id)
        assert record is not None
        assert record.state is CommandState.SENDING


async def scenario(directory: Path, seed: int) -> None:
    rng, wire = random.Random(seed), Wire()
    CrashingNormalizer.rng = RefusingWriter.rng = rng
    async with opened(directory) as store:
        while wire.steps < STEPS:
            with trio.CancelScope() as life:
                if rng.random() < 0.5:  # the process dies
                    life.deadline = trio.current_time() + rng.random() * 0.03
                async with process(store, crashing=True) as world:
                    while wire.steps < STEPS:
                        session, lock = await world.incarnate(), trio.Lock()
                        async with trio.open_nursery() as tasks:
                            for _ in range(TASKS):
                                tasks.start_soon(Worker(world, lock, wire, rng).run, session)


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_a_state_is_durable_before_it_is_used_and_is_used_once(seed: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        trio.run(scenario, Path(directory), seed)


async def test_reads_see_what_was_handed_over_even_by_a_cancelled_call(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, process(store) as world:
        session = await world.incarnate()
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.commit([SessionChange("a", b"1", b"x"), SessionChange("a", b"2", b"y")])
        assert scope.cancelled_caught
        assert await session.get("a", b"1") == b"x"
        assert await session.scan("a") == [(b"1", b"x"), (b"2", b"y")]
        await session.commit(())
        assert await store.session_record(1, "a", b"1") == b"x"


@settings(max_examples=60)
@given(
    stored=st.sets(st.binary(min_size=1, max_size=3), max_size=12),
    changed=st.dictionaries(st.binary(min_size=1, max_size=3), st.none() | st.just(b"new"), max_size=8),
    prefix=st.binary(max_size=2),
    after=st.none() | st.binary(max_size=3),
    limit=st.integers(1, 6),
)
def test_a_page_is_what_the_records_will_be(
    stored: set[bytes],
    changed: dict[bytes, bytes | None],
    prefix: bytes,
    after: bytes | None,
    limit: int,
) -> None:
    async def check(directory: Path) -> None:
        async with opened(directory) as store, process(store) as world:
            session = await world.incarnate()
            await session.commit([SessionChange("a", key, b"old") for key in stored])
            await session.commit([SessionChange("b", b"other", b"name")])
            with trio.CancelScope() as scope:
                scope.cancel()
                await session.commit([SessionChange("a", key, value) for key, value in changed.items()])
            records = {**dict.fromkeys(stored, b"old"), **changed}
            expected = sorted(
                (key, value)
                for key, value in records.items()
                if value is not None and key.startswith(prefix) and (after is None or key > after)
            )[:limit]
            assert await session.scan("a", prefix, after=after, limit=limit) == expected
            await session.commit(())
            assert await session.scan("a", prefix, after=after, limit=limit) == expected

    with tempfile.TemporaryDirectory() as directory:
        trio.run(check, Path(directory))


async def test_events_are_seen_once_they_are_handed_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, process(store) as world:
        session = await world.incarnate()
        unit = world.state.unit(world.generation)
        unit.provider_events = [message(1, 1)]
        keys = [message(1, number).key for number in (1, 2)]
        assert await session.seen(keys) == set()
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.deliver(unit, 10)
        assert await session.seen(keys) == {keys[0]}
        await session.commit(())
        assert await session.seen(keys) == {keys[0]}
        assert await (await world.incarnate()).seen(keys) == {keys[0]}


async def test_a_closed_session_takes_and_gives_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, process(store) as world:
        session = await world.incarnate()
        session.close()
        for call in (
            lambda: session.get("a"),
            lambda: session.scan("a"),
            lambda: session.seen([b"k"]),
            lambda: session.commit(()),
            lambda: session.sending(OutboundText("c", "user")),
        ):
            with pytest.raises(SessionLost):
                await call()


async def test_a_closed_session_still_keeps_what_all_incarnations_share(tmp_path: Path) -> None:
    """A send that finishes on a connection that was replaced has refreshed a token that serves once."""
    token = SessionChange("oauth", b"", b"second")
    async with opened(tmp_path) as store, process(store) as world:
        old = await world.incarnate()
        await old.keep(SessionChange("oauth", b"", b"first"))
        assert await old.get("oauth") == b"first"
        new = await world.incarnate()
        await old.keep(token)
        assert await store.session_record(1, "oauth", b"") == b"second"
        assert await new.get("oauth") == b"second"
        with pytest.raises(ValueError, match="session"):
            await old.keep(SessionChange("", b"", b""))
        world.state.replace(attrs.evolve(world.state.row, login=world.state.row.login + 1))
        await store.commit([PutAccount(world.state.row, declared=True, new_login=True)])
        with pytest.raises(SessionLost):  # other credentials: those tokens are void
            await old.keep(SessionChange("oauth", b"", b"third"))
        assert await store.session_record(1, "oauth", b"") == b"second"


async def test_what_is_kept_outlives_the_failure_of_its_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store, process(store) as world:
        session, commit = await world.incarnate(), SqliteStore._commit

        def refusing(self: SqliteStore, writes: Any) -> Any:
            if any(isinstance(write, Unit) and write.generation is not None for write in writes):
                return [Refused("the test says so") for _ in writes]
            return commit(self, writes)

        monkeypatch.setattr(SqliteStore, "_commit", refusing)
        await session.keep(SessionChange("oauth", b"", b"first"))
        assert session.closed
        assert await store.session_record(1, "oauth", b"") == b"first"


@pytest.mark.parametrize(
    "changes",
    [
        [SessionChange("a", b"", b"")] * (MAX_CHANGES + 1),
        [SessionChange("", b"", b"")],
        [SessionChange("n" * (MAX_NAME + 1), b"", b"")],
        [SessionChange("ä", b"", b"")],
        [SessionChange("a", b"k" * (MAX_KEY + 1), b"")],
        [SessionChange("a", b"", b"v" * (MAX_VALUE + 1))],
        [SessionChange("a", b"", cast(Any, "text"))],
        [SessionChange("a", cast(Any, "text"), b"")],
    ],
    ids=["many", "no name", "long name", "not ASCII", "long key", "long value", "a text", "a text as key"],
)
async def test_what_exceeds_the_limits_hands_over_nothing(
    tmp_path: Path, changes: list[SessionChange]
) -> None:
    async with opened(tmp_path) as store, process(store) as world:
        session = await world.incarnate()
        with pytest.raises((ValueError, TypeError), match="session"):
            await session.commit([SessionChange("good", b"", b"x"), *changes])
        unit = world.state.unit(world.generation)
        unit.session = changes
        with pytest.raises((ValueError, TypeError), match="session"):
            await session.deliver(unit, 1)
        assert await session.get("good") is None
        with pytest.raises(TypeError, match="bytes"):
            await session.get("good", cast(Any, "text"))
        await session.commit(())


async def test_a_message_that_must_not_begin_hands_over_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, process(store) as world:
        session = await world.incarnate()
        change = [SessionChange("a", b"", b"x")]
        text = OutboundText("c", "user", client_ref="cmd_1")
        with pytest.raises(RuntimeError, match="not in progress"):
            await session.sending(text, change)
        command = SendCommand("cmd_1", "acct_1", text, deadline=0, created_at=0)
        with world.attempts.registered(Attempt(command, ConnectionLease(cast(Any, None), "acct_1"))):
            with pytest.raises(NotBegun, match="deadline"):
                await session.sending(text, change)
        command.deadline = FAR
        lease = ConnectionLease(cast(Any, None), "acct_1")
        lease.in_service = False
        with world.attempts.registered(Attempt(command, lease)):
            with pytest.raises(NotBegun, match="connection_replaced"):
                await session.sending(text, change)
            with pytest.raises(ValueError, match="client_ref"):
                await session.sending(text, change, client_ref="x" * 65)
            world.services.fleet.release("account:acct_1")
            with pytest.raises(NotBegun, match="lease_lost"):
                await session.sending(text, change)
        assert await session.get("a") is None


async def test_an_outcome_that_finds_the_road_full_is_recorded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_log, "RECORD_SECONDS", 0.01)
    async with opened(tmp_path) as store, process(store) as world:
        text = OutboundText("c", "user", client_ref="cmd_1")
        command = SendCommand("cmd_1", "acct_1", text, deadline=FAR, created_at=1)
        await store.commit([AcceptCommand(1, command, b"")])
        commands = command_log.CommandLog(world.state, world.services, world._spawn)
        assert await commands.mark_sending(command)
        gate = trio.Event()

        async def held(self: Normalizer, batch: Any) -> None:
            await gate.wait()
            await handle(self, batch)

        handle = Normalizer.handle
        monkeypatch.setattr(Normalizer, "handle", held)
        empty: list[Job[Unit, Result]] = []
        while not empty or world.services.normalizers.put_nowait(empty[-1]):
            empty.append(Job(world.state.unit(), Reply()))
            await trio.lowlevel.checkpoint()
        await commands.conclude(command, Answer(CommandState.SENT, "m1"), lambda: None)
        gate.set()
        with trio.fail_after(10):
            while (record := await store.command("cmd_1")) is None or record.state is not CommandState.SENT:
                await trio.lowlevel.checkpoint()


async def test_a_receipt_finds_the_send_by_the_id_that_the_platform_got(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, process(store) as world:
        session = await world.incarnate()
        text = OutboundText("c", "user", client_ref="cmd_1")
        command = SendCommand("cmd_1", "acct_1", text, deadline=FAR, created_at=1)
        await store.commit([AcceptCommand(1, command, b"")])
        with world.attempts.registered(Attempt(command, ConnectionLease(cast(Any, None), "acct_1"))):
            await session.sending(text, client_ref="retry-7")
        unit = world.state.unit(world.generation)
        key, conversation = dedupe_key("test", "receipt"), Conversation("c", "user")
        unit.provider_events = [
            StatusChanged(key, conversation, ["m1"], Status.DELIVERED, 5, client_ref="retry-7")
        ]
        await session.deliver(unit, 1)
        record = await store.command("cmd_1")
        assert record is not None
        assert record.state is CommandState.SENT
