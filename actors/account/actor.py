"""One account: its state, its connection, its outbox and its login, put together.

The connection is the supervised child. The outbox outlives it, and a login runs beside it while it is down.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio

from supervisors import ChildState, Failure, Incarnation
from unifyport.fleet.leases import Lease
from unifyport.model.account import Account
from unifyport.model.inbound import ProviderEvent
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import SessionChange
from unifyport.process.redaction import ShortLivedSecrets
from unifyport.providers.contract.base import ConnectionSpec, Connector
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.contract.login import ExportedSession

from .attempts import Attempts
from .connection import Connection
from .connectors import Connectors
from .failures import LeaseLost, NotDurable, failure_of
from .login import DuplicateAccount, Login, LoginChanged
from .login_changes import changes_to_no_session
from .login_parts import Step
from .memory_session import MemorySession
from .outbox import Outbox
from .platform_calls import PlatformCalls
from .services import LoginPages, Services
from .state import AccountState
from .status import RuntimeView, auth_changed

log = logging.getLogger("unifyport.account")


class AccountActor:
    """`announce` marks the state for the status pump; `spawn` runs the outbox in a nursery that outlives the
    connection, and returns False while there is none.
    """

    def __init__(
        self,
        row: Account,
        lease: Lease,
        spec: ConnectionSpec,
        services: Services,
        *,
        announce: Callable[[AccountState], None],
        spawn: Callable[..., bool],
    ) -> None:
        self.state = AccountState(row, lease, spec, services, announce=announce)
        self.connectors = Connectors(self.state, services)
        attempts = Attempts(self.state, services)
        self.connection = Connection(self.state, self.connectors, services, attempts=attempts, spawn=spawn)
        self.outbox = Outbox(self.state, self.connection, attempts=attempts, services=services, spawn=spawn)
        self.login: Login | None = None  # the latest one
        self.login_turn = trio.Lock()  # held while a login is begun or ended
        self._services = services

    # -- what others read -----------------------------------------------------------------------------------

    @property
    def row(self) -> Account:
        return self.state.row

    @property
    def spec(self) -> ConnectionSpec:
        return self.state.spec

    @property
    def view(self) -> RuntimeView:
        return self.state.view

    @property
    def calls(self) -> PlatformCalls | None:
        """Of an account that its platform calls, what is observed of that; else None."""
        return self.state.calls if self.called_by_platform else None

    @property
    def leaving(self) -> bool:
        return self.state.leaving

    @property
    def credentials(self) -> Mapping[str, Any]:
        return self.state.credentials

    @property
    def identity(self) -> str | None:
        return self.state.identity

    @property
    def known_identity(self) -> str | None:
        return self.state.known_identity

    @property
    def interactive(self) -> bool:
        return self.state.interactive

    @property
    def connector_class(self) -> type[Connector]:
        return self.state.connector_class

    @property
    def may_come_up(self) -> bool:
        return self.state.may_come_up

    @property
    def called_by_platform(self) -> bool:
        return self.state.called_by_platform

    @property
    def shall_run(self) -> bool:
        """Whether the supervisor shall have it running; one with a void login counts, shown as failed."""
        return self.state.may_run or (self.row.may_run and self.row.terminal is not None)

    @property
    def last_seen_at(self) -> int | None:
        """When the platform last gave a sign of life (unix ms)."""
        return self.connection.last_seen_at

    # -- the supervised child -------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """One incarnation of the connection; see `Connection.run`."""
        await self.connection.run(incarnation)

    def classify(self, error: BaseException) -> Failure:
        return failure_of(error, conflict_is_ours=self.connection.just_disconnected)

    def on_state(self, child: ChildState) -> None:
        """The supervisor's listener. Never waits."""
        self.state.observe(child)
        if not self.may_come_up:
            self.outbox.drop_waiting()
        self.connection.wake_waiters()

    async def ingest(
        self, events: list[ProviderEvent], size: int, state: Sequence[SessionChange] = ()
    ) -> bool:
        """Commit verified events that the platform delivered by webhook, `size` in bytes, and `state`.

        True: they are durable and may be acknowledged. False: they are not, or the account takes nothing now,
        and the platform must keep them. They belong to no incarnation, so a failure ends none.
        """
        if not self.state.may_run or self.leaving:
            return False
        self.connection.observed()
        events, settled = await self.connection.settle(events)
        unit = self.state.unit()
        unit.provider_events, unit.session = events, [*state, *settled]
        try:
            await self.state.commit(unit, size)
        except (LeaseLost, LoggedOut, NotDurable):
            return False
        return True

    # -- its login ------------------------------------------------------------------------------------------

    @property
    def secrets(self) -> ShortLivedSecrets:
        return self.state.secrets

    async def end_login(self) -> None:
        """Give up the login that is under way, if there is one, and wait for its end."""
        if self.login is not None:
            await self.login.abandon_and_wait()

    def settle_login(self) -> None:
        """Mark a login as interrupted if its row still waits for a person and no attempt is running."""
        if self.login is None or self.login.ended:
            self.state.interrupt_login()

    async def drop_session(self) -> None:
        """Delete the session and what is known by it. Raises when that is not durable."""
        announcements = auth_changed(
            self.state.with_changes(changes_to_no_session()), self.view, self._services.now_ms()
        )
        await self.commit_login(Step(self.row.login, changes_to_no_session(), announcements, session=[]))

    # -- `login_parts.Host` ---------------------------------------------------------------------------------

    @property
    def runtime_status(self) -> RuntimeStatus:
        return self.view.status

    @property
    def login_pages(self) -> LoginPages:
        return self._services.login_pages

    def start_login(self, exported: ExportedSession | None) -> Login:
        """The next login of this account; its caller runs it."""
        self.login = Login(self, exported)
        return self.login

    async def new_connector(self, session: MemorySession) -> Connector:
        """One for a login, which keeps its state in `session`. Raises a failure class."""
        return await self.connectors.construct_for_login(session)

    async def commit_login(self, step: Step) -> None:
        """Make a step of a login durable and take it over.

        Raises `LoginChanged`, `DuplicateAccount`, `LeaseLost`, `NotDurable`.
        """
        if step.login != self.row.login:
            raise LoginChanged
        unit = self.state.unit()
        unit.account_changes, unit.announcements = step.changes, step.announcements
        if step.session is not None:
            unit.new_session, unit.session = True, step.session
        try:
            await self.state.commit(unit)
        except LoggedOut:
            raise DuplicateAccount from None
        except NotDurable as error:
            if str(error) == "login_changed":
                raise LoginChanged from None
            raise

    def qr_url(self, sequence: int, expires_at: int) -> str:
        return self._services.qr_url(self.row.id, sequence, expires_at)

    def now_ms(self) -> int:
        return self._services.now_ms()
