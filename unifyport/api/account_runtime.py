"""Account runtime: the operator's verbs, answered with what is observed afterwards."""

from collections.abc import Awaitable, Callable

import trio

from actors.accounts import Accounts, NoSuchAccount
from unifyport.model.account import ACTIVE, Account
from unifyport.model.times import rfc3339

from . import schemas
from .accounts import find
from .errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ApiError, ErrorSpec
from .gateway import Gateway
from .routing import Call, Handler, Route

Verb = Callable[[Accounts, str], Awaitable[bool]]


async def _refresh(accounts: Accounts, account_id: str) -> bool:
    await trio.lowlevel.checkpoint()
    return True


def _handler(action: str, verb: Verb, *, connects: bool) -> Handler:
    async def handle(call: Call) -> schemas.RuntimeActionResult:
        gateway = call.gateway
        account = await find(gateway, call.path["account_id"])
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


def _route(name: str, verb: str, handler: Handler, summary: str) -> Route:
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
    )


ROUTES = [
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
