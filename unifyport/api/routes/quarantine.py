"""The quarantine: items that could not be read. Contents are for the owner's socket only."""

import base64
from typing import Any

from unifyport.gateway import errors as codes
from unifyport.gateway.quarantine import QuarantinedItem, id_of
from unifyport.model.times import rfc3339

from .. import schemas
from ..http.errors import INVALID_REQUEST, NOT_FOUND, error, refusal
from ..http.paging import CURSOR, LIMIT, limit_of
from ..http.routing import Call, Query, Route

_CODE = "quarantine_action_failed"
_ALL, _ONE = "/v1/quarantine", "/v1/quarantine/{item_id}"


def _present(item: QuarantinedItem) -> schemas.QuarantinedItem:
    shown = schemas.QuarantinedItem(
        id=id_of(item.row.n),
        at=rfc3339(item.row.at),
        reason=item.row.reason,
        size=item.row.size,
        account_id=item.account_id or None,
    )
    if item.raw is not None:
        try:
            shown.text = item.raw.decode("utf-8")
        except UnicodeDecodeError:
            shown.base64 = base64.b64encode(item.raw).decode()
    return shown


async def list_items(call: Call) -> schemas.QuarantinePage:
    account_id, limit, before = call.query.get("account_id") or None, limit_of(call.query), None
    purpose = f"quarantine {account_id or ''}"
    if cursor := call.query.get("cursor"):
        [before] = call.cursors.read(purpose, cursor)
    items = await call.gateway.quarantine.list_items(before, limit + 1, account_id)
    page = items[:limit]
    more = len(items) > limit
    following = call.cursors.write(purpose, page[-1].row.n) if more else ""
    return schemas.QuarantinePage([_present(item) for item in page], more, following)


async def get_item(call: Call) -> schemas.QuarantinedItem:
    return _present(await call.gateway.quarantine.read_item(call.path["item_id"], owner=call.owner))


async def release_item(call: Call) -> schemas.OkData:
    await call.gateway.quarantine.release_item(call.path["item_id"], owner=call.owner)
    return schemas.OkData(True)


async def purge_item(call: Call) -> None:
    await call.gateway.quarantine.purge(call.path["item_id"])


async def purge_all(call: Call) -> schemas.Purged:
    return schemas.Purged(await call.gateway.quarantine.purge_all(call.query.get("account_id") or None))


def _route(
    operation_id: str, method: Any, path: str, handler: Any, summary: str, data: Any, **more: Any
) -> Route:
    errors = (INVALID_REQUEST, refusal(_CODE), NOT_FOUND, *more.pop("errors", ()))
    return Route(
        operation_id,
        method,
        path,
        handler,
        "Quarantine",
        summary,
        _CODE,
        data,
        errors=errors,
        extension=True,
        **more,
    )


ROUTES = [
    _route(
        "listQuarantine",
        "GET",
        _ALL,
        list_items,
        "Items that could not be read, the newest first, without their contents",
        schemas.QuarantinePage,
        query=(Query("account_id"), CURSOR, LIMIT),
    ),
    _route(
        "purgeQuarantine",
        "DELETE",
        _ALL,
        purge_all,
        "Delete all items in quarantine, or those of one account",
        schemas.Purged,
        query=(Query("account_id"),),
    ),
    _route(
        "getQuarantinedItem",
        "GET",
        _ONE,
        get_item,
        "One item with its contents; only through the owner's socket",
        schemas.QuarantinedItem,
        errors=(error(codes.OWNER_ONLY),),
    ),
    _route(
        "releaseQuarantinedItem",
        "POST",
        f"{_ONE}/release",
        release_item,
        "Deliver an item as it came, as provider.event, and delete it; only through the owner's socket",
        schemas.OkData,
        body=dict,
        body_required=False,
        errors=(error(codes.OWNER_ONLY),),
    ),
    _route("purgeQuarantinedItem", "DELETE", _ONE, purge_item, "Delete one item", None, success=204),
]
