"""Account auth: where the login of an account stands, and the steps that a human takes.

`unifyport/gateway/logins.py` says which steps belong to which auth mode. The older paths of the public record
are served beside the contract's.

    auth mode    begins with            then
    token        auth/start             (by itself); password where the platform asks for a passcode
    qrcode       auth/qr/start          qr/check to see how it goes; password where there is a second factor
    code         auth/start             code, unless one was shown to be typed on the phone; password
    session      auth/session           (by itself)
"""

from typing import Any

from msgspec import UNSET

from unifyport.gateway import errors as codes
from unifyport.gateway.logins import LoginState, SessionImport
from unifyport.model.times import rfc3339

from .. import schemas
from ..http.errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ErrorSpec, error
from ..http.routing import Call, Handler, Method, Route

_TAG = "Account Auth"
_UNSUPPORTED = error(codes.UNSUPPORTED_AUTH_MODE)
_AUTHORIZED = error(codes.AUTHORIZED)
_DUPLICATE = error(codes.DUPLICATE)
_AUTH_FAILED, _SESSION_FAILED = "run_auth_action_failed", "run_session_action_failed"


def present_login(state: LoginState) -> schemas.AccountSession:
    return schemas.AccountSession(
        account_id=state.account_id,
        status=state.status.value,
        auth_fields=[schemas.AuthField(f.type, f.required, f.label) for f in state.fields] or None,
        auth_payload=state.payload or None,
        expires_at=None if state.expires_at is None else rfc3339(state.expires_at),
        last_error=state.last_error,
    )


async def get_auth_state(call: Call) -> schemas.AccountSession:
    return present_login(await call.gateway.logins.read_state(call.path["account_id"]))


async def start_auth(call: Call) -> schemas.AccountSession:
    return present_login(await call.gateway.logins.start(call.path["account_id"]))


async def start_qr(call: Call) -> schemas.AccountSession:
    return present_login(await call.gateway.logins.start_by_qr(call.path["account_id"]))


async def check_qr(call: Call) -> schemas.AccountSession:
    return present_login(await call.gateway.logins.check_qr(call.path["account_id"]))


async def give_code(call: Call) -> schemas.AccountSession:
    return present_login(await call.gateway.logins.give_code(call.path["account_id"], call.body.code))


async def give_password(call: Call) -> schemas.AccountSession:
    logins, body = call.gateway.logins, call.body
    state = await logins.give_password(
        call.path["account_id"], body.password, confirm_last_guesses=body.confirm_last_guesses
    )
    return present_login(state)


async def import_session(call: Call) -> schemas.AccountSession:
    body = call.body
    proxies = {} if body.proxy_config is UNSET else {"proxy_config": body.proxy_config}
    given = SessionImport(url=body.session_url, session=body.session, pin=body.pin, proxies=proxies)
    return present_login(await call.gateway.logins.import_session(call.path["account_id"], given))


async def export_session(call: Call) -> schemas.ExportedSession:
    session = await call.gateway.session_export.export(call.path["account_id"], owner=call.owner)
    return schemas.ExportedSession(session)


async def cancel_auth(call: Call) -> schemas.AccountSession:
    return present_login(await call.gateway.logins.cancel(call.path["account_id"]))


def _route(
    operation_id: str,
    path: str,
    handler: Handler,
    summary: str,
    *errors: ErrorSpec,
    method: Method = "POST",
    failure: str = _AUTH_FAILED,
    body: type = dict,
    **more: Any,
) -> Route:
    if method == "POST":
        more |= {"body": body, "body_required": False}
    common = (INVALID_REQUEST, NOT_BOUND, error(codes.NO_ADAPTER)) if method == "POST" else ()
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
        **more,
    )


ROUTES = [
    _route(
        "getAccountAuthState",
        "",
        get_auth_state,
        "Read the login state of an account",
        method="GET",
        failure="get_auth_state_failed",
    ),
    _route(
        "getAccountSession",
        "/session",
        get_auth_state,
        "Read the login state of an account, by its older path",
        method="GET",
        failure="get_session_failed",
        extension=True,
    ),
    _route(
        "startAccountAuth",
        "/start",
        start_auth,
        "Begin a login, or present the credentials again",
        _UNSUPPORTED,
        _AUTHORIZED,
        _DUPLICATE,
        aliases=("/v1/accounts/{account_id}/auth/session/start",),
    ),
    _route(
        "startAccountQrAuth",
        "/qr/start",
        start_qr,
        "Begin a login by QR code",
        _UNSUPPORTED,
        _AUTHORIZED,
        _DUPLICATE,
        aliases=("/v1/accounts/{account_id}/auth/session/qr/start",),
    ),
    _route(
        "checkAccountQrAuth",
        "/qr/check",
        check_qr,
        "Ask how a login by QR code goes",
        _UNSUPPORTED,
        aliases=("/v1/accounts/{account_id}/auth/session/qr/check",),
    ),
    _route(
        "submitAccountAuthCode",
        "/code",
        give_code,
        "Give the code that the platform sent, or the result of a passkey",
        _UNSUPPORTED,
        _AUTHORIZED,
        _DUPLICATE,
        body=schemas.AuthCodeRequest,
        aliases=("/v1/accounts/{account_id}/auth/session/code",),
    ),
    _route(
        "submitAccountAuthPassword",
        "/password",
        give_password,
        "Give the password of the second factor, or a passcode",
        _UNSUPPORTED,
        _AUTHORIZED,
        _DUPLICATE,
        body=schemas.AuthPasswordRequest,
        aliases=("/v1/accounts/{account_id}/auth/session/password",),
    ),
    _route(
        "importAccountAuthSession",
        "/session",
        import_session,
        "Log in with an exported session",
        _UNSUPPORTED,
        _AUTHORIZED,
        _DUPLICATE,
        error(codes.DECLARED_IN_FILE),
        body=schemas.AuthSessionImportRequest,
        failure=_SESSION_FAILED,
    ),
    Route(
        "exportAccountAuthSession",
        "POST",
        "/v1/accounts/{account_id}/auth/session/export",
        export_session,
        _TAG,
        "The session of a stopped account, for another program; only through the owner's socket",
        _SESSION_FAILED,
        schemas.ExportedSession,
        errors=(
            INVALID_REQUEST,
            NOT_BOUND,
            NOT_FOUND,
            error(codes.NO_ADAPTER),
            error(codes.OWNER_ONLY),
            error(codes.UNSUPPORTED),
        ),
        extension=True,
    ),
    _route(
        "cancelAccountAuth",
        "/cancel",
        cancel_auth,
        "Give up a login, or drop the one that there is",
    ),
]
