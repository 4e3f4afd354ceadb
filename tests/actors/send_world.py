"""Sends on a mock clock: the use case, the accounts, the outbox, the road and a real store, and a platform
whose answers a test scripts. The store works in the loop (`tests/world.py`) and can be away or held.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import attrs
import trio

from actors.account.lanes import Prepare
from actors.account.services import Services
from actors.accounts import Accounts
from actors.normalizer import Normalizer, Normalizers
from actors.writer import Writer
from supervisors import Backoff, Incarnation, Policy
from tests.world import RING, InLoopStore, now_ms
from unifyport.fleet.leases import LocalFleet
from unifyport.gateway.lookup import AccountLookup
from unifyport.gateway.platform import DEADLINE_MS
from unifyport.gateway.repeats import IdempotencyKey, Repeats
from unifyport.gateway.sends import SendUseCases, SentMessage
from unifyport.gateway.writes import TimedWriter
from unifyport.links.reply_tokens import ReplyTokens
from unifyport.model.account import Account, AuthStatus, Identity
from unifyport.model.ids import EventIds, new_id
from unifyport.model.message import Answer, CommandState, OutboundText, SendCommand
from unifyport.model.send_pace import UNPACED, Pace
from unifyport.model.unit import SessionChange, Unit
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Channel, ConnectionSpec, ConnectorContext, Inbound, Link
from unifyport.providers.contract.capabilities import SendsText, Sent
from unifyport.providers.registry import Registry
from unifyport.storage.contract import AcceptCommand, PutAccount, RecoverCommands, StoreUnavailable, Write

POLICY = Policy(backoff=Backoff(0.1, 2, 1, 0), max_restarts=10_000, stop_grace=5.0, stop_timeout=5.0)
Answers = Callable[[OutboundText], Awaitable[Sent]]
Wanted = Callable[[Write], bool]


class Platform:
    """`written`: the texts of which bytes were written, in their order."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.answers: Answers = self.accept
        self.connections = 0
        self.cut = trio.Event()  # set and replaced: every link ends
        self.down = False

    async def accept(self, message: OutboundText) -> Sent:
        await trio.lowlevel.checkpoint()
        return Sent(f"m-{message.text}")

    def lose_links(self) -> None:
        self.cut.set()
        self.cut = trio.Event()


class ScriptedSender(SendsText):
    """A connector of `Platform`, which stands where its base URLs would be."""

    def __init__(self, context: ConnectorContext) -> None:
        self.platform: Platform = context.endpoints
        self.session = context.session
        self.marks = context.credentials.get("marks") == "yes"

    async def login(self) -> Identity:
        await trio.lowlevel.checkpoint()
        self.platform.connections += 1
        return Identity("me")

    async def receive(self, link: Link) -> None:
        await self.platform.cut.wait()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    async def send_text(self, message: OutboundText) -> Sent:
        if self.marks:
            await self.session.sending(message, [SessionChange("ratchet", b"", message.text.encode())])
        self.platform.written.append(message.text)
        return await self.platform.answers(message)


