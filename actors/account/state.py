"""The state of one account: its row, its runtime status, and the only code that changes them.

The row holds what the store has and what is on its way there. `commit` sends one unit down the road
(normalizer, writer) and waits. `publish` never waits: the change goes into the account's slot, and the status
pump (`pump.py`) carries it until it is durable.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
import trio

from supervisors import ChildState, Kind, Outcome, Phase
from unifyport.fleet.leases import Lease
from unifyport.model.account import Account, AuthStatus
from unifyport.model.auth import WAITING
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import Unit
from unifyport.process.redaction import ShortLivedSecrets
from unifyport.providers.contract.base import WEBHOOK, ConnectionSpec, Connector
from unifyport.providers.contract.errors import LoggedOut
from unifyport.storage.contract import Committed, Duplicate, Fenced, Refused, Result

from ..actor import Job
from ..reply import Failed, Reply
from .failures import LEASE_LOST, LeaseLost, NotDurable
from .login_changes import changes_to_pending_login, changes_to_show_nothing
from .platform_calls import PlatformCalls
from .services import Services
from .status import Change, RuntimeView, StatusSlot, auth_changed, auth_failed, login_failed, status_changed
from .transitions import log_transition

DUPLICATE = "duplicate_provider_account"
INTERRUPTED = "login_interrupted"


class AccountState:
    """`announce` is called after each `publish`; it must not wait."""

    def __init__(
        self,
        row: Account,
        lease: Lease,
        spec: ConnectionSpec,
        services: Services,
        *,
        announce: Callable[["AccountState"], None],
    ) -> None:
        self.lease = lease
        self.spec = spec
        self.view = RuntimeView()
        self.calls = PlatformCalls()
        self.leaving = False  # it is being deleted, and takes no more work
        self.secrets = ShortLivedSecrets()  # of its logins and tokens
        self._row = row
        self._services = services
        self._announce = announce
        self._ended = False  # the supervisor will not start it again by itself
        self._slot = StatusSlot()
        self._published = 0  # changes so far
        self._unflushed: list[Change] = []  # published and not durable yet
        self._flushed = trio.Event()
        self._changed = trio.Event()

    @property
    def row(self) -> Account:
        """The row as it will be once all changes are durable. Only this class replaces it."""
        return self._row

    def with_changes(self, changes: dict[str, Any]) -> Account:
        """The row as `changes` would make it; nothing is changed."""
        return attrs.evolve(self._row, **changes)

    @property
    def credentials(self) -> Mapping[str, Any]:
        """Those of the account, and where it lacks one of the app's, that of `[providers.<channel>]`."""
        return self.credentials_with(self._services.apps)

    def credentials_with(self, apps: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
        """`credentials` as they would be with these credentials of apps, by channel."""
        return self.spec.with_app(self._row.credentials, apps.get(self._row.channel, {}))

    def identity_with(self, apps: Mapping[str, Mapping[str, str]]) -> str | None:
        return self.spec.identify(self.credentials_with(apps))

    @property
    def identity(self) -> str | None:
        """The provider identity that the credentials name, confirmed by the platform or not."""
        return self.spec.identify(self.credentials)

    @property
    def known_identity(self) -> str | None:
        """`identity`; where the credentials name none, what the platform reported at the last login."""
        return self.identity or self._row.provider_account_ref

    @property
    def connector_class(self) -> type[Connector]:
        return self._services.registry.connector(self.spec)

    @property
    def interactive(self) -> bool:
        """Whether a person must log it in."""
        return self._services.registry.is_interactive(self.spec, self.credentials)

    @property
    def may_run(self) -> bool:
        """Whether it shall be connected; an account that a person logs in is not, before that."""
        row = self._row
        if not row.may_run or row.auth_status is AuthStatus.AUTHORIZED:
            return row.may_run
        return row.auth_status not in WAITING and not self.interactive

    @property
    def may_come_up(self) -> bool:
        """Whether a connection exists or may exist soon, so that a command may wait for it."""
        ended = self._row.terminal is not None or self._ended
        return self.may_run and not ended and not self.leaving

    @property
    def called_by_platform(self) -> bool:
        """Whether its platform delivers events by webhook."""
        return self.spec.ingress is not None and self._row.receive == WEBHOOK

    # -- one unit, waited for -------------------------------------------------------------------------------

    def unit(self, generation: int | None = None) -> Unit:
        """An empty unit of this account. `generation`: of the incarnation whose failure makes it stale, if
        any.
        """
        row = self._row
        return Unit(row.no, row.id, row.provider, self.lease.epoch, generation, login=row.login)

    async def commit(self, unit: Unit, size: int = 0) -> None:
        """Make `unit` durable (`size`: bytes of its events), and take over its `account_changes`.

        Raises `LeaseLost`, `NotDurable`, and `LoggedOut` when another account has this provider identity.
        Cancelled: once it is on the road it goes on, and its changes are taken over when it is durable.
        """
        take_over = None
        if unit.account_changes:  # most units have events only
            take_over = partial(self._take_over, unit, self._published)
        reply: Reply[Result | Failed] = Reply(take_over)
        await self._services.normalizers.put(Job(unit, reply, size))
        match await reply.wait():
            case Committed() | Duplicate():
                return
            case Fenced():
                raise LeaseLost
            case Refused(reason=reason) if reason == DUPLICATE:
                raise LoggedOut(reason)
            case Refused(reason=reason) | Failed(reason=reason):
                raise NotDurable(reason)

    def _take_over(self, unit: Unit, before: int, answer: Result | Failed) -> None:
        """Called with the answer, also when the caller of `commit` is gone. Later published changes are
        newer.
        """
        if not isinstance(answer, Committed | Duplicate) or self._row.login != unit.login:
            return
        row = self.with_changes(unit.account_changes)
        for change in self._unflushed:
            if change.number > before:
                row = attrs.evolve(row, **change.changes_for(row.login))
        self._row = row
        self._tell()

    # -- changes that are published -------------------------------------------------------------------------

    def publish(self, change: Change) -> None:
        """Show `change` at once and announce it. Never waits; `flushed_within` tells when it is durable."""
        self._row = attrs.evolve(self._row, **change.account_changes)
        self._published += 1
        change.login, change.number = self._row.login, self._published
        self._unflushed.append(change)
        self._slot.publish(change)
        self._announce(self)
        self._tell()

    def observe(self, child: ChildState) -> None:
        """Take over what the supervisor says of the connection; announce what has changed."""
        self._ended = child.phase is Phase.TERMINAL
        now, changes = self._services.now_ms(), self._platform_wait(child)
        announcements = []
        if child.phase is Phase.TERMINAL and child.terminal not in (None, LEASE_LOST, self._row.terminal):
            changes |= {
                "terminal": child.terminal,
                "last_error": child.terminal,
                "auth_status": AuthStatus.FAILED,
            }
            announcements += auth_failed(self.with_changes(changes), child.terminal or "", now)
        before = self.view.status
        was_up = before is RuntimeStatus.RUNNING
        if self.view.observe(child, now):
            row = self.with_changes(changes)
            log_transition(row, child, self.view, before, now_ms=now, interactive=self.interactive)
            announcements += status_changed(row, self.view, now, was_up=was_up)
        if announcements or changes:
            self.publish(Change(announcements, changes))

    def _platform_wait(self, child: ChildState) -> dict[str, Any]:
        """How long the platform told this account to wait: it must survive a restart of the process."""
        if child.phase is not Phase.DEFERRED or child.next_retry_at is None or not _rate_limited(child.last):
            return {}
        wait = max(0.0, child.next_retry_at - trio.current_time())
        return {"not_before": self._services.now_ms() + int(wait * 1000)}

    def set_desired(self, desired: str) -> None:
        """Record the operator's word, `running` or `stopped`, which survives a restart of the process."""
        if self._row.desired != desired:
            self.publish(Change([], {"desired": desired}))

    def forget_wait(self) -> None:
        """The operator does not wait as long as the platform said."""
        if self._row.not_before is not None:
            self.publish(Change([], {"not_before": None}))

    def clear_terminal(self) -> None:
        """Let the account be started again after a failure that ended it."""
        self.publish(Change([], {"terminal": None}))

    def present_credentials_again(self) -> None:
        """The credentials are to be presented once more, whatever the last login came to."""
        self.publish(Change([], {**changes_to_pending_login(), "desired": "running"}))

    def forget_refusal(self) -> None:
        """Credentials of the app changed: that they were refused is void. A login of a human is not."""
        refused = self._row.terminal is not None or self._row.auth_status is AuthStatus.FAILED
        if refused and not self.interactive:
            self.publish(Change([], changes_to_pending_login()))

    def drop_login(self) -> None:
        """The caller dropped the login of an account whose credentials stay."""
        changes = {**changes_to_pending_login(), "desired": "stopped"}
        row = self.with_changes(changes)
        self.publish(Change(auth_changed(row, self.view, self._services.now_ms()), changes))

    def interrupt_login(self) -> None:
        """Void what a login shows that ended with its process or with its credentials."""
        if self._row.auth_status not in WAITING:
            return
        changes = {"auth_status": AuthStatus.FAILED, **changes_to_show_nothing(), "last_error": INTERRUPTED}
        row = self.with_changes(changes)
        self.publish(Change(login_failed(row, INTERRUPTED, self._services.now_ms()), changes))

    def replace(self, row: Account) -> None:
        """Take over a row that a use case has written; changes that are not durable yet are newer."""
        for change in self._unflushed:
            row = attrs.evolve(row, **change.changes_for(row.login))
        self._row = row
        self._tell()

    async def wait_for_verdict(self, seconds: float) -> None:
        """Wait until the platform has accepted or refused the credentials, or could not be asked."""
        before = self._published
        with trio.move_on_after(seconds):
            while self._row.auth_status is AuthStatus.PENDING_AUTH:
                if self._published > before and self.view.status is not RuntimeStatus.STARTING:
                    break
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # -- the status pump ------------------------------------------------------------------------------------

    def take_pending(self) -> tuple[Unit, list[Change]]:
        """The unit of all changes in the slot, which is empty afterwards."""
        changes = self._slot.take()
        unit = self.unit()
        for change in changes:
            unit.announcements += change.announcements
            unit.account_changes |= change.changes_for(self._row.login)
        return unit, changes

    def put_back(self, changes: list[Change]) -> None:
        """`changes` did not become durable: they go first next time."""
        self._slot.put_back(changes)

    def mark_durable(self, changes: list[Change]) -> None:
        """`changes` were taken and are durable, and so is everything that was published before them."""
        newest = max((change.number for change in changes), default=0)
        self._unflushed = [change for change in self._unflushed if change.number > newest]
        self._flushed.set()
        self._flushed = trio.Event()

    async def flushed_within(self, seconds: float) -> bool:
        """Wait until everything published is durable; False after `seconds`."""
        with trio.move_on_after(seconds):
            while self._unflushed:
                await self._flushed.wait()
            return True
        return False


def _rate_limited(last: Outcome | None) -> bool:
    failure = last.failure if last is not None else None
    return failure is not None and failure.kind is Kind.DEFERRED and failure.reason == "rate_limited"
