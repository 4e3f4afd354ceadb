"""One account: its connection, its outbox, and what is shown of both.

The connection is the supervised child: `run` is called for each incarnation, logs in, and reads until it is
told to stop or the link is lost. The outbox (`outbox.py`) outlives it; a connection that has ended is closed by
whoever used it last.
"""

import itertools
import logging
import math
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import trio

from supervisors import ChildState, Failure, Incarnation, Kind, Outcome, Phase, RetryLater, classify
from unifyport.fleet.leases import Fleet, Lease
from unifyport.model.account import Account, AuthStatus
from unifyport.model.inbound import ProviderEvent
from unifyport.model.proxy import Proxy
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import Unit
from unifyport.net.guard import AddressGuard, NameNotResolved, UrlNotAllowed
from unifyport.providers.contract.base import (
    WEBHOOK,
    AnswersProbes,
    Batch,
    ConnectionSpec,
    Connector,
    ConnectorContext,
)
from unifyport.providers.contract.errors import (
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)
from unifyport.providers.contract.login import LogsOut
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Committed, Duplicate, Fenced, Refused, Store, StoreUnavailable

from ..normalizer import Normalizers
from ..reply import Failed
from .connection import ConnectionLease
from .login import DuplicateAccount, Login, LoginChanged, Step, close, log_out
from .outbox import Outbox, Tallies
from .status import Change, RuntimeView, StatusSlot, auth_failed, auth_succeeded, status_changed

log = logging.getLogger("unifyport.account")

OWN_CONFLICT_SECONDS = 90.0  # a conflict so soon after our own disconnect is with ourselves
_ROAD_RETRY = 0.5
LEASE_LOST = "lease_lost"


@attrs.define
class Services:
    """What every account actor uses of the house."""

    store: Store
    registry: Registry
    fleet: Fleet
    normalizers: Normalizers
    endpoints: Mapping[str, Any]  # channel name -> its attrs class of base URLs
    ssl_context: ssl.SSLContext
    now_ms: Callable[[], int]
    ingress_url: Callable[[Account], str | None]  # where an account's platform reaches it
    proxy_guard: AddressGuard
    qr_url: Callable[[str, int, int], str]  # account id, sequence, when it expires -> its picture
    tallies: Tallies = attrs.field(factory=Tallies)
    generations: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))


class NotDurable(Exception):
    """A unit was refused or failed: this incarnation's memory is ahead of the disk and must end."""


class LeaseLost(Exception):
    """Somebody else acts for this account now."""


