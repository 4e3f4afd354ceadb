"""The event log, by cursor: an event can be read until its retention is over.

A cursor is a position in the log: the same one serves with any filter, in pages and in the stream.
"""

import re

import msgspec

from unifyport.gateway import errors as codes
from unifyport.gateway.errors import UseCaseError
from unifyport.gateway.events import Expired
from unifyport.model.event import GATEWAY_EVENTS, EventType, GatewayEventType

from .. import schemas
from ..http.errors import INVALID_REQUEST, NOT_FOUND, error
from ..http.event_stream import PURPOSE, EventStream
from ..http.paging import LIMIT, limit_of
from ..http.routing import Call, Query, Route

LATEST, EARLIEST = "latest", "earliest"
GONE = error(codes.CURSOR_EXPIRED)
TOO_MANY = error(codes.TOO_MANY_STREAMS)


async def list_events(call: Call) -> schemas.EventPage:
    """`after=latest` starts at the end of the log, `earliest` or no `after` at its beginning."""
    events, after = call.gateway.events, call.query.get("after", "")
    selection = await events.select(call.query.get("type", ""), call.query.get("account_id"))
    newest = await events.newest_position()
    if after == LATEST:
        return schemas.EventPage([], False, call.cursors.write(PURPOSE, newest))
    position = await _position(call, after or EARLIEST)
    try:
        await events.require_kept(position)
    except Expired as expired:
        oldest = call.cursors.write(PURPOSE, expired.oldest)
        raise UseCaseError(expired.code, expired.message, oldest=oldest) from None
    page = await events.read_page(selection, position, limit_of(call.query), newest=newest)
    return schemas.EventPage(
        items=[msgspec.Raw(event.body) for event in page.events],  # type: ignore[misc]
        has_more=page.more,
        next_cursor=call.cursors.write(PURPOSE, page.position),
    )


async def get_event(call: Call) -> schemas.FreeFormObject:
    event = await call.gateway.events.read_event(call.path["event_id"])
    body: schemas.FreeFormObject = msgspec.json.decode(event.body)
    return body


async def stream_events(call: Call) -> EventStream:
    """Server-sent events from `Last-Event-ID`, else from `after`, else from now on."""
    events = call.gateway.events
    selection = await events.select(call.query.get("type", ""), call.query.get("account_id"))
    after = call.headers.get("Last-Event-ID") or call.query.get("after", "")
    return EventStream(events, call.cursors, selection, await _position(call, after or LATEST))


async def _position(call: Call, after: str) -> int:
    if after == LATEST:
        return await call.gateway.events.newest_position()
    if after == EARLIEST:
        return await call.gateway.events.oldest_position()
    [position] = call.cursors.read(PURPOSE, after, name="after")
    return position


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
