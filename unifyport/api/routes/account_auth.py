"""Account auth: where the login of an account stands, and the steps that a human takes.

An account with a token needs no human: its steps are to present the credentials again (`auth/start`) and to
drop the login (`auth/cancel`). For the others the steps drive a `Login` (`actors/account/login.py`), and each
is answered when the login has come to what follows it, or after some seconds with where it stands. The older
paths of the public record are served beside the contract's.

    auth_mode    begins with            then
    token        auth/start             (by itself)
    qrcode       auth/qr/start          qr/check to see how it goes; password where there is a second factor
    code         auth/start             code, unless one was shown to be typed on the phone; password
    session      auth/session           (by itself)
"""

from typing import Any

import msgspec
import trio
from msgspec import UNSET

from actors.account.dialog import NotAsked, Wanted
from actors.account.login import Login
from actors.accounts import AlreadyAuthorized, NoSuchAccount
from unifyport.model import auth
from unifyport.model.account import ACTIVE, Account, AuthStatus
from unifyport.model.texts import is_one_line
from unifyport.model.times import rfc3339
from unifyport.net.clients import ConnectionLost, NotConnected, TooLarge
from unifyport.net.fetch import FetchRefused, fetch
from unifyport.net.guard import NameNotResolved, UrlNotAllowed
from unifyport.process.redaction import register_fleeting
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected
from unifyport.providers.contract.login import Authorizes, ExportedSession, ImportsSession
from unifyport.storage.contract import StoreUnavailable

from .. import schemas
from ..http.errors import (
    DECLARED_IN_FILE,
    INVALID_REQUEST,
    NOT_BOUND,
    NOT_FOUND,
    RATE_LIMITED,
    ApiError,
    ErrorSpec,
)
from ..http.routing import Call, Handler, Method, Route
from .accounts import bound_account, change_proxy, find_account

_TAG = "Account Auth"
_UNSUPPORTED = ErrorSpec(400, "unsupported_provider_auth_mode")
_AUTHORIZED = ErrorSpec(409, "account_already_authorized")
_DUPLICATE = ErrorSpec(409, "duplicate_provider_account")
_NO_ADAPTER = ErrorSpec(502, "provider_adapter_not_found")

STEP_SECONDS = 25.0  # the official SDK gives up after 30 s
SESSION_SECONDS = 10.0
MAX_SESSION = 1024 * 1024
MAX_ANSWER = 256  # characters of a code, a PIN or a password
_QR, _SESSION = "qrcode", "session"  # auth modes
_AUTH_FAILED, _SESSION_FAILED = "run_auth_action_failed", "run_session_action_failed"


async def get_auth_state(call: Call) -> schemas.AccountSession:
    account = await find_account(call.gateway, call.path["account_id"])
    actor = call.gateway.accounts.actor(account.id)
    if actor is not None:
        account = actor.row  # what is on its way to the disk counts already
    imports = actor is not None and issubclass(actor.connector_class, ImportsSession)
    return present_login(account, call.gateway.now_ms(), imports=imports)


def present_login(account: Account, now_ms: int, *, imports: bool) -> schemas.AccountSession:
    """What has expired is not shown any more: nobody can use it."""
    payload, expires_at = account.auth_payload, account.auth_expires_at
    fields = auth.fields_of(account.auth_status, payload, imports=imports)
    if expires_at is not None and expires_at <= now_ms:
        payload = {}
    return schemas.AccountSession(
        account_id=account.id,
        status=account.auth_status.value,
        auth_fields=[schemas.AuthField(f.type, f.required, f.label) for f in fields] or None,
        auth_payload=payload or None,
        expires_at=rfc3339(expires_at) if payload and expires_at is not None else None,
        last_error=account.last_error,
    )


# -- the steps -----------------------------------------------------------------------------------------------


async def start_auth(call: Call) -> schemas.AccountSession:
    """A token account presents its credentials again; any other begins its login."""
    _, connection = await bound_account(call.gateway, call.path["account_id"])
    connector = call.gateway.registry.connector(connection)
    interactive = call.gateway.registry.is_interactive(connection)
    fits = not interactive or issubclass(connector, Authorizes)
    _check_mode(connection, fits, "auth/session begins this login")
    account, _ = await _startable(call)
    if interactive:
        return await _begin(call, account)
    await call.gateway.accounts.log_in_again(account.id)
    return await get_auth_state(call)


