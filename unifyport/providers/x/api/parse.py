"""What X reports -> provider events. Pure, and never raises.

An activity event comes as a line of the stream or as the body of a webhook, with the same JSON
(https://docs.x.com/x-api/activity/event-payloads). `events.EVENTS` has what is known. A message has the same
id in `GET /2/dm_events`, by which it is fetched after a gap, and the same key.
"""

import contextlib
from typing import Any

import msgspec
from msgspec import Raw

from unifyport.model.inbound import PlatformEvent, ProviderEvent, Reported, Unparsed, raw_key
from unifyport.model.json_depth import too_deep, too_many_parts
from unifyport.model.json_text import UNREADABLE, decode_text
from unifyport.providers.contract.ingress import Addressed

from . import shapes
from .events import EVENTS, OLDER, Found, Reader, head_of, revocation
from .history import read_event
from .items import decoded
from .people import Users, included_users, users_of

_ENVELOPE = msgspec.json.Decoder(shapes.Envelope)


def parse_activity(raw: bytes, identity: str) -> list[Addressed]:
    """Every item of an event, in order. What names no user is addressed to `identity`."""
    try:
        if too_deep(raw) or too_many_parts(raw):
            raise ValueError("too_deep")
        envelope = decode_text(raw, _ENVELOPE)
        if bytes(envelope.data) == b"null":
            return _of_older_form(raw, envelope, identity)
        activity = msgspec.json.decode(envelope.data, type=shapes.Activity)
    except Exception as error:
        return [_unreadable(raw, identity, error)]
    me = activity.filter.user_id or identity
    if activity.event_type == "oauth.revoke":
        return _revoked(activity, bytes(envelope.data), me)
    reader = EVENTS.get(activity.event_type)
    if reader is None:
        return [_unknown(activity, bytes(envelope.data), me)]
    try:
        return _of_payload(activity, bytes(envelope.data), me, reader)
    except Exception as error:
        return [_unreadable(raw, me, error)]


def _of_payload(activity: shapes.Activity, raw: bytes, me: str, reader: str | Reader) -> list[Addressed]:
    if not isinstance(reader, str):
        payload = bytes(activity.payload)
        return _of_item(payload, me, reader, {}, activity)
    parts = msgspec.json.decode(activity.payload, type=dict[str, Raw])
    if reader not in parts:
        return [_unknown(activity, raw, me)]
    items = msgspec.json.decode(parts[reader], type=list[Raw])
    users = users_of(parts.get("users", shapes.NULL))
    return [each for item in items for each in _of_item(bytes(item), me, OLDER[reader], users, activity)]


def _of_older_form(raw: bytes, envelope: shapes.Envelope, identity: str) -> list[Addressed]:
    """A webhook of the Account Activity API: lists beside `for_user_id`."""
    parts = msgspec.json.decode(raw, type=dict[str, Raw])
    me = envelope.for_user_id or identity
    users = users_of(parts.get("users", shapes.NULL))
    activity = shapes.Activity("account_activity")
    found: list[Addressed] = []
    for name, items in parts.items():
        if name in OLDER:
            for item in msgspec.json.decode(items, type=list[Raw]):
                found += _of_item(bytes(item), me, OLDER[name], users, activity)
        elif name.endswith(("_events", "_event")):
            event = PlatformEvent(raw_key("x", me, bytes(items), name), name, None)
            event.provider_data = decoded(bytes(items))
            found.append(Addressed(me, event, bytes(items)))
    return found or [_unreadable(raw, me, ValueError("no event"))]


def _of_item(raw: bytes, me: str, read: Reader, users: Users, activity: shapes.Activity) -> list[Addressed]:
    try:
        events = read(Found(raw, me, users, activity))
    except Exception as error:
        return [_unreadable_item(raw, me, users, error)]
    item = decoded(raw)
    for event in events:
        if isinstance(event, Reported):
            event.provider_data = item
    return [Addressed(me, event, raw, _time_of(event)) for event in events]


def _time_of(event: ProviderEvent) -> int | None:
    at = getattr(event, "sent_at", None)
    return getattr(event, "at", None) if at is None else at


def _revoked(activity: shapes.Activity, raw: bytes, me: str) -> list[Addressed]:
    try:
        user, event = revocation(activity, raw)
    except Exception as error:
        return [_unreadable(raw, me, error)]
    event.provider_data = decoded(raw)
    return [Addressed(user, event, raw, event.at)]


def _unknown(activity: shapes.Activity, raw: bytes, me: str) -> Addressed:
    """An event of a type that is on no list, such as one that another program subscribed to."""
    key = raw_key("x", me, raw, activity.event_type)
    event = PlatformEvent(key, activity.event_type, None, provider_data=decoded(raw))
    return Addressed(me, event, raw)


def _unreadable(raw: bytes, identity: str, error: Exception) -> Addressed:
    event = Unparsed(raw_key("x", identity, raw, "unparsed"), raw, f"parse: {type(error).__name__}")
    return Addressed(identity, event, raw)


def _unreadable_item(raw: bytes, me: str, users: Users, error: Exception) -> Addressed:
    """A message that cannot be read is shown as one, if it says who wrote it."""
    addressed = _unreadable(raw, me, error)
    event = addressed.event
    assert isinstance(event, Unparsed)
    with contextlib.suppress(Exception):
        head = head_of(raw, me, users)
        event.key, event.message_id, event.sent_at = head.key, head.id, head.at
        event.conversation, event.sender = head.conversation, head.sender
        event.provider_data = decoded(raw)
        addressed.at = head.at
    return addressed


# -- GET /2/dm_events ----------------------------------------------------------------------------------------


def parse_page(page: shapes.Page, me: str) -> list[ProviderEvent]:
    """The events of a page, the newest first, as X lists them."""
    users, media = included_users(page.includes.users), _included_media(page.includes.media)
    return [_of_page(bytes(raw), me, users, media) for raw in page.data]


def _of_page(raw: bytes, me: str, users: Users, media: dict[str, shapes.Media]) -> ProviderEvent:
    try:
        if too_deep(raw):
            raise ValueError("too_deep")
        event = read_event(raw, me, users, media)
    except Exception as error:
        return _unreadable(raw, me, error).event
    if isinstance(event, Reported):
        event.provider_data = decoded(raw)
    return event


def _included_media(items: list[Raw]) -> dict[str, shapes.Media]:
    found: dict[str, shapes.Media] = {}
    for item in items:
        with contextlib.suppress(*UNREADABLE):
            media: Any = msgspec.json.decode(item, type=shapes.Media)
            found[media.media_key] = media
    return found
