"""One account: its connection, its outbox, and what is shown of both.

The connection is the supervised child: `run` is called for each incarnation, logs in, and reads until it is
told to stop or the link is lost. The outbox outlives it. Sends are worked off one after another by a task
that exists only while there is something to send; a lost receive link pauses it and cuts nothing short, and
a connection that has ended is closed by whoever used it last.
"""

import enum
import itertools
import logging
import ssl
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import msgspec
import trio

from supervisors import ChildState, Failure, Incarnation, Kind, Outcome, Phase, RetryLater, classify
from unifyport import disk
from unifyport.model import account as model
from unifyport.model.inbound import ProviderEvent
from unifyport.model.message import Answer, CommandState, FetchMedia, MarkRead, SendCommand
from unifyport.model.proxy import Proxy
from unifyport.model.unit import CommandChange, Unit
from unifyport.net.guard import AddressGuard, NameNotResolved, UrlNotAllowed
from unifyport.providers.base import (
    WEBHOOK,
    Batch,
    ChannelError,
    Conflict,
    Connector,
    DownloadsMedia,
    LoggedOut,
    MarksRead,
    RateLimited,
    Rejected,
    SendsReplies,
    SendsText,
    Setting,
    Transient,
)
from unifyport.providers.base import Connection as ConnectionKind
from unifyport.storage.base import Committed, Duplicate, Fenced, Refused, Result, Store, StoreUnavailable
from unifyport.storage.fleet import Fleet, Lease

from .normalizer import Normalizers
from .reply import Failed, Reply
from .status import Change, RuntimeView, StatusSlot, auth_failed, auth_succeeded, status_changed

log = logging.getLogger("unifyport.account")

OUTBOX = 256
RECORD_SECONDS = 5.0  # the shield around recording what became of a send
OWN_CONFLICT_SECONDS = 90.0  # a conflict so soon after our own disconnect is with ourselves
_ROAD_RETRY = 0.5
LEASE_LOST = "lease_lost"
FETCHES = 2  # files that are fetched at a time

Command = SendCommand | MarkRead


class Ingested(enum.Enum):
    """What became of events that the platform brought to us."""

    DURABLE = "durable"
    NOT_DURABLE = "not_durable"
    STOPPED = "stopped"  # the account takes nothing now


@attrs.define
class Tallies:
    """What accounts have done, by channel: counted here, as an account may be deleted."""

    incarnations: Counter[str] = attrs.field(factory=Counter)
    commands: Counter[tuple[str, str, str]] = attrs.field(factory=Counter)  # channel, command, outcome


@attrs.define
class Services:
    """What every account actor uses of the house."""

    store: Store
    fleet: Fleet
    normalizers: Normalizers
    endpoints: Mapping[str, Any]  # channel name -> its attrs class of base URLs
    ssl_context: ssl.SSLContext
    now_ms: Callable[[], int]
    ingress_url: Callable[[model.Account], str | None]  # where an account's platform reaches it
    proxy_guard: AddressGuard
    tallies: Tallies = attrs.field(factory=Tallies)
    generations: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))


class NotDurable(Exception):
    """A unit was refused or failed: this incarnation's memory is ahead of the disk and must end."""


class LeaseLost(Exception):
    """Somebody else acts for this account now."""


