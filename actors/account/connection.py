"""The connection of one account: the supervised child that logs in and receives.

Each incarnation makes a connector, logs in, and receives until it is told to stop or the link is lost. Sends
in flight use the connector, too: a `ConnectionLease` closes it once it was retired and its last user has
left.
"""

import math
from types import TracebackType

import attrs
import trio

from supervisors import Incarnation, RetryLater
from unifyport.model.account import AuthStatus, Identity
from unifyport.model.unit import Unit
from unifyport.providers.contract.base import AnswersProbes, Batch, Connector
from unifyport.providers.contract.errors import (
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)
from unifyport.storage.contract import StoreUnavailable

from .connectors import Connectors
from .failures import ROAD_RETRY_SECONDS
from .services import Services
from .state import AccountState
from .status import auth_succeeded

OWN_CONFLICT_SECONDS = 90.0  # a conflict so soon after the own connection ended is with that connection


class ConnectionLease:
    """A connector with several users: the receiver, sends in flight, look-ups. The last one closes it once
    retired.
    """

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._users -= 1
        if self._users == 0:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until no user is left."""
        await self._idle.wait()

    async def retire(self) -> None:
        """Take no new users; close now if there are none."""
        self._retired = True
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        """Close the connector if it was retired and has no user. Each user calls this when it has left."""
        if self._retired and self._users == 0:
            await self.connector.aclose()


class Connection:
    """Implements `supervisors.Probed` for the prober and `providers.contract.base.Link` for the connector."""

    def __init__(self, state: AccountState, connectors: Connectors, services: Services) -> None:
        self.last_seen_at: int | None = None  # unix ms
        self._state = state
        self._connectors = connectors
        self._services = services
        self._generation = 0
        self._lease: ConnectionLease | None = None
        self._changed = trio.Event()  # set and replaced when the lease, or what may become of it, changes
        self._scope: trio.CancelScope | None = None
        self._failure: ChannelError | None = None
        self._disconnected_at = trio.current_time()
        self._heard_at = self._held_up_until = -math.inf  # trio's clock

    # -- one incarnation ------------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """Connect and receive until asked to stop. Raises failure classes; see `failures.failure_of`.

        When asked to stop, sends in flight finish first; the supervisor's grace bounds that by cancelling
        this.
        """
        self._generation = next(self._services.generations)
        self._failure = None
        self._services.tallies.incarnations[self._state.row.channel] += 1
        try:
            lease = ConnectionLease(await self._connectors.construct_from_store())
        except StoreUnavailable:
            raise RetryLater(ROAD_RETRY_SECONDS, "storage_unavailable") from None
        try:
            await self._log_in(lease.connector)
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                self._use(lease)
                incarnation.started()
                nursery.start_soon(self._receive, lease.connector)
                await incarnation.stopping()
                self._use(None)
                await lease.wait_idle()
                nursery.cancel_scope.cancel()
            if self._failure is not None:
                raise self._failure
        finally:
            self._use(None)
            self._scope = None
            if not isinstance(self._failure, Conflict):
                self._disconnected_at = trio.current_time()
            await lease.retire()

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

    async def _receive(self, connector: Connector) -> None:
        try:
            await connector.receive(self)
        except Conflict as conflict:
            self._failure = conflict
            raise
        raise Transient("receive_ended")

    # -- users of the connector -----------------------------------------------------------------------------

    async def wait_for_lease(self, deadline_ms: int) -> ConnectionLease | None:
        """The live connection, waited for until `deadline_ms` (unix) while the account may come up; else
        None.
        """
        with trio.move_on_after(max(0.0, (deadline_ms - self._services.now_ms()) / 1000)):
            while (lease := self._lease) is None and self._state.may_come_up:
                await self._changed.wait()
            return lease
        return None

    def report_lost(self, connector: Connector, error: ChannelError) -> None:
        """A command found the login void or taken: end the incarnation if `connector` is still its own."""
        current = self._lease is not None and self._lease.connector is connector
        if current and self._scope is not None:
            self._failure = error
            self._scope.cancel()

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
        self._held_up_until = math.inf
        try:
            await self._state.commit(unit, batch.size)
        finally:
            self._held_up_until = trio.current_time()

    def observed(self) -> None:
        """See `Link.observed`."""
        self.last_seen_at = self._services.now_ms()
        self._heard_at = trio.current_time()

    # -- Probed: what the prober calls ----------------------------------------------------------------------

    def heard_at(self) -> float:
        return self._heard_at

    def held_up_since(self, at: float) -> bool:
        return self._held_up_until >= at

    async def probe(self) -> None:
        lease = self._lease
        if lease is None or self._state.row.receive not in self._state.spec.probed:
            return  # no link is open that could be dead without showing it
        try:
            with lease as connector:
                if isinstance(connector, AnswersProbes):
                    await connector.probe()
        except (LoggedOut, Conflict) as error:
            self.report_lost(lease.connector, error)
        except (RateLimited, Rejected):
            pass  # the platform answered: the link lives
        finally:
            await lease.close_if_unused()
        self.observed()

    @property
    def just_disconnected(self) -> bool:
        """Whether the platform may still count the last connection, so that a conflict is with ourselves."""
        return trio.current_time() - self._disconnected_at < OWN_CONFLICT_SECONDS
