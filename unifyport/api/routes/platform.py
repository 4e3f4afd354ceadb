"""What an account's platform is asked to do or to tell: the same steps for each such operation.

Fields, then whether the connector can do it at all (501), then whether the account is connected (409), then
the platform. The account actor is the only way to a connector.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.accounts import NoSuchAccount
from unifyport.model.account import Account
from unifyport.model.directory import Page
from unifyport.model.message import Answer, CommandState, PlatformCall
from unifyport.model.texts import PATTERN, is_one_line
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import NOT_FOUND_REASONS, Arguments, Capability, Result

from ..http import cursors
from ..http.errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, RATE_LIMITED, ApiError, ErrorSpec
from ..http.paging import limit_of
from ..http.routing import Call, Method, Query, Route
from .accounts import bound_account

DEADLINE_MS = 25_000  # from acceptance; the official SDK gives up after 30 s
MAX_ID = 512
ID = {"minLength": 1, "maxLength": MAX_ID, "pattern": PATTERN}  # what a schema says of one
INVALID_MEDIA = "invalid_media"  # why a message was not sent: its file cannot be had
UNSUPPORTED = ErrorSpec(501, "unsupported_by_provider")
NO_ADAPTER = ErrorSpec(502, "provider_adapter_not_found")
DOING = (INVALID_REQUEST, NOT_FOUND, NOT_BOUND, UNSUPPORTED, NO_ADAPTER)


# -- fields --------------------------------------------------------------------------------------------------


def checked_id(name: str, value: str) -> str:
    """An id of the platform's. Raises `ApiError`."""
    if not 0 < len(value) <= MAX_ID or not is_one_line(value):
        raise ApiError(400, "invalid_request", f"{name}: must be 1 to {MAX_ID} printable characters")
    return value


def checked_ids(name: str, values: Sequence[str], most: int = 1000) -> list[str]:
    """At least one id. Raises `ApiError`."""
    if not 1 <= len(values) <= most:
        raise ApiError(400, "invalid_request", f"{name}: 1 to {most} ids")
    return [checked_id(f"{name}[{place}]", value) for place, value in enumerate(values)]


def required(query: Mapping[str, str], name: str) -> str:
    """An id in the query. Raises `ApiError`."""
    if not query.get(name):
        raise ApiError(400, "invalid_request", f"{name}: is required")
    return checked_id(name, query[name])


# -- calls ---------------------------------------------------------------------------------------------------


async def require_capability(
    call: Call, capability: Capability[..., Any], account_id: str | None = None
) -> tuple[Account, ConnectionSpec]:
    """The account of a call whose connector can do that. Raises `ApiError`: 404, 501, 502."""
    account, connection = await bound_account(
        call.gateway, call.path["account_id"] if account_id is None else account_id
    )
    if not capability.is_declared_by(call.gateway.registry.connector(connection)):
        raise ApiError(501, UNSUPPORTED.code, f"{account.provider} does not support this")
    return account, connection


async def call_platform(
    call: Call,
    account: Account,
    failure: str,
    capability: Capability[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """What the connector returns. Raises `ApiError`: 409 when the account is not connected, the platform's
    refusal as 404 or as `failure`, 429 when it told us to wait.
    """
    gateway = call.gateway
    assert not kwargs, "a command carries its arguments by their places"
    command = PlatformCall(capability.name, args, gateway.now_ms() + DEADLINE_MS)
    try:
        answer = await gateway.accounts.call(account.id, command)
    except NoSuchAccount:
        answer = Answer(CommandState.NOT_SENT, code="account_not_running")
    if answer.state is CommandState.SENT:
        result: Result = answer.value
        return result
    raise failed(answer, failure, "done")


async def call_platform_page(
    call: Call, account: Account, failure: str, capability: Capability[..., Page[Any]], *arguments: Any
) -> tuple[list[Any], bool, str]:
    """`call_platform` for one page of a list: items, whether there are more, and the cursor of what comes
    next. A cursor holds the platform's own word, is signed, and serves for the same question of the same
    account only.
    """
    limit = limit_of(call.query)
    purpose = f"{capability.name} {account.id} {arguments!r}"
    after = None
    if call.query.get("cursor"):
        after = cursors.read_text(call.gateway.ring, purpose, call.query["cursor"])
    page = await call_platform(call, account, failure, capability, *arguments, after, limit)
    if page.next is None:
        return page.items, False, ""
    return page.items, True, cursors.write_text(call.gateway.ring, purpose, page.next)


# -- what it came to -----------------------------------------------------------------------------------------


def failed(answer: Answer, code: str, done: str, command_id: str | None = None) -> ApiError:
    """The error of a command that was not done, or of which nobody knows. `done`: what it would have been."""
    details: dict[str, Any] = {"outcome": answer.state.value, "command_id": command_id}
    match answer.state:
        case CommandState.NOT_SENT:
            return _not_done(answer, code, done, details)
        case CommandState.REJECTED:
            if answer.code in NOT_FOUND_REASONS:
                return ApiError(404, answer.code, answer.message or answer.code.replace("_", " "), **details)
            return ApiError(500, code, f"the platform refused: {answer.message or answer.code}", **details)
    details["outcome"] = CommandState.UNKNOWN.value
    return ApiError(
        500,
        code,
        f"it is not known whether it was {done} ({answer.code}); do not repeat it blindly",
        **details,
    )


def _not_done(answer: Answer, code: str, done: str, details: dict[str, Any]) -> ApiError:
    """Provably nothing happened: the caller may try again, and is told when where the platform said so."""
    if answer.retry_after is not None:
        return ApiError(
            429, RATE_LIMITED.code, f"not {done}: try later", retry_after=answer.retry_after, **details
        )
    if answer.code == INVALID_MEDIA:
        return ApiError(400, INVALID_REQUEST.code, answer.message, **details)
    if answer.code == "disk":
        return ApiError(503, code, f"not {done}: {answer.message}", retry_after=5, **details)
    if answer.code == "internal_error":
        return ApiError(500, code, f"not {done}: internal error", **details)
    if answer.code == "not_recorded":
        return ApiError(503, code, f"not {done}: storage is unavailable", retry_after=1, **details)
    return ApiError(409, "account_binding_not_found", f"not {done}: {answer.code}", **details)


# -- routes --------------------------------------------------------------------------------------------------


def route(
    tag: str,
    operation_id: str,
    method: Method,
    path: str,
    handler: Any,
    summary: str,
    failure: str,
    data: Any,
    body: type | None = None,
    *,
    query: tuple[Query, ...] = (),
    errors: tuple[ErrorSpec, ...] = (),
) -> Route:
    return Route(
        operation_id,
        method,
        path,
        handler,
        tag,
        summary,
        failure,
        data,
        body,
        query=query,
        errors=(*DOING, *errors),
    )
