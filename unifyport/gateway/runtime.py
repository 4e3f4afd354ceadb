"""Use cases of an account's runtime: the operator's verbs, and what the supervisor knows."""

import enum
from collections.abc import Callable

import attrs
import trio

from actors.account.actor import AccountActor
from actors.account.explanation import Explanation, explain_account, wall_time
from actors.account.lanes import SendFigures
from actors.account.platform_calls import PlatformCalls
from actors.accounts import Accounts
from supervisors import ChildState, Node, Phase
from unifyport.model.account import ACTIVE, Account, AuthStatus
from unifyport.model.auth import WAITING
from unifyport.model.runtime_status import RuntimeStatus

from .errors import NO_ADAPTER, NOT_BOUND, UseCaseError, binding
from .lookup import AccountLookup


class Verb(enum.StrEnum):
    """What an operator may do with a connection."""

    START = "start"
    STOP = "stop"
    RECONNECT = "reconnect"
    RESET = "reset"
    REFRESH = "refresh_status"


_CONNECTS = frozenset({Verb.START, Verb.RECONNECT})


@attrs.frozen
class VerbResult:
    """What is observed after a verb.

    `state`: `succeeded`, `pending` or `failed`. `error`: why the account is not running.
    """

    account: Account
    verb: Verb
    state: str
    runtime_status: RuntimeStatus
    error: str


@attrs.frozen
class SupervisedAccount:
    """A supervised account. `last_seen_at` is in unix ms, the times of `state` are trio's clock."""

    account: Account
    state: ChildState
    status: RuntimeStatus
    reason: str  # why it is not running
    last_seen_at: int | None
    interactive: bool  # a human must log it in
    sends: SendFigures
    calls: PlatformCalls | None  # of an account that its platform calls


@attrs.frozen
class SupervisionTree:
    """The supervision tree, and the wall clock time of its times. `read_tree` reads it as it is now."""

    read_tree: Callable[[], list[Node]]
    now_ms: Callable[[], int]

    def wall_time(self, at: float | None) -> str:
        """A time of trio's clock, as RFC 3339; empty for none, and for one that no calendar has."""
        return wall_time(at, self.now_ms())


@attrs.frozen
class RuntimeUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`."""

    _accounts: Accounts
    _lookup: AccountLookup
    _now_ms: Callable[[], int]

    async def act(self, account_id: str, verb: Verb) -> VerbResult:
        """Do what a verb says and wait some seconds for it. Cancelled: the verb is done all the same."""
        await self._lookup.find_bound(account_id)
        account = await self._lookup.find_stored(account_id)
        with binding():
            if verb in _CONNECTS:
                self._check_login(account)
            if verb is Verb.RECONNECT and (waiting := self._waits(account)):
                return self._result(account, verb, "failed", waiting)
            done = await self._do(account_id, verb)
        return self._result(account, verb, "succeeded" if done else "pending")

    async def _do(self, account_id: str, verb: Verb) -> bool:
        match verb:
            case Verb.START:
                return await self._accounts.start(account_id)
            case Verb.STOP:
                return await self._accounts.stop(account_id)
            case Verb.RECONNECT:
                return await self._accounts.reconnect(account_id)
            case Verb.RESET:
                return await self._accounts.reset(account_id)
            case Verb.REFRESH:
                await trio.lowlevel.checkpoint()
                return True

    def _check_login(self, account: Account) -> None:
        """Raises `UseCaseError` for an account that must not connect before the operator mends it."""
        actor = self._accounts.actor(account.id)
        terminal = actor.row.terminal if actor is not None else account.terminal
        if terminal is not None:
            raise UseCaseError(NOT_BOUND, f"the login is void ({terminal}); the account needs a new login")
        if account.status != ACTIVE:
            raise UseCaseError(NOT_BOUND, f"the account's status is {account.status}")
        status = AuthStatus.AUTHORIZED if actor is None else actor.row.auth_status
        needs_human = actor is not None and (actor.interactive or status in WAITING)
        if needs_human and status is not AuthStatus.AUTHORIZED:
            raise UseCaseError(NOT_BOUND, f"it has not been logged in yet ({status})")

    def _waits(self, account: Account) -> str:
        """Until when the platform told the account to wait; empty if it did not, or that is past."""
        state = self._accounts.state(account.id)
        if state.phase is not Phase.DEFERRED or state.next_retry_at is None:
            return ""
        until = wall_time(max(state.next_retry_at, trio.current_time()), self._now_ms())
        return f"rate_limited: the platform asked to wait until {until}; start or reset tries at once"

    def _result(self, account: Account, verb: Verb, state: str, error: str = "") -> VerbResult:
        actor = self._accounts.actor(account.id)
        status = RuntimeStatus.UNKNOWN if actor is None else actor.view.status
        return VerbResult(account, verb, state, status, error or reason_of(account, actor))

    async def read_runtime(self, account_id: str) -> SupervisedAccount:
        """What the supervisor knows of an account."""
        account = await self._lookup.find_stored(account_id)
        actor = self._accounts.actor(account.id)
        if actor is None:
            raise UseCaseError(NO_ADAPTER, f"there is no connector for {account.provider}")
        return SupervisedAccount(
            actor.row,
            self._accounts.state(account.id),
            actor.view.status,
            reason_of(actor.row, actor),
            actor.last_seen_at,
            actor.interactive,
            actor.outbox.read_figures(),
            actor.calls,
        )

    async def explain(self, account_id: str) -> tuple[SupervisedAccount, Explanation]:
        """Why an account is not running, what happens by itself, and what the operator must do."""
        view = await self.read_runtime(account_id)
        return view, explain_account(
            view.account,
            view.state,
            view.reason,
            now_ms=self._now_ms(),
            interactive=view.interactive,
            calls=view.calls,
        )


def reason_of(account: Account, actor: AccountActor | None) -> str:
    """Why an account is not running; empty if it is."""
    if account.status != ACTIVE:
        return f"account_{account.status}"
    return actor.view.reason if actor is not None else "no_connector"
