"""What the routes of an account's platform share: fields, pages, and how such a route is declared."""

from collections.abc import Mapping
from typing import Any

from unifyport.gateway import errors as codes
from unifyport.gateway.errors import OperationFailure, UseCaseError, invalid
from unifyport.gateway.fields import MAX_ID, check_id
from unifyport.model.directory import Page
from unifyport.model.texts import PATTERN
from unifyport.providers.contract.capabilities import (
    CONVERSATION_NOT_FOUND,
    Arguments,
    Capability,
    Result,
)

from ..http.errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ErrorSpec, error
from ..http.paging import limit_of
from ..http.routing import Call, Method, Query, Route

ID = {"minLength": 1, "maxLength": MAX_ID, "pattern": PATTERN}  # of a schema
NO_CONVERSATION = error(CONVERSATION_NOT_FOUND)
DOING = (INVALID_REQUEST, NOT_FOUND, NOT_BOUND, error(codes.UNSUPPORTED), error(codes.NO_ADAPTER))


def required(query: Mapping[str, str], name: str) -> str:
    """An id in the query. Raises `UseCaseError`."""
    if not query.get(name):
        raise invalid(name, "is required")
    return check_id(name, query[name])


async def ask_platform(
    call: Call,
    capability: Capability[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """What the platform of the account in the path returns. Raises `UseCaseError`."""
    return await call.gateway.platform.ask(call.path["account_id"], capability, *args, **kwargs)


async def ask_for_page(
    call: Call, capability: Capability[..., Page[Any]], *arguments: Any
) -> tuple[list[Any], bool, str]:
    """`ask_platform` for one page of a list: items, whether there are more, and the cursor of the next page.

    A cursor holds the platform's own word for the position, is signed, and serves for the same question of
    the same account only.
    """
    platform = call.gateway.platform
    account, _ = await platform.require_capability(call.path["account_id"], capability)
    limit = limit_of(call.query)
    purpose = f"{capability.name} {account.id} {arguments!r}"
    after = None
    if call.query.get("cursor"):
        after = call.cursors.read_text(purpose, call.query["cursor"])
    page = await platform.call(account, capability, *arguments, after, limit)
    if after is not None and page.next == after:
        text = "the platform says that the next page of this list is this page again"
        raise UseCaseError(OperationFailure.FAILED, text, reason="endless_list")
    if page.next is None:
        return page.items, False, ""
    return page.items, True, call.cursors.write_text(purpose, page.next)


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
    extension: bool = False,
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
        extension=extension,
    )
