"""The event log, read by cursor: what a receiver missed is never gone before its retention is over."""

import msgspec

from unifyport.model.event import number_of

from . import cursors, schemas
from .accounts import find
from .errors import INVALID_REQUEST, NOT_FOUND, ApiError, ErrorSpec
from .routing import Call, Query, Route

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
_PURPOSE = "events"


async def list_events(call: Call) -> schemas.EventPage:
    """`after=latest` starts at the end of the log, no `after` at its beginning."""
    gateway, query = call.gateway, call.query
    after = query.get("after", "")
    if after == "latest":
        newest = await gateway.store.newest_position()
        return schemas.EventPage([], False, cursors.write(gateway.ring, _PURPOSE, newest))
    position = cursors.read(gateway.ring, _PURPOSE, after, name="after") if after else 0
    if after and await gateway.store.purged(position):
        raise ApiError(410, "cursor_expired", "events after this cursor have been purged")
    limit = _limit(query.get("limit", ""))
    account_id = query.get("account_id")
    events = await gateway.store.events(
        position,
        limit + 1,
        kind=_kind(query.get("type", "")),
        account_no=(await find(gateway, account_id)).no if account_id else None,
    )
    page = events[:limit]
    last = page[-1].seq if page else position
    return schemas.EventPage(
        items=[msgspec.json.decode(event.body) for event in page],
        has_more=len(events) > limit,
        next_cursor=cursors.write(gateway.ring, _PURPOSE, last),
    )


def _limit(text: str) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ApiError(400, "invalid_request", "limit: must be an integer of at least 1")
    return min(int(text), MAX_LIMIT)


def _kind(name: str) -> int | None:
    if not name:
        return None
    try:
        return number_of(name)
    except KeyError:
        raise ApiError(400, "invalid_request", f"type: unknown event name {name!r}") from None


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
        errors=(INVALID_REQUEST, NOT_FOUND, ErrorSpec(410, "cursor_expired")),
        query=(
            Query("after", description="a `next_cursor`, or `latest`"),
            Query("limit", "integer"),
            Query("type"),
            Query("account_id"),
        ),
        extension=True,
    )
]