class ControlledStore(InLoopStore):
    """`away`: it takes nothing. `hold`: the next commit with such a write waits for `release`, then goes on;
    with `commits_first` it is in the database by then, and only its answer waits.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, RING, now_ms)
        self.away = False
        self.writes: list[Write] = []  # that were committed
        self.held, self._release = trio.Event(), trio.Event()
        self._wanted: Wanted | None = None
        self._commits_first = False

    def hold(self, wanted: Wanted, *, commits_first: bool = False) -> None:
        self.held, self._release = trio.Event(), trio.Event()
        self._wanted, self._commits_first = wanted, commits_first

    def release(self) -> None:
        self._release.set()

    async def commit(self, writes: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise StoreUnavailable("the test says so")
        wanted = self._wanted
        if wanted is None or not any(map(wanted, writes)):
            return self._done(writes)
        self._wanted = None
        self.held.set()
        results = self._done(writes) if self._commits_first else None
        with trio.CancelScope(shield=True):  # as a thread cannot be cancelled
            await self._release.wait()
        return results if results is not None else self._done(writes)

    def _done(self, writes: Any) -> Any:
        results = self._commit(writes)
        self.writes += writes
        return results


@attrs.define
class World:
    platform: Platform
    store: ControlledStore
    writer: Writer
    fleet: LocalFleet
    accounts: Accounts
    sends: SendUseCases
    incarnation: Incarnation

    async def send(self, text: str, chat: str = "anna", key: str | None = None) -> SentMessage:
        """As the API does it. Raises `UseCaseError`, `StoreUnavailable`."""
        message = OutboundText(chat, "user", text)
        known = None if key is None else IdempotencyKey(key, b"hash of " + text.encode(), lambda: None)
        return await self.sends.send("acct_1", message, message_type="text", key=known)

    async def prepared(self, text: str, prepare: Prepare, chat: str = "anna") -> Answer:
        """A send whose file is fetched by `prepare`."""
        command_id = new_id("cmd")
        message = OutboundText(chat, "user", text, client_ref=command_id)
        command = SendCommand(
            command_id, "acct_1", message, deadline=now_ms() + DEADLINE_MS, created_at=now_ms()
        )
        place = self.accounts.reserve(command)
        assert not isinstance(place, Answer)
        await self.writer.submit(AcceptCommand(1, command, b"{}"))
        return await self.accounts.carry_out(place, command, prepare)

    async def running(self) -> None:
        with trio.fail_after(60):
            while (actor := self.accounts.actor("acct_1")) is None or actor.connection.lease is None:
                await trio.sleep(0.01)

    def stored(self, text: str) -> CommandState | None:
        """The state of the send of this text, as it is in the database."""
        return self.by_text().get(text)

    def by_text(self) -> dict[str, CommandState]:
        """The states of all sends that were accepted and answered so."""
        texts = {
            write.command.id: write.command.message.text
            for write in self.store.writes
            if isinstance(write, AcceptCommand)
        }
        return {
            texts[id_]: CommandState(state)
            for id_, state in self.rows("select id, state from command")
            if id_ in texts
        }

    def rows(self, sql: str) -> list[Any]:
        return self.store._read_in_thread(lambda database: database.execute(sql).fetchall())

    async def recover(self) -> tuple[int, int]:
        """As the next process does it: (not sent, unknown)."""
        [result] = await self.store.commit([RecoverCommands()])
        return cast(Any, result).value


def channel_of(*, pace: Pace = UNPACED, parallel: int = 4, marks: bool = False) -> Channel:
    spec = ConnectionSpec(
        auth_mode="token",
        connector=lambda: ScriptedSender,
        credentials=(),
        inbound=Inbound.ACKED,
        parallel_sends=parallel,
        marks_sending=marks,
        pace=pace,
    )
    return Channel(name="line", endpoints=dict, connections=(spec,))


@contextlib.asynccontextmanager
async def send_world(directory: Path, channel: Channel | None = None) -> AsyncIterator[World]:
    """An account that is running, until the process is killed. The database stays open."""
    registry = Registry([channel or channel_of()])
    marks = registry.channels["line"].connections[0].marks_sending
    store, platform = ControlledStore(directory / "test.db"), Platform()
    store.open()
    account = Account(
        *("acct_1", "a", "line", "line", "global", "token"),
        auth_status=AuthStatus.AUTHORIZED,
        credentials={"marks": "yes" if marks else "no"},
    )
    await store.commit([PutAccount(account)])
    writer, ids = Writer(store), EventIds(now_ms)
    partition = Normalizer(writer, ids, b"lane", lambda *_: "")
    fleet = LocalFleet(store, "test")
    services = Services(
        store=store,
        registry=registry,
        fleet=fleet,
        normalizers=Normalizers([partition]),
        endpoints={"line": platform},
        ssl_context=cast(Any, None),
        clock=Clock.without_steps(now_ms),
        ingress_url=lambda account: None,
        proxy_guard=cast(Any, None),
        qr_url=lambda *_: "",
    )
    accounts = Accounts(services, registry, policy_of=lambda account: POLICY, admissions={})
    await accounts.load(await store.accounts())
    sends = SendUseCases(
        store=store,
        registry=registry,
        accounts=accounts,
        lookup=AccountLookup(store, registry, accounts, cast(Any, None)),
        repeats=Repeats(store, TimedWriter(writer)),
        reply_tokens=ReplyTokens(RING, registry),
        files=cast(Any, None),
        link_of_upload=cast(Any, None),
        settings=cast(Any, None),
        clock=Clock.without_steps(now_ms),
        find_alias=services.normalizers.find_alias,
    )
    incarnation = Incarnation(1, float("inf"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, Incarnation(1, float("inf")))
        nursery.start_soon(partition.run, Incarnation(1, float("inf")))
        nursery.start_soon(accounts.run, incarnation)
        world = World(platform, store, writer, fleet, accounts, sends, incarnation)
        await world.running()
        yield world
        nursery.cancel_scope.cancel()
    store.close()


def is_accept(write: Write) -> bool:
    return isinstance(write, AcceptCommand)


def moves_to(state: CommandState) -> Wanted:
    """Units that move a send to `state`."""

    def wanted(write: Write) -> bool:
        return isinstance(write, Unit) and write.command is not None and write.command.state is state

    return wanted
