"""Account auth: where the login of an account stands, and the steps that a human takes.

An account with a token needs no human: its steps are to present the credentials again (`auth/start`) and to drop
the login (`auth/cancel`). The steps of QR, code and session logins are refused for it by the code that the
contract has for a wrong `auth_mode`. The older paths of the public record are served beside the contract's.
"""

from typing import Any

from actors.accounts import NoSuchAccount
from unifyport.model.account import ACTIVE, Account, AuthStatus

from . import schemas
from .accounts import bound, find
from .errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ApiError, ErrorSpec
from .routing import Call, Handler, Method, Route

_TAG = "Account Auth"
_UNSUPPORTED = ErrorSpec(400, "unsupported_provider_auth_mode")
_AUTHORIZED = ErrorSpec(409, "account_already_authorized")
_NO_ADAPTER = ErrorSpec(502, "provider_adapter_not_found")


async def get_auth_state(call: Call) -> schemas.AccountSession:
    account = await find(call.gateway, call.path["account_id"])
    actor = call.gateway.accounts.actor(account.id)
    if actor is not None:
        account = actor.row  # what is on its way to the disk counts already
    return schemas.AccountSession(
        account_id=account.id, status=account.auth_status.value, last_error=account.last_error
    )


async def start_auth(call: Call) -> schemas.AccountSession:
    """A token account presents its credentials again; the answer is the state after that was set going."""
    account = await _bound(call)
    if account.auth_status is AuthStatus.AUTHORIZED:
        raise ApiError(409, _AUTHORIZED.code, "the account is logged in")
    if account.status != ACTIVE:
        raise ApiError(409, NOT_BOUND.code, f"the account's status is {account.status}")
    try:
        await call.gateway.accounts.log_in_again(account.id)
    except NoSuchAccount:
        raise ApiError(409, NOT_BOUND.code, "the account is not bound to a running connector") from None
    return await get_auth_state(call)


async def cancel_auth(call: Call) -> schemas.AccountSession:
    """Drop the login; the account stays down until somebody starts it again."""
    account = await _bound(call)
    try:
        await call.gateway.accounts.log_out(account.id)
    except NoSuchAccount:
        raise ApiError(409, NOT_BOUND.code, "the account is not bound to a running connector") from None
    return await get_auth_state(call)


def _step(*auth_modes: str, required: str | None = None) -> Handler:
    """A step of the logins that these auth modes have. No connection has one of them yet."""

    async def handle(call: Call) -> schemas.AccountSession:
        if required is not None and not (isinstance(call.body.get(required), str) and call.body[required]):
            raise ApiError(400, "invalid_request", f"{required}: is required")
        account = await _bound(call)
        raise ApiError(
            400,
            _UNSUPPORTED.code,
            f"this step belongs to auth_mode {' or '.join(auth_modes)}; the account has {account.auth_mode}",
        )

    return handle


async def _bound(call: Call) -> Account:
    account, _ = await bound(call.gateway, call.path["account_id"])
    return account


def _route(
    operation_id: str,
    path: str,
    handler: Handler,
    summary: str,
    *errors: ErrorSpec,
    method: Method = "POST",
    failure: str = "run_auth_action_failed",
    **more: Any,
) -> Route:
    body: dict[str, Any] = {"body": dict, "body_required": False} if method == "POST" else {}
    common = (INVALID_REQUEST, NOT_BOUND, _NO_ADAPTER) if method == "POST" else ()
    return Route(
        operation_id,
        method,
        f"/v1/accounts/{{account_id}}/auth{path}",
        handler,
        _TAG,
        summary,
        failure,
        schemas.AccountSession,
        errors=(*common, NOT_FOUND, *errors),
        **body,
        **more,
    )


_qr_start, _qr_check = _step("qrcode"), _step("qrcode")
_code = _step("code", required="code")
_password = _step("code", "qrcode", required="password")

ROUTES = [
    _route(
        "getAccountAuthState",
        "",
        get_auth_state,
        "Read the login state of an account",
        method="GET",
        failure="get_auth_state_failed",
        aliases=("/v1/accounts/{account_id}/auth/session",),
    ),
    _route(
        "startAccountAuth",
        "/start",
        start_auth,
        "Log in, or present the credentials again",
        _AUTHORIZED,
        aliases=("/v1/accounts/{account_id}/auth/session/start",),
    ),
    _route(
        "startAccountQrAuth",
        "/qr/start",
        _qr_start,
        "Begin a login by QR code",
        _UNSUPPORTED,
        _AUTHORIZED,
        aliases=("/v1/accounts/{account_id}/auth/session/qr/start",),
    ),
    _route(
        "checkAccountQrAuth",
        "/qr/check",
        _qr_check,
        "Ask how a login by QR code goes",
        _UNSUPPORTED,
        _AUTHORIZED,
        aliases=("/v1/accounts/{account_id}/auth/session/qr/check",),
    ),
    _route(
        "submitAccountAuthCode",
        "/code",
        _code,
        "Give the code that the platform sent",
        _UNSUPPORTED,
        _AUTHORIZED,
        aliases=("/v1/accounts/{account_id}/auth/session/code",),
    ),
    _route(
        "submitAccountAuthPassword",
        "/password",
        _password,
        "Give the password of the second factor",
        _UNSUPPORTED,
        _AUTHORIZED,
        aliases=("/v1/accounts/{account_id}/auth/session/password",),
    ),
    _route(
        "importAccountAuthSession",
        "/session",
        _step("session"),
        "Log in with an exported session",
        _UNSUPPORTED,
        _AUTHORIZED,
        failure="run_session_action_failed",
    ),
    _route(
        "cancelAccountAuth",
        "/cancel",
        cancel_auth,
        "Drop the login and stay down",
    ),
]
