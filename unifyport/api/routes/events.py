"""The event log, by cursor: what a receiver missed is never gone before its retention is over.

A cursor is a place in the log, whatever was asked for when it was given out: the same one serves with any
filter, in pages and in the stream.
"""

import re

import msgspec

from unifyport.model.event import ALL_MASK, GATEWAY_EVENTS, EventType, GatewayEventType, mask_of_names

from .. import schemas
from ..http import cursors
from ..http.errors import INVALID_REQUEST, NOT_FOUND, ApiError, ErrorSpec, not_found
from ..http.event_stream import PURPOSE, TOO_MANY, EventStream, Selection
from ..http.paging import LIMIT, limit_of
from ..http.routing import Call, Query, Route
from .accounts import find_account

LATEST, EARLIEST = "latest", "earliest"
GONE = ErrorSpec(410, "cursor_expired")


async def list_events(call: Call) -> schemas.EventPage:
    """`after=latest` starts at the end of the log, `earliest` or no `after` at its beginning."""
    gateway = call.gateway
    selection = await _selection(call)
    after = call.query.get("after", "")
    newest = await gateway.store.newest_position()
    if after == LATEST:
        return schemas.EventPage([], False, cursors.write(gateway.ring, PURPOSE, newest))
    position = await _position(call, after or EARLIEST)
    if await gateway.store.purged(position):
        oldest = cursors.write(gateway.ring, PURPOSE, await gateway.store.oldest_position())
        raise ApiError(410, GONE.code, "events after this cursor have been purged", oldest=oldest)
    limit = limit_of(call.query)
    events = await gateway.store.events(
        position, limit + 1, mask=selection.mask, account_no=selection.account_no
    )
    page, more = events[:limit], len(events) > limit
    last = page[-1].seq if more else max(position, newest, *(event.seq for event in page))
    return schemas.EventPage(
        items=[msgspec.json.decode(event.body) for event in page],
        has_more=more,
        next_cursor=cursors.write(gateway.ring, PURPOSE, last),
    )


async def get_event(call: Call) -> schemas.FreeFormObject:
    event = await call.gateway.store.event(call.path["event_id"])
    if event is None:
        raise not_found("event")
    body: schemas.FreeFormObject = msgspec.json.decode(event.body)
    return body


async def stream_events(call: Call) -> EventStream:
    """Server-sent events from `Last-Event-ID`, else from `after`, else from now on."""
    gateway = call.gateway
    selection = await _selection(call)
    after = call.headers.get("Last-Event-ID") or call.query.get("after", "")
    return EventStream(gateway, selection, await _position(call, after or LATEST))


async def _position(call: Call, after: str) -> int:
    if after == LATEST:
        return await call.gateway.store.newest_position()
    if after == EARLIEST:
        return await call.gateway.store.oldest_position()
    [position] = cursors.read(call.gateway.ring, PURPOSE, after, name="after")
    return position


async def _selection(call: Call) -> Selection:
    """Which events are asked for. The gateway's own are shown only when they are."""
    mask = ALL_MASK
    if call.query.get("type"):
        try:
            mask = mask_of_names(name.strip() for name in call.query["type"].split(","))
        except ValueError as error:
            raise ApiError(400, "invalid_request", f"type: {error}") from None
    account_id = call.query.get("account_id")
    return Selection(mask, (await find_account(call.gateway, account_id)).no if account_id else None)


_NAME = "(" + "|".join(re.escape(name) for name in (*EventType, *GatewayEventType, GATEWAY_EVENTS)) + ")"
_PLACE = {"pattern": rf"^({LATEST}|{EARLIEST}|v1\.[A-Za-z0-9_-]+)?$"}
_FILTERS = (
    Query(
        "type",
        description="event names, separated by commas; `gateway.*` are the gateway's own",
        more={"pattern": f"^({_NAME}(, *{_NAME})*)?$"},
    ),
    Query("account_id"),
)

ROUTES = [
    Route(
        "listEvents",
        "GET",
        "/v1/events",
        list_events,
        "Events",
        "Read the event log in commit order",
        "list_events_failed",
        schemas.EventPage,
        errors=(INVALID_REQUEST, NOT_FOUND, GONE),
        query=(
            Query(
                "after",
                description="a `next_cursor`, `latest`, or `earliest`, which is where it begins without",
                more=_PLACE,
            ),
            LIMIT,
            *_FILTERS,
        ),
        extension=True,
    ),
    Route(
        "streamEvents",
        "GET",
        "/v1/events/stream",
        stream_events,
        "Events",
        "Follow the event log as server-sent events; the header Last-Event-ID resumes",
        "list_events_failed",
        dict,
        errors=(INVALID_REQUEST, NOT_FOUND, TOO_MANY),
        query=(
            Query(
                "after",
                description="a cursor, `earliest`, or `latest`, which is where it begins without",
                more=_PLACE,
            ),
            *_FILTERS,
        ),
        extension=True,
        content="text/event-stream",
    ),
    Route(
        "getEvent",
        "GET",
        "/v1/events/{event_id}",
        get_event,
        "Events",
        "One event as it is delivered",
        "list_events_failed",
        dict,
        errors=(NOT_FOUND,),
        extension=True,
    ),
]