async def start_qr(call: Call) -> schemas.AccountSession:
    """Begin a login by QR code, or begin it again."""
    account, connection = await bound_account(call.gateway, call.path["account_id"])
    _check_mode(connection, connection.auth_mode == _QR, f"this step belongs to auth_mode {_QR}")
    account, _ = await _startable(call)
    return await _begin(call, account)


async def check_qr(call: Call) -> schemas.AccountSession:
    """How it goes, what is shown now included."""
    account, connection = await bound_account(call.gateway, call.path["account_id"])
    _check_mode(connection, connection.auth_mode == _QR, f"this step belongs to auth_mode {_QR}")
    if account.auth_status is AuthStatus.PENDING_AUTH:
        raise ApiError(400, INVALID_REQUEST.code, "no login is under way; auth/qr/start begins one")
    return await get_auth_state(call)


def _give(wanted: Wanted) -> Handler:
    async def handle(call: Call) -> schemas.AccountSession:
        value = _text(wanted.value, getattr(call.body, wanted.value))
        account, connection = await bound_account(call.gateway, call.path["account_id"])
        fits = issubclass(call.gateway.registry.connector(connection), Authorizes)
        _check_mode(connection, fits, f"this login asks for no {wanted.value}")
        if account.auth_status is AuthStatus.AUTHORIZED:
            raise _authorized()
        actor = call.gateway.accounts.actor(account.id)
        login = actor.login if actor is not None else None
        try:
            if login is None:
                raise NotAsked
            steps = login.steps
            login.give(wanted, value)
            register_fleeting(value)
        except NotAsked:
            raise ApiError(
                400,
                INVALID_REQUEST.code,
                f"{wanted.value}: is not asked for; the login is {account.auth_status}",
            ) from None
        return await _moved(call, login, steps, _AUTH_FAILED)

    return handle


async def import_session(call: Call) -> schemas.AccountSession:
    """Log in with a session that was exported elsewhere: fetched from `session_url`,
    or given as `session`.
    """
    body = call.body
    account, connection = await bound_account(call.gateway, call.path["account_id"])
    fits = issubclass(call.gateway.registry.connector(connection), ImportsSession)
    _check_mode(connection, fits, f"this step belongs to auth_mode {_SESSION}")
    account, _ = await _startable(call)
    pin = None if body.pin is None else _text("pin", body.pin)
    register_fleeting(pin)
    if (body.session_url is None) == (body.session is None):
        raise ApiError(400, INVALID_REQUEST.code, "session_url: is required (or session, and not both)")
    data = _exported(body.session) if body.session_url is None else await _fetched(call)
    if body.proxy_config is not UNSET:
        await change_proxy(call.gateway, account.id, body.proxy_config)
    return await _begin(call, account, ExportedSession(data, pin), failure=_SESSION_FAILED)


async def cancel_auth(call: Call) -> schemas.AccountSession:
    """Give up a login that is under way, or drop the one that there is."""
    account, _ = await bound_account(call.gateway, call.path["account_id"])
    try:
        await call.gateway.accounts.log_out(account.id)
    except NoSuchAccount:
        raise _unbound() from None
    return await get_auth_state(call)


# -- their parts ---------------------------------------------------------------------------------------------


def _check_mode(connection: ConnectionSpec, fits: bool, why: str) -> None:
    if not fits:
        raise ApiError(400, _UNSUPPORTED.code, f"{why}; the account has auth_mode {connection.auth_mode}")


async def _startable(call: Call) -> tuple[Account, ConnectionSpec]:
    """The account of a login that may begin. Raises `ApiError`."""
    account, connection = await bound_account(call.gateway, call.path["account_id"])
    if account.auth_status is AuthStatus.AUTHORIZED:
        raise _authorized()
    if account.status != ACTIVE:
        raise ApiError(409, NOT_BOUND.code, f"the account's status is {account.status}")
    if call.gateway.accounts.actor(account.id) is None:
        raise _unbound()
    return account, connection


def _authorized() -> ApiError:
    return ApiError(409, _AUTHORIZED.code, "the account is logged in; auth/cancel drops that login")


def _unbound() -> ApiError:
    return ApiError(409, NOT_BOUND.code, "the account is not bound to a running connector")


