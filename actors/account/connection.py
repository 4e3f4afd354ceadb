"""The connection of one account: the supervised child that logs in and receives.

Each incarnation makes a connector, logs in, and receives until it is told to stop or the link is lost. Sends
in flight use the connector, too, by its `ConnectionLease`. Its session is closed when it ends, and the next
incarnation reads only what that session left on the disk.
"""

import math
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from supervisors import Incarnation
from unifyport.model.account import AuthStatus, Identity
from unifyport.model.inbound import ProviderEvent
from unifyport.model.unit import SessionChange, Unit
from unifyport.providers.contract.base import AnswersProbes, Batch, Connector, KeepsTokens, SettlesEchoes
from unifyport.providers.contract.errors import (
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    SessionLost,
    Transient,
)

from .attempts import Attempts
from .connection_lease import ConnectionLease
from .connectors import Connectors
from .failures import NotDurable
from .services import Services
from .session import AccountSession
from .state import AccountState
from .status import auth_succeeded

OWN_CONFLICT_SECONDS = 90.0  # a conflict so soon after the own connection ended is with that connection


class Connection:
    """Implements `supervisors.Probed` for the prober and `providers.contract.base.Link` for the connector."""

    def __init__(
        self,
        state: AccountState,
        connectors: Connectors,
        services: Services,
        *,
        attempts: Attempts,
        spawn: Callable[[Callable[[], Awaitable[None]]], bool],
    ) -> None:
        self.last_seen_at: int | None = None  # unix ms
        self._state = state
        self._connectors = connectors
        self._services = services
        self._attempts = attempts
        self._spawn = spawn
        self._generation = 0
        self._session: AccountSession | None = None
        self._lease: ConnectionLease | None = None
        self._changed = trio.Event()  # set and replaced when the lease, or what may become of it, changes
        self._scope: trio.CancelScope | None = None
        self._failure: Exception | None = None
        self._disconnected_at = trio.current_time()
        self._heard_at = -math.inf  # trio's clock

    # -- one incarnation ------------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """Connect and receive until asked to stop. Raises failure classes; see `failures.failure_of`.

        When asked to stop, sends in flight finish first; the supervisor's grace bounds that by cancelling
        this.
        """
        self._failure = None
        self._services.tallies.incarnations[self._state.row.channel] += 1
        session = await self._open_session()
        try:
            connector = await self._connectors.construct(session)
            lease = ConnectionLease(connector, self._state.row.id)
            try:
                await self._log_in(lease.connector)
                await self._serve(incarnation, lease)
            finally:
                self._use(None)
                lease.in_service = False
                session.close()
                if incarnation.stop_requested:
                    lease.cut()
                if not isinstance(self._failure, Conflict):
                    self._disconnected_at = trio.current_time()
                await lease.retire()
        except SessionLost:
            raise self._failure or NotDurable("session_lost") from None
        finally:
            session.close()

    async def _open_session(self) -> AccountSession:
        """A session that reads what the one before it has left on the disk."""
        if self._session is not None:
            await self._session.drained()
        self._generation = next(self._services.generations)
        self._session = AccountSession(
            self._state,
            self._services,
            self._generation,
            attempts=self._attempts,
            spawn=self._spawn,
            lost=self._end,
        )
        return self._session

    async def _serve(self, incarnation: Incarnation, lease: ConnectionLease) -> None:
        """Receive, and let commands use the connector, until asked to stop. Raises why it ended otherwise."""
        try:
            async with trio.open_nursery() as nursery:
                if self._failure is not None:  # the session was lost while it logged in
                    raise self._failure
                self._scope = nursery.cancel_scope
                self._use(lease)
                incarnation.started()
                nursery.start_soon(self._attend, partial(lease.connector.receive, self))
                if isinstance(lease.connector, KeepsTokens):
                    nursery.start_soon(self._attend, lease.connector.keep_fresh)
                await incarnation.stopping()
                lease.in_service = False  # a command that holds it and has not begun waits for the next one
                self._use(None)
                await lease.wait_idle()
                nursery.cancel_scope.cancel()
        finally:
            self._scope = None
        if self._failure is not None:
            raise self._failure

    def _end(self, failure: Exception) -> None:
        """End the incarnation for `failure`."""
        self._failure = failure
        if self._lease is not None:
            self._lease.in_service = False
        self._use(None)
        if self._scope is not None:
            self._scope.cancel()

    async def _log_in(self, connector: Connector) -> None:
        """Present the credentials; a new identity is durable before events of it are."""
        login = self._state.row.login
        identity = await connector.login()
        row = self._state.row
        known = row.auth_status is AuthStatus.AUTHORIZED
        if not known or row.provider_account_ref != identity.provider_account_ref:
            await self._state.commit(self._unit_of_identity(identity, login))

    def _unit_of_identity(self, identity: Identity, login: int) -> Unit:
        unit = self._state.unit(self._generation)
        unit.login = login
        unit.account_changes = {
            "auth_status": AuthStatus.AUTHORIZED,
            "provider_account_ref": identity.provider_account_ref,
            "profile": identity.profile(),
            "last_error": None,
            "terminal": None,
        }
        row = attrs.evolve(self._state.row, **unit.account_changes)
        unit.announcements = auth_succeeded(row, self._services.now_ms())
        return unit

    async def _attend(self, work: Callable[[], Awaitable[None]]) -> None:
        """What a connector does until it is cancelled; why it ended otherwise."""
        try:
            await work()
        except Conflict as conflict:
            self._failure = conflict
            raise
        except SessionLost:
            raise self._failure or NotDurable("session_lost") from None
        raise Transient("receive_ended")

    @property
    def lease(self) -> ConnectionLease | None:
        """The connection that is up."""
        return self._lease

    # -- users of the connector -----------------------------------------------------------------------------

    async def wait_for_lease(self, deadline_ms: int) -> ConnectionLease | None:
        """The live connection, waited for until `deadline_ms` (steady clock); None if the account cannot come
        up.
        """
        with trio.move_on_after(max(0.0, (deadline_ms - self._services.steady_ms()) / 1000)):
            return await self.next_lease()
        return None

    async def next_lease(self, other_than: ConnectionLease | None = None) -> ConnectionLease | None:
        """The live connection, waited for; None if the account cannot come up."""
        while (lease := self._lease) is None or lease is other_than:
            if not self._state.may_come_up:
                return None
            await self._changed.wait()
        return lease

    async def settle(self, events: list[ProviderEvent]) -> tuple[list[ProviderEvent], list[SessionChange]]:
        """See `SettlesEchoes.settle`; the events as they are where no such connector is up."""
        settled: tuple[list[ProviderEvent], list[SessionChange]] = (events, [])
        if self._lease is not None and isinstance(self._lease.connector, SettlesEchoes):
            async with self._lease.use() as connector:
                assert isinstance(connector, SettlesEchoes)
                settled = await connector.settle(events)
        return settled

    def report_lost(self, connector: Connector, error: ChannelError) -> None:
        """A command found the login void or taken: end the incarnation if `connector` is still its own."""
        current = self._lease is not None and self._lease.connector is connector
        if current and self._scope is not None:
            self._end(error)

    def wake_waiters(self) -> None:
        """Let `wait_for_lease` look again at what may become of the account."""
        self._changed.set()
        self._changed = trio.Event()

    def _use(self, lease: ConnectionLease | None) -> None:
        self._lease = lease
        self.wake_waiters()

    # -- Link: what the connector calls ---------------------------------------------------------------------

    async def deliver(self, batch: Batch) -> None:
        """See `Link.deliver`."""
        self.observed()
        unit = self._state.unit(self._generation)
        unit.provider_events, unit.session = batch.events, batch.state
        assert self._session is not None, "a connector delivers while it runs"
        await self._session.deliver(unit, batch.size)

    def observed(self) -> None:
        """See `Link.observed`."""
        self.last_seen_at = self._services.now_ms()
        self._heard_at = trio.current_time()

    # -- Probed: what the prober calls ----------------------------------------------------------------------

    def heard_at(self) -> float:
        return self._heard_at

    def held_up_since(self, at: float) -> bool:
        return self._session is not None and self._session.held_up_until() >= at

    async def probe(self) -> None:
        lease = self._lease
        if lease is None or self._state.row.receive not in self._state.spec.probed:
            return  # no link is open that could be dead without showing it
        try:
            async with lease.use() as connector:
                if isinstance(connector, AnswersProbes):
                    await connector.probe()
        except (LoggedOut, Conflict) as error:
            self.report_lost(lease.connector, error)
        except (RateLimited, Rejected):
            pass  # the platform answered: the link lives
        self.observed()

    @property
    def just_disconnected(self) -> bool:
        """Whether the platform may still count the last connection, so that a conflict is with ourselves."""
        return trio.current_time() - self._disconnected_at < OWN_CONFLICT_SECONDS