class Connection:
    """A connector in use; closed by whoever is last to use it once it was retired."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self._users = 0
        self._retired = False
        self._idle = trio.Event()
        self._idle.set()

    def __enter__(self) -> Connector:
        self._users += 1
        self._idle = trio.Event() if self._users == 1 else self._idle
        return self.connector

    def __exit__(self, *exc_info: object) -> None:
        self._users -= 1
        if self._users == 0:
            self._idle.set()

    async def idle(self) -> None:
        await self._idle.wait()

    async def retire(self) -> None:
        """No new users; close now if there are none."""
        self._retired = True
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        if self._retired and self._users == 0:
            await self.connector.aclose()


class AccountActor:
    """See the module. `announce` wakes the status pump; `spawn` runs the outbox in a nursery that outlives us."""

    def __init__(
        self,
        row: model.Account,
        lease: Lease,
        kind: ConnectionKind,
        services: Services,
        announce: Callable[["AccountActor"], None],
        spawn: Callable[["AccountActor"], bool],
    ) -> None:
        self.row = row
        self.lease = lease
        self.kind = kind
        self.view = RuntimeView()
        self.slot = StatusSlot()
        self.unflushed = 0  # changes published and not durable yet
        self._flushed = trio.Event()
        self.last_seen_at: int | None = None
        self._services = services
        self._announce = announce
        self._spawn = spawn
        self._generation = 0
        self._connection: Connection | None = None
        self._changed = (
            trio.Event()
        )  # set, and replaced, whenever `_connection` or what may become of it changes
        self._disconnected_at = trio.current_time()
        self._scope: trio.CancelScope | None = None
        self._failure: ChannelError | None = None
        self._queue: deque[tuple[Command, Reply[Answer]]] = deque()
        self._working = False
        self._send_scope: trio.CancelScope | None = None
        self._fetches = trio.CapacityLimiter(FETCHES)

    @property
    def identity(self) -> str | None:
        """Who the credentials say we are, whether the platform has confirmed it or not."""
        return self.kind.identify(self.row.credentials)

    @property
    def called_by_platform(self) -> bool:
        return self.kind.ingress is not None and self.row.receive == WEBHOOK

    # -- the connection ---------------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """One incarnation. Raises failure classes; see `classify`."""
        self._generation = next(self._services.generations)
        self._failure = None
        self._services.tallies.incarnations[self.row.channel] += 1
        try:
            session = await self._services.store.session(self.row.no)
        except StoreUnavailable:
            raise RetryLater(_ROAD_RETRY, "storage_unavailable") from None
        setting = Setting(
            credentials=self.row.credentials,
            receive=self.row.receive,
            session=session,
            endpoints=self._services.endpoints[self.row.channel],
            ssl_context=self._services.ssl_context,
            ingress_url=self._services.ingress_url(self.row),
            proxy=await self._proxy(),
        )
        connection = Connection(self.kind.connector(setting))
        try:
            await self._log_in(connection.connector)
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                self._use(connection)
                incarnation.started()
                nursery.start_soon(self._receive, connection.connector)
                await incarnation.stopping()
                self._use(None)
                await connection.idle()  # sends in flight finish; the supervisor's grace bounds this
                nursery.cancel_scope.cancel()
            if self._failure is not None:
                raise self._failure
        finally:
            self._use(None)
            self._scope = None
            if incarnation.stop_requested and self._send_scope is not None:
                self._send_scope.cancel()  # the grace has passed
            if not isinstance(self._failure, Conflict):
                self._disconnected_at = trio.current_time()
            await connection.retire()

    async def _proxy(self) -> Proxy | None:
        """The account's proxy, at an address that was checked. Where that fails nobody connects at all."""
        proxy = self.row.proxy
        if proxy is None:
            return None
        try:
            address = await self._services.proxy_guard.address(proxy.host)
        except UrlNotAllowed:
            raise Transient("proxy_not_allowed") from None
        except NameNotResolved:
            raise Transient("proxy_error") from None
        # A TLS proxy is known by its name, so that one is dialled by name.
        return proxy if proxy.type == "https" else attrs.evolve(proxy, host=str(address))

    def _use(self, connection: Connection | None) -> None:
        self._connection = connection
        self._changed.set()
        self._changed = trio.Event()

    async def _receive(self, connector: Connector) -> None:
        try:
            await connector.receive(self)
        except Conflict as conflict:
            self._failure = conflict
            raise
        raise Transient("receive_ended")

    async def _log_in(self, connector: Connector) -> None:
        identity = await connector.login()
        if (self.row.auth_status, self.row.provider_account_ref) == (
            model.AuthStatus.AUTHORIZED,
            identity.provider_account_ref,
        ):
            return
        changes: dict[str, Any] = {
            "auth_status": model.AuthStatus.AUTHORIZED,
            "provider_account_ref": identity.provider_account_ref,
            "profile": {
                "id": identity.provider_account_ref,
                "phone": identity.phone,
                "username": identity.username,
                "display_name": identity.display_name,
                "avatar_url": identity.picture_url,
            },
            "last_error": None,
            "terminal": None,
        }
        unit = self._unit()
        unit.announcements = auth_succeeded(attrs.evolve(self.row, **changes), self._services.now_ms())
        unit.account_changes = changes
        await self._durable(unit)
        self.row = attrs.evolve(self.row, **changes)

    # -- what the connector is given (`providers.base.Link`) ---------------------------------------------------

    async def deliver(self, batch: Batch) -> None:
        self.observed()
        unit = self._unit()
        unit.provider_events, unit.session = batch.events, batch.state
        await self._durable(unit, batch.size)

    def observed(self) -> None:
        self.last_seen_at = self._services.now_ms()

    async def ingest(self, events: list[ProviderEvent], size: int) -> Ingested:
        """Events that the platform brought to us, verified. Durable means that they may be acknowledged.

        They belong to no incarnation: there is no session that could be ahead of the disk.
        """
        if not self.row.may_run:
            return Ingested.STOPPED
        self.observed()
        unit = self.own_unit()
        unit.provider_events = events
        match await self._services.normalizers.commit(unit, size):
            case Committed() | Duplicate():
                return Ingested.DURABLE
        return Ingested.NOT_DURABLE

    async def _durable(self, unit: Unit, size: int = 0) -> None:
        match await self._services.normalizers.commit(unit, size):
            case Committed() | Duplicate():
                return
            case Fenced():
                raise LeaseLost
            case Refused(reason="duplicate_provider_account" as reason):
                raise LoggedOut(reason)
            case Refused(reason=reason) | Failed(reason=reason):
                raise NotDurable(reason)

    def _unit(self) -> Unit:
        return Unit(self.row.no, self.row.id, self.row.provider, self.lease.epoch, self._generation)

    # -- the supervisor's view ----------------------------------------------------------------------------------

    def classify(self, error: BaseException) -> Failure:
        """The failure classes of `providers.base`, in the supervisor's terms."""
        match error:
            case LoggedOut(reason=reason):
                return Failure(Kind.TERMINAL, reason)
            case RateLimited(reason=reason, retry_after=seconds):
                return Failure(Kind.DEFERRED, reason, retry_after=seconds)
            case Conflict(reason=reason):
                own = trio.current_time() - self._disconnected_at < OWN_CONFLICT_SECONDS
                return Failure(Kind.TRANSIENT if own else Kind.CONFLICT, reason)
            case ChannelError(reason=reason):
                return Failure(Kind.TRANSIENT, reason)
            case NotDurable():
                # Our own road failed, not the account: it costs no budget.
                return Failure(Kind.DEFERRED, "not_durable", str(error), retry_after=_ROAD_RETRY)
            case LeaseLost():
                return Failure(Kind.TERMINAL, LEASE_LOST)
            case _:
                return classify(error)

    def on_state(self, state: ChildState) -> None:
        """The supervisor's listener: remember and announce what has changed. Never waits."""
        now, changes = self._services.now_ms(), self._account_changes(state)
        announcements = []
        if state.phase is Phase.TERMINAL and state.terminal not in (None, LEASE_LOST, self.row.terminal):
            lost: dict[str, Any] = {
                "terminal": state.terminal,
                "last_error": state.terminal,
                "auth_status": model.AuthStatus.FAILED,
            }
            self.row = attrs.evolve(self.row, **lost)
            changes |= lost
            announcements += auth_failed(self.row, state.terminal or "", now)
        self._use(self._connection)
        if self.view.observe(state, now):
            announcements += status_changed(self.row, self.view, now)
        if announcements or changes:
            self.publish(Change(announcements, changes))

    def publish(self, change: Change) -> None:
        """Announce and remember; it is durable once the pump has carried it down the road. Never waits."""
        self.unflushed += 1
        self.slot.publish(change)
        self._announce(self)

    def flushed(self) -> None:
        """The pump: everything that was published before is durable."""
        self.unflushed = 0
        self._flushed.set()
        self._flushed = trio.Event()

    async def durable(self, timeout: float) -> bool:
        """Wait until everything published is durable; False after `timeout` seconds."""
        with trio.move_on_after(timeout):
            while self.unflushed:
                await self._flushed.wait()
            return True
        return False

    def _account_changes(self, state: ChildState) -> dict[str, Any]:
        """What must survive a restart of the process: how long a platform told us to wait."""
        if state.phase is not Phase.DEFERRED or state.next_retry_at is None or not _told_to_wait(state.last):
            return {}
        wait = max(0.0, state.next_retry_at - trio.current_time())
        return {"not_before": self._services.now_ms() + int(wait * 1000)}

    async def changed(self) -> None:
        """Wait until the supervisor's view of this account, or its connection, changes."""
        await self._changed.wait()

    def own_unit(self) -> Unit:
        """A unit of the account's keeper, which no failed incarnation makes stale."""
        return attrs.evolve(self._unit(), generation=None)

    def pending(self) -> tuple[Unit, list[Change]]:
        """The unit of all changes in the slot, which is empty afterwards."""
        changes = self.slot.take()
        unit = self.own_unit()
        for change in changes:
            unit.announcements += change.announcements
            unit.account_changes |= change.account_changes
        return unit, changes

    # -- the outbox -----------------------------------------------------------------------------------------------

    def submit(self, command: Command) -> Reply[Answer]:
        """Queue an accepted command. Never waits; the reply may be abandoned, the command goes on."""
        reply: Reply[Answer] = Reply()
        if len(self._queue) >= OUTBOX:
            reply.answer(Answer(CommandState.NOT_SENT, code="outbox_full", retry_after=1.0))
            return reply
        self._queue.append((command, reply))
        self.resume()
        return reply

    def resume(self) -> None:
        """Work off what is queued, unless that is being done or nobody runs us now."""
        if self._queue and not self._working:
            self._working = self._spawn(self)

    async def work(self) -> None:
        """Do what is queued, one after another, and end. Nothing but cancellation leaves this."""
        try:
            while self._queue:
                await self._process(*self._queue.popleft())
        finally:
            self._working = False
            while self._queue:
                command, reply = self._queue.popleft()
                answer = Answer(CommandState.NOT_SENT, code="shutting_down")
                await self.record(command, answer)
                reply.answer(answer)

    async def _process(self, command: Command, reply: Reply[Answer]) -> None:
        """One command, from waiting for the connection to the recorded outcome."""
        answer = Answer(CommandState.NOT_SENT, code="account_not_running")
        connection: Connection | None = None
        try:
            connection = await self._connection_by(command.deadline)
            if connection is None:
                return
            with trio.CancelScope() as self._send_scope, connection as connector:
                refusal = await self._begin(command)
                if refusal is not None:
                    answer = refusal
                    return
                answer = Answer(CommandState.UNKNOWN, code="cancelled")
                answer = await self._attempt(connector, command)
        except Exception:
            log.exception("account %s: a send crashed", self.row.id)
        finally:
            self._send_scope = None
            self._count(command, answer)
            await self.record(command, answer)
            reply.answer(answer)
            if connection is not None:
                await connection.close_if_unused()

    async def fetch(self, command: FetchMedia) -> Answer:
        """Fetch a file, beside the outbox: sends do not wait for it."""
        async with self._fetches:
            connection = await self._connection_by(command.deadline)
            if connection is None:
                return Answer(CommandState.NOT_SENT, code="account_not_running")
            try:
                with connection as connector:
                    answer = await self._attempt(connector, command)
                    self._count(command, answer)
                    return answer
            finally:
                await connection.close_if_unused()

    def _count(self, command: Command | FetchMedia, answer: Answer) -> None:
        name = type(command).__name__
        self._services.tallies.commands[self.row.channel, name, answer.state.value] += 1

    async def _connection_by(self, deadline_ms: int) -> Connection | None:
        """The live connection, waiting for it while the account is coming up; None when there will be none."""
        with trio.move_on_after(self._remaining(deadline_ms)):
            while (connection := self._connection) is None and self.may_come_up:
                await self._changed.wait()
            return connection
        return None

    def _remaining(self, deadline_ms: int) -> float:
        return max(0.0, (deadline_ms - self._services.now_ms()) / 1000)

    @property
    def may_come_up(self) -> bool:
        return self.row.may_run and self.row.terminal is None

    async def _begin(self, command: Command) -> Answer | None:
        """Record `sending` before the first byte; None when the command may go on."""
        now = self._services.now_ms()
        recorded = True
        if isinstance(command, SendCommand):
            sending = CommandChange(command.id, CommandState.SENDING, now, client_ref=command.id)
            recorded = isinstance(await self._step(sending), Committed)
        if recorded and self._services.fleet.held(self.lease):
            return None
        return Answer(CommandState.NOT_SENT, code="deadline" if now >= command.deadline else "not_recorded")

    async def _attempt(self, connector: Connector, command: Command | FetchMedia) -> Answer:
        try:
            with trio.move_on_after(self._remaining(command.deadline)):
                return await _perform(connector, command)
            return Answer(CommandState.UNKNOWN, code="timeout")
        except ChannelError as error:
            return self._refused(connector, error)
        except Exception:
            log.exception("account %s: a command crashed", self.row.id)
            return Answer(CommandState.UNKNOWN, code="internal_error")

    def _refused(self, connector: Connector, error: ChannelError) -> Answer:
        if isinstance(error, Rejected):
            return Answer(CommandState.REJECTED, code=error.reason, message=error.detail)
        current = self._connection is not None and self._connection.connector is connector
        if isinstance(error, LoggedOut | Conflict) and current and self._scope is not None:
            self._failure = error
            self._scope.cancel()
        wait = error.retry_after if isinstance(error, RateLimited) else None
        state = CommandState.UNKNOWN if error.maybe_applied else CommandState.NOT_SENT
        return Answer(state, code=error.reason, retry_after=wait)

    async def record(self, command: Command, answer: Answer) -> None:
        """Commit the outcome of a send, shielded for a few seconds. Of what may be repeated nothing is kept."""
        if not isinstance(command, SendCommand):
            return
        change = CommandChange(
            command.id, answer.state, self._services.now_ms(), answer=msgspec.json.encode(answer.as_dict())
        )
        with trio.CancelScope(shield=True, deadline=trio.current_time() + RECORD_SECONDS):
            await self._step(change)

    async def _step(self, change: CommandChange) -> Result | Failed:
        unit = attrs.evolve(self.own_unit(), command=change)
        return await self._services.normalizers.commit(unit)