class AccountActor:
    """See the module. `announce` wakes the status pump; `spawn` runs the outbox in a nursery that outlives us."""

    def __init__(
        self,
        row: Account,
        lease: Lease,
        spec: ConnectionSpec,
        services: Services,
        announce: Callable[["AccountActor"], None],
        spawn: Callable[[Outbox], bool],
    ) -> None:
        self.row = row
        self.lease = lease
        self.spec = spec
        self.view = RuntimeView()
        self.slot = StatusSlot()
        self._unflushed: list[Change] = []  # published and not durable yet
        self._flushed = trio.Event()
        self.last_seen_at: int | None = None  # milliseconds since the epoch
        self._heard_at = self._held_up_until = -math.inf  # trio's clock
        self._services = services
        self._announce = announce
        self._generation = 0
        self._connection: ConnectionLease | None = None
        self._changed = (
            trio.Event()
        )  # set, and replaced, whenever `_connection` or what may become of it changes
        self._disconnected_at = trio.current_time()
        self._scope: trio.CancelScope | None = None
        self._failure: ChannelError | None = None
        self.leaving = False  # it is being deleted, and takes no more work
        self.login: Login | None = None  # the latest attempt of a human
        self.login_turn = trio.Lock()  # who begins or ends one
        self.outbox = Outbox(
            self, services.normalizers, services.fleet, services.now_ms, services.tallies, spawn
        )

    @property
    def identity(self) -> str | None:
        """Who the credentials say we are, whether the platform has confirmed it or not."""
        return self.spec.identify(self.row.credentials)

    @property
    def connector_class(self) -> type[Connector]:
        return self._services.registry.connector(self.spec)

    @property
    def interactive(self) -> bool:
        """Whether a human must log it in."""
        return self._services.registry.is_interactive(self.spec)

    @property
    def may_run(self) -> bool:
        """Whether it shall be connected: an account that a human must log in is not before that."""
        logged_in = self.row.auth_status is AuthStatus.AUTHORIZED
        return self.row.may_run and (logged_in or not self.interactive)

    @property
    def called_by_platform(self) -> bool:
        return self.spec.ingress is not None and self.row.receive == WEBHOOK

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
        connection = ConnectionLease(self.connector_class(await self._connector_context(session)))
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
            if incarnation.stop_requested:
                self.outbox.cut()  # the grace has passed
            if not isinstance(self._failure, Conflict):
                self._disconnected_at = trio.current_time()
            await connection.retire()

    async def _connector_context(self, session: Mapping[tuple[str, bytes], bytes]) -> ConnectorContext:
        """Raises `Transient` where the proxy cannot be used."""
        return ConnectorContext(
            credentials=self.row.credentials,
            receive=self.row.receive,
            session=session,
            endpoints=self._services.endpoints[self.row.channel],
            ssl_context=self._services.ssl_context,
            ingress_url=self._services.ingress_url(self.row),
            proxy=await self._proxy(),
        )

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

    def _use(self, connection: ConnectionLease | None) -> None:
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
        login = self.row.login
        identity = await connector.login()
        if (self.row.auth_status, self.row.provider_account_ref) == (
            AuthStatus.AUTHORIZED,
            identity.provider_account_ref,
        ):
            return
        changes: dict[str, Any] = {
            "auth_status": AuthStatus.AUTHORIZED,
            "provider_account_ref": identity.provider_account_ref,
            "profile": identity.profile(),
            "last_error": None,
            "terminal": None,
        }
        unit = self._unit()
        unit.announcements = auth_succeeded(attrs.evolve(self.row, **changes), self._services.now_ms())
        unit.account_changes = changes
        unit.login = login
        await self._durable(unit)
        if self.row.login == login:
            self.row = attrs.evolve(self.row, **changes)

    # -- what a login asks (`login.Host`) -------------------------------------------------------------------------

    async def new_connector(self) -> Connector:
        return self.connector_class(await self._connector_context({}))

    async def departing(self) -> ConnectorContext | None:
        """What to log out with; None where the platform need not know. Raises `StoreUnavailable`."""
        logged_in = self.row.auth_status is AuthStatus.AUTHORIZED
        if not logged_in or not issubclass(self.connector_class, LogsOut):
            return None
        try:
            return await self._connector_context(await self._services.store.session(self.row.no))
        except ChannelError as error:
            log.warning("account %s: not logged out at the platform (%s)", self.row.id, error.reason)
            return None

    async def log_out(self, context: ConnectorContext) -> None:
        """Have the platform let go of the login, if it will. Raises nothing; takes some seconds at most."""
        try:
            connector = self.connector_class(context)
        except ChannelError as error:
            log.warning("account %s: not logged out at the platform (%s)", self.row.id, error.reason)
            return
        try:
            await log_out(self.row.id, connector)
        finally:
            await close(self.row.id, connector)

    async def commit_login(self, step: Step) -> None:
        if step.login != self.row.login:
            raise LoginChanged
        unit = self.own_unit()
        unit.account_changes, unit.announcements = step.changes, step.announcements
        if step.session is not None:
            unit.new_session, unit.session = True, step.session
        try:
            await self._durable(unit)
        except LoggedOut:
            raise DuplicateAccount from None
        except NotDurable as error:
            if str(error) == "login_changed":
                raise LoginChanged from None
            raise
        if self.row.login == unit.login:
            self.row = attrs.evolve(self.row, **step.changes)

    @property
    def runtime_status(self) -> RuntimeStatus:
        return self.view.status

    def qr_url(self, sequence: int, expires_at: int) -> str:
        return self._services.qr_url(self.row.id, sequence, expires_at)

    def now_ms(self) -> int:
        return self._services.now_ms()

    # -- what the connector is given (`providers.base.Link`) ---------------------------------------------------

    async def deliver(self, batch: Batch) -> None:
        self.observed()
        unit = self._unit()
        unit.provider_events, unit.session = batch.events, batch.state
        self._held_up_until = math.inf
        try:
            await self._durable(unit, batch.size)
        finally:
            self._held_up_until = trio.current_time()

    def observed(self) -> None:
        self.last_seen_at = self._services.now_ms()
        self._heard_at = trio.current_time()

    async def ingest(self, events: list[ProviderEvent], size: int) -> bool:
        """Commit events that the platform brought to us, verified. True: they are durable and may be acknowledged.

        False: they are not, or the account takes nothing now; the platform must keep them.

        They belong to no incarnation: there is no session that could be ahead of the disk.
        """
        if not self.may_run or self.leaving:
            return False
        self.observed()
        unit = self.own_unit()
        unit.provider_events = events
        match await self._services.normalizers.commit(unit, size):
            case Committed() | Duplicate():
                return True
        return False

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
        row = self.row
        return Unit(row.no, row.id, row.provider, self.lease.epoch, self._generation, login=row.login)

    # -- what the prober asks (`supervisors.Probed`) -------------------------------------------------------------

    def heard_at(self) -> float:
        return self._heard_at

    def held_up_since(self, at: float) -> bool:
        return self._held_up_until >= at

    async def probe(self) -> None:
        connection = self._connection
        if connection is None or self.row.receive not in self.spec.probed:
            return  # there is no link that could have died silently
        try:
            with connection as connector:
                if isinstance(connector, AnswersProbes):
                    await connector.probe()
        except (LoggedOut, Conflict) as error:
            self.lost(connection.connector, error)
        except (RateLimited, Rejected):
            pass  # an answer, even so
        finally:
            await connection.close_if_unused()
        self.observed()

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
                "auth_status": AuthStatus.FAILED,
            }
            self.row = attrs.evolve(self.row, **lost)
            changes |= lost
            announcements += auth_failed(self.row, state.terminal or "", now)
        self._use(self._connection)
        was_up = self.view.status is RuntimeStatus.RUNNING
        if self.view.observe(state, now):
            announcements += status_changed(self.row, self.view, now, was_up=was_up)
        if announcements or changes:
            self.publish(Change(announcements, changes))

    def replace(self, row: Account) -> None:
        """Take over a row that somebody has stored. What is on its way to the disk is newer."""
        for change in self._unflushed:
            row = attrs.evolve(row, **change.changes_for(row.login))
        self.row = row

    def publish(self, change: Change) -> None:
        """Announce and remember; it is durable once the pump has carried it down the road. Never waits."""
        change.login = self.row.login
        self._unflushed.append(change)
        self.slot.publish(change)
        self._announce(self)

    def flushed(self) -> None:
        """The pump: everything that was published before is durable."""
        self._unflushed = []
        self._flushed.set()
        self._flushed = trio.Event()

    async def durable(self, timeout: float) -> bool:
        """Wait until everything published is durable; False after `timeout` seconds."""
        with trio.move_on_after(timeout):
            while self._unflushed:
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
            unit.account_changes |= change.changes_for(self.row.login)
        return unit, changes

    # -- what the outbox asks (`outbox.Host`) --------------------------------------------------------------------

    @property
    def may_come_up(self) -> bool:
        return self.may_run and self.row.terminal is None and not self.leaving

    async def connection_by(self, deadline_ms: int) -> ConnectionLease | None:
        """The live connection, waiting for it while the account is coming up; None when there will be none."""
        with trio.move_on_after(max(0.0, (deadline_ms - self._services.now_ms()) / 1000)):
            while (connection := self._connection) is None and self.may_come_up:
                await self._changed.wait()
            return connection
        return None

    def lost(self, connector: Connector, error: ChannelError) -> None:
        """A command found the login void or taken: end the connection, if that is still the one."""
        current = self._connection is not None and self._connection.connector is connector
        if current and self._scope is not None:
            self._failure = error
            self._scope.cancel()


def _told_to_wait(last: Outcome | None) -> bool:
    failure = last.failure if last is not None else None
    return failure is not None and failure.kind is Kind.DEFERRED and failure.reason == "rate_limited"