async def _begin(
    call: Call, account: Account, exported: ExportedSession | None = None, failure: str = _AUTH_FAILED
) -> schemas.AccountSession:
    try:
        login = await call.gateway.accounts.begin_login(account.id, exported)
    except NoSuchAccount:
        raise _unbound() from None
    except AlreadyAuthorized:
        raise _authorized() from None
    return await _moved(call, login, 0, failure)


async def _moved(call: Call, login: Login, steps: int, failure: str) -> schemas.AccountSession:
    """Where the login stands once it has come further. What a platform said no to is a state; what kept us
    from asking it is an error of this step, and the state as well.
    """
    with trio.move_on_after(STEP_SECONDS):
        await login.moved(steps)
        actor = call.gateway.accounts.actor(call.path["account_id"])
        while login.ended and login.error is None and actor is not None:
            async with actor.login_turn:  # whoever gave it up has done what he wanted
                newest = actor.login
            if newest is None or newest is login:
                break
            login = newest  # begun anew: what that one shows is where the account stands
            await login.moved(0)
    if login.steps <= steps and not login.ended and call.gateway.writer.unavailable is not None:
        raise StoreUnavailable(call.gateway.writer.unavailable)
    error = login.error
    if isinstance(error, RateLimited):
        raise ApiError(429, RATE_LIMITED.code, "the platform told us to wait", retry_after=error.retry_after)
    if isinstance(error, ChannelError) and error.reason == _DUPLICATE.code:
        raise ApiError(409, _DUPLICATE.code, "another account has this provider identity")
    if error is not None and not isinstance(error, Rejected | LoggedOut):
        reason = error.reason if isinstance(error, ChannelError) else "internal_error"
        raise ApiError(500, failure, f"the login failed: {reason}", reason=reason)
    return await get_auth_state(call)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ANSWER or not is_one_line(value):
        raise ApiError(
            400, INVALID_REQUEST.code, f"{name}: is required, 1 to {MAX_ANSWER} printable characters"
        )
    return value


def _exported(session: Any) -> bytes:
    """Our own form: text, or an object as its platform's tools write it."""
    if not isinstance(session, str | dict):
        raise ApiError(400, INVALID_REQUEST.code, "session: must be a string or an object")
    text = session if isinstance(session, str) else msgspec.json.encode(session).decode()
    register_fleeting(text)
    return text.encode()


async def _fetched(call: Call) -> bytes:
    """What is behind `session_url`, which is a secret as a whole. Raises `ApiError`, which never holds it."""
    url, data = str(call.body.session_url), bytearray()
    if not url.startswith("https://"):
        raise ApiError(400, INVALID_REQUEST.code, "session_url: must be an https URL")
    register_fleeting(url)

    async def sink(chunk: bytes) -> None:
        data.extend(chunk)

    gateway = call.gateway
    try:
        await fetch(
            gateway.media_guard,
            gateway.ssl_context,
            url,
            sink,
            limit=MAX_SESSION,
            timeout=SESSION_SECONDS,
            redirects=0,
        )
    except (UrlNotAllowed, NameNotResolved) as error:
        raise ApiError(400, INVALID_REQUEST.code, f"session_url: {error}") from None
    except TooLarge:
        raise ApiError(
            400, INVALID_REQUEST.code, f"session_url: a session may have at most {MAX_SESSION} bytes"
        ) from None
    except (FetchRefused, NotConnected, ConnectionLost) as error:
        raise ApiError(400, INVALID_REQUEST.code, f"session_url: could not be fetched ({error})") from None
    return bytes(data)


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
        _give(Wanted.CODE),
        "Give the code that the platform sent",
        _UNSUPPORTED,
        _AUTHORIZED,
        _DUPLICATE,
        body=schemas.AuthCodeRequest,
        aliases=("/v1/accounts/{account_id}/auth/session/code",),
    ),
    _route(
        "submitAccountAuthPassword",
        "/password",
        _give(Wanted.PASSWORD),
        "Give the password of the second factor",
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
        DECLARED_IN_FILE,
        body=schemas.AuthSessionImportRequest,
        failure=_SESSION_FAILED,
    ),
    _route(
        "cancelAccountAuth",
        "/cancel",
        cancel_auth,
        "Give up a login, or drop the one that there is",
    ),
]