async def _perform(connector: Connector, command: Command | FetchMedia) -> Answer:
    """What a command asks of its connector. The API has asked for the capability before."""
    match command:
        case SendCommand(message=message) if message.reply_to_message_id is not None:
            assert isinstance(connector, SendsReplies)
            sent = await connector.send_reply(message, message.reply_to_message_id)
        case SendCommand(message=message):
            assert isinstance(connector, SendsText)
            sent = await connector.send_text(message)
        case MarkRead():
            assert isinstance(connector, MarksRead)
            await connector.mark_read(command.conversation_id, command.message_id)
            return Answer(CommandState.SENT)
        case FetchMedia():
            assert isinstance(connector, DownloadsMedia)
            await _download(connector, command)
            return Answer(CommandState.SENT)
    return Answer(CommandState.SENT, sent.message_id, sent.provider_ref)


async def _download(connector: DownloadsMedia, command: FetchMedia) -> None:
    file = await disk.run(lambda: open(command.path, "xb", buffering=0))  # noqa: SIM115

    async def sink(chunk: bytes) -> None:
        await disk.run(file.write, chunk)

    try:
        await connector.download(command.file_id, sink, command.limit)
    finally:
        file.close()


def _told_to_wait(last: Outcome | None) -> bool:
    failure = last.failure if last is not None else None
    return failure is not None and failure.kind is Kind.DEFERRED and failure.reason == "rate_limited"
