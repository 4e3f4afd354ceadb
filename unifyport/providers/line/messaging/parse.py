"""Webhooks of the Messaging API -> provider events. Pure.

One request holds any number of `events`, also none: that is how LINE checks an address
(https://developers.line.biz/en/reference/messaging-api/#webhooks). Every event is parsed in its own `try`:
one that cannot be read becomes `Unparsed` and never stops the others. The tables of what is known:
`events.EVENTS`, `kinds.KINDS`.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from unifyport.model.inbound import Conversation, ProviderEvent, Reported, Unparsed, raw_key
from unifyport.model.json_text import decode_text, without_nulls
from unifyport.model.times import LAST_MS
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.ingress import Addressed

from .events import EVENTS, STANDBY, Event, message_of, report
from .items import LONGEST_ID, OBJECT, event_key, item_of
from .shapes import Head, MessageHead, Webhook
from .tokens import state_of

_WEBHOOK = msgspec.json.Decoder(Webhook)
_CORE = ("type", "timestamp", "webhookEventId", "source", "mode")


def parse_webhook(body: bytes, identity: str) -> Iterator[Addressed]:
    """Every event of a webhook, in order, addressed to `identity`: a channel has a webhook of its own. Never
    raises.
    """
    try:
        webhook = decode_text(body, _WEBHOOK)
        if len(webhook.destination) > LONGEST_ID:
            raise ValueError("destination")
    except Exception as error:
        yield _unreadable(body, identity, identity, error)
        return
    for raw in webhook.events:
        yield _of_event(bytes(raw), webhook.destination, identity)


def _of_event(raw: bytes, destination: str, identity: str) -> Addressed:
    try:
        whole = OBJECT.decode(raw)
        item = without_nulls(whole) if b"null" in raw else whole
        head = _head_of(item)
        key = event_key(destination, head.webhook_event_id, item)
    except Exception as error:
        return _unreadable(raw, identity, destination, error)
    event = Event(item, head, key, destination)
    found: ProviderEvent
    try:
        found = EVENTS.get(head.type, report)(event)
    except Exception as error:
        found = _unreadable_event(event, raw, error)
    if isinstance(found, Reported):
        found.provider_data = item_of(whole, raw)
    return Addressed(identity, found, raw, head.timestamp, state=_state(event, found))


def _head_of(item: dict[str, Any]) -> Head:
    """Raises `ValueError` if type or time cannot be read."""
    try:
        head = msgspec.convert(item, Head)
    except msgspec.ValidationError:
        head = msgspec.convert({name: item[name] for name in _CORE if name in item}, Head)
    if not 0 <= head.timestamp <= LAST_MS or not head.type or len(head.webhook_event_id) > LONGEST_ID:
        raise ValueError("timestamp, type or id")
    return head


def _state(event: Event, found: ProviderEvent) -> list[SessionChange]:
    """The tokens of an event. What is for another channel to answer has none for us."""
    conversation: Conversation | None = getattr(found, "conversation", None)
    if conversation is None or event.head.mode == STANDBY:
        return []
    message: MessageHead | None = None
    if event.head.type in ("message", "messageEdited"):
        with contextlib.suppress(Exception):
            message = message_of(event)
    return state_of(event.head, conversation.id, message)


def _unreadable(raw: bytes, identity: str, destination: str, error: Exception) -> Addressed:
    reason = f"parse: {type(error).__name__}"
    return Addressed(identity, Unparsed(raw_key("line", destination, raw), raw, reason), raw)


def _unreadable_event(event: Event, raw: bytes, error: Exception) -> ProviderEvent:
    """An event whose details cannot be read: a message is emitted as far as its head says; what is about
    something else is reported under its name.
    """
    unparsed = Unparsed(event.key, raw, f"parse: {type(error).__name__}")
    try:
        if event.head.type == "message":
            unparsed.message_id, unparsed.sent_at = message_of(event).id, event.head.timestamp
            unparsed.conversation, unparsed.sender = event.conversation, event.sender
    except Exception:
        unparsed.conversation = None
    return unparsed
