"""Account runtime: the operator's verbs, answered with what is observed afterwards."""

from collections.abc import Awaitable, Callable

import trio

from actors.account.actor import AccountActor
from actors.accounts import Accounts, NoSuchAccount
from supervisors import ChildState
from unifyport.gateway.gateway import Gateway
from unifyport.model.account import ACTIVE, Account, AuthStatus
from unifyport.model.times import rfc3339

from .. import schemas
from ..http.errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ApiError, ErrorSpec
from ..http.routing import Call, Handler, Route
from .accounts import bound_account, find_account
from .explain import explain

Verb = Callable[[Accounts, str], Awaitable[bool]]


async def _refresh(accounts: Accounts, account_id: str) -> bool:
    await trio.lowlevel.checkpoint()
    return True


def _handler(action: str, verb: Verb, *, connects: bool) -> Handler:
    async def handle(call: Call) -> schemas.RuntimeActionResult:
        gateway = call.gateway
        await bound_account(gateway, call.path["account_id"])
        account = await find_account(gateway, call.path["account_id"])
        try:
            if connects and (waiting := _refusal(gateway, account)):
                return _result(gateway, account, action, "failed", waiting)
            done = await verb(gateway.accounts, account.id)
        except NoSuchAccount:
            raise ApiError(409, NOT_BOUND.code, "the account is not bound to a running connector") from None
        return _result(gateway, account, action, "succeeded" if done else "pending")

    return handle


def _refusal(gateway: Gateway, account: Account) -> str:
    """Why it must not connect now: raises 409 when only a human can mend it, says so when only time can."""
    actor = gateway.accounts.actor(account.id)
    terminal = actor.row.terminal if actor is not None else account.terminal
    if terminal is not None:
        raise ApiError(409, NOT_BOUND.code, f"the login is void ({terminal}); the account needs a new login")
    if account.status != ACTIVE:
        raise ApiError(409, NOT_BOUND.code, f"the account's status is {account.status}")
    if actor is not None and actor.interactive and actor.row.auth_status is not AuthStatus.AUTHORIZED:
        raise ApiError(409, NOT_BOUND.code, f"nobody has logged it in yet ({actor.row.auth_status})")
    if account.not_before is not None and account.not_before > gateway.now_ms():
        return f"rate_limited: the platform asked to wait until {rfc3339(account.not_before)}"
    return ""


def _result(
    gateway: Gateway, account: Account, action: str, operation_status: str, error: str = ""
) -> schemas.RuntimeActionResult:
    actor = gateway.accounts.actor(account.id)
    return schemas.RuntimeActionResult(
        account_id=account.id,
        provider=account.provider,  # type: ignore[arg-type]
        action=action,  # type: ignore[arg-type]
        operation_status=operation_status,
        runtime_status=actor.view.status.value if actor is not None else "unknown",
        runtime_error=error or _reason(gateway, account),
    )


def _reason(gateway: Gateway, account: Account) -> str:
    """Why it is not running, as far as there is something to say."""
    actor = gateway.accounts.actor(account.id)
    if account.status != ACTIVE:
        return f"account_{account.status}"
    return actor.view.reason if actor is not None else "no_connector"


async def get_runtime(call: Call) -> schemas.Runtime:
    gateway = call.gateway
    account, actor, state = await _supervised(call)
    failures = [
        schemas.RuntimeFailure(gateway.wall_time(f.at), f.failure.kind.name.lower(), f.failure.reason)
        for f in state.recent
    ]
    return schemas.Runtime(
        account_id=account.id,
        runtime_status=actor.view.status.value,
        phase=state.phase.value,
        reason=_reason(gateway, account),
        since=gateway.wall_time(state.since),
        desired=state.desired.value,
        incarnations=state.incarnations,
        restarts_in_window=state.restarts_in_window,
        budget_left=state.budget_left,
        recent_failures=failures,
        next_retry_at=None if state.next_retry_at is None else gateway.wall_time(state.next_retry_at),
        last_seen_at=None if actor.last_seen_at is None else rfc3339(actor.last_seen_at),
        terminal=state.terminal,
    )


async def get_explanation(call: Call) -> schemas.Explanation:
    account, actor, state = await _supervised(call)
    at = "" if state.next_retry_at is None else call.gateway.wall_time(state.next_retry_at)
    why, following, action = explain(account, state, actor.view.reason, at, interactive=actor.interactive)
    return schemas.Explanation(account.id, actor.view.status.value, why, following, action)


async def _supervised(call: Call) -> tuple[Account, AccountActor, ChildState]:
    account = await find_account(call.gateway, call.path["account_id"])
    actor = call.gateway.accounts.actor(account.id)
    if actor is None:
        raise ApiError(502, "provider_adapter_not_found", f"there is no connector for {account.provider}")
    return actor.row, actor, call.gateway.accounts.state(account.id)


def _reading(operation_id: str, path: str, handler: Handler, summary: str, data: type) -> Route:
    return Route(
        operation_id,
        "GET",
        f"/v1/accounts/{{account_id}}{path}",
        handler,
        "Account Runtime",
        summary,
        "run_runtime_action_failed",
        data,
        errors=(NOT_FOUND, ErrorSpec(502, "provider_adapter_not_found")),
        extension=True,
    )


def _route(name: str, verb: str, handler: Handler, summary: str, *, extension: bool = False) -> Route:
    return Route(
        f"{name}AccountRuntime",
        "POST",
        f"/v1/accounts/{{account_id}}/runtime/{verb}",
        handler,
        "Account Runtime",
        summary,
        "run_runtime_action_failed",
        schemas.RuntimeActionResult,
        dict,
        body_required=False,
        errors=(INVALID_REQUEST, NOT_BOUND, ErrorSpec(502, "provider_adapter_not_found"), NOT_FOUND),
        extension=extension,
    )


async def no_such_action(call: Call) -> None:
    group, action = call.path["group"], call.path["action"]
    raise ApiError(400, "unsupported_action", f"an account has no action {group}/{action}"[:200])


# Any other action of an account is refused by a code of its own, and is no route of the document.
UNKNOWN_ACTION = Route(
    "unsupportedAction",
    "POST",
    "/v1/accounts/{account_id}/{group:auth|runtime}/{action}",
    no_such_action,
    "Account Runtime",
    "An action that is none",
    "run_action_failed",
)

ROUTES = [
    _reading(
        "getAccountRuntime",
        "/runtime",
        get_runtime,
        "What the supervisor knows of an account",
        schemas.Runtime,
    ),
    _reading(
        "explainAccount",
        "/explain",
        get_explanation,
        "Why it is not running, what happens next, what a human must do",
        schemas.Explanation,
    ),
    _route(
        "reset",
        "reset",
        _handler("reset", Accounts.reset, connects=False),
        "Forget its failures and try again",
        extension=True,
    ),
    _route(
        "refresh",
        "refresh",
        _handler("refresh_status", _refresh, connects=False),
        "Read the observed status again",
    ),
    _route(
        "start", "start", _handler("start", Accounts.start, connects=True), "Connect, if it is not connected"
    ),
    _route("stop", "stop", _handler("stop", Accounts.stop, connects=False), "Disconnect and stay so"),
    _route(
        "reconnect",
        "reconnect",
        _handler("reconnect", Accounts.reconnect, connects=True),
        "End the connection and make a new one",
    ),
]
