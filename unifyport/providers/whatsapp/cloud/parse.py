"""Cloud API webhooks -> provider events. Pure.

Shapes: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks. One request holds
any number of `entry[].changes[]`: a field, and a value about one number (`metadata.phone_number_id`) or about
the whole business account. Every item of a value is parsed in its own `try`: an item that cannot be read
becomes `Unparsed` and never stops the others. The tables of what is known: `fields.OF_NUMBERS`,
`kinds.KINDS`.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from unifyport.model.inbound import PlatformEvent, ProviderEvent, Reported, Unparsed, dedupe_key, raw_key
from unifyport.model.json_text import UNREADABLE, decode_text, without_nulls
from unifyport.providers.contract.ingress import Addressed

from .fields import ERRORS, OF_NUMBERS, Place, Reader
from .items import OBJECT, PARTS, decoded, made_at, milliseconds, read_list
from .messages import head_of
from .people import conversation, customers_of, sender_of
from .shapes import NULL, Change, Entry, Metadata, Webhook

_WEBHOOK = msgspec.json.Decoder(Webhook)
_METADATA = msgspec.json.Decoder(Metadata | None)
_BESIDE = frozenset({"messaging_product", "metadata", "contacts"})


def parse_webhook(body: bytes, identity: str) -> Iterator[Addressed]:
    """Every item of a webhook, in order. Items without a number are addressed to `identity`. Never raises."""
    try:
        entries = decode_text(body, _WEBHOOK).entry
    except Exception as error:
        yield _unreadable(body, identity, error)
        return
    for raw in entries:
        try:
            entry = msgspec.json.decode(raw, type=Entry)
        except Exception as error:
            yield _unreadable(bytes(raw), identity, error)
            continue
        for change in entry.changes or []:
            yield from _of_change(bytes(change), identity, entry)


def _of_change(raw: bytes, identity: str, entry: Entry) -> Iterator[Addressed]:
    change: Change | None = None
    try:
        change = msgspec.json.decode(raw, type=Change)
        value = PARTS.decode(change.value)
        metadata = _METADATA.decode(value.get("metadata", NULL))
        if metadata is None and change.field == "messages" and not _is_of_business(value):
            raise ValueError("no metadata")
    except Exception as error:
        if change is None or change.field == "messages":
            yield _unreadable(raw, identity, error)
            return
        metadata = None
    if metadata is None:
        yield _of_business(raw, identity, entry, change)
        return
    customers = customers_of(value.get("contacts", NULL))
    number, phone = metadata.phone_number_id, metadata.display_phone_number
    place = Place(change.field, number, phone, customers, entry.time)
    readers = OF_NUMBERS.get(change.field, {})
    for name, items in value.items():
        if name in readers:
            yield from _of_list(name, items, place)
        elif name not in _BESIDE and bytes(items) not in (b"null", b"[]"):
            yield _unknown(name, bytes(items), place)


def _is_of_business(value: Mapping[str, Raw]) -> bool:
    """Whether a value of the field `messages` without a number is an error of the business account."""
    return ERRORS in value and not {"messages", "statuses"} & value.keys()


def _of_business(raw: bytes, identity: str, entry: Entry, change: Change) -> Addressed:
    """A report about a business account, for all its numbers here."""
    at = made_at(entry.time)
    name = ERRORS if change.field == "messages" else change.field
    event = PlatformEvent(raw_key("whatsapp", entry.id, raw, str(entry.time)), name, at)
    event.provider_data = decoded(bytes(change.value))
    return Addressed(identity, event, raw, at, group=entry.id)


def _of_list(name: str, items: Raw, place: Place) -> Iterator[Addressed]:
    read = OF_NUMBERS[place.field][name]
    try:
        found = read_list(items)
    except UNREADABLE as error:
        if place.field != "messages" or name == ERRORS:
            yield _unknown(name, bytes(items), place)
        else:
            yield _unreadable(bytes(items), place.number, error)
        return
    for item in found:
        yield from _of_item(bytes(item), read, place)


def _of_item(raw: bytes, read: Reader, place: Place) -> list[Addressed]:
    try:
        events = read(raw, place)
        item = decoded(raw)
    except Exception as error:
        return [_unreadable_item(raw, place, error)]
    for event in events:
        if isinstance(event, Reported) and event.provider_data is None:
            event.provider_data = item
    return [Addressed(place.number, event, raw, _time_of(event)) for event in events]


def _time_of(event: ProviderEvent) -> int | None:
    for name in ("sent_at", "edited_at", "deleted_at", "at"):
        if hasattr(event, name):
            at: int | None = getattr(event, name)
            return at
    return None


def _unknown(name: str, raw: bytes, place: Place) -> Addressed:
    """A part of a value that no table has: `provider.event` under the name of the field."""
    key = raw_key("whatsapp", place.number, raw, place.field, name, str(place.time))
    event = PlatformEvent(key, place.field, made_at(place.time), details={"part": name})
    item: Any = None
    with contextlib.suppress(*UNREADABLE):
        item = msgspec.json.decode(raw)
    event.provider_data = decoded(msgspec.json.encode({name: item}))
    return Addressed(place.number, event, raw)


def _unreadable(raw: bytes, identity: str, error: Exception) -> Addressed:
    reason = f"parse: {type(error).__name__}"
    return Addressed(identity, Unparsed(raw_key("whatsapp", identity, raw), raw, reason), raw)


def _unreadable_item(raw: bytes, place: Place, error: Exception) -> Addressed:
    """An item that could not be read. A customer's message is also emitted, if its head could be read; what
    is no message is reported as it came.
    """
    if place.field != "messages":
        key = raw_key("whatsapp", place.number, raw, place.field, str(place.time))
        report = PlatformEvent(key, place.field, made_at(place.time))
        report.provider_data = decoded(raw)
        return Addressed(place.number, report, raw)
    addressed = _unreadable(raw, place.number, error)
    event = addressed.event
    assert isinstance(event, Unparsed)
    try:
        head = head_of(without_nulls(OBJECT.decode(raw)))
        sender, at = sender_of(head, place.customers), milliseconds(head.timestamp)
    except Exception:
        return addressed
    if head.id and not head.to:
        event.key = dedupe_key("whatsapp", place.number, "message", head.id)
        event.conversation, event.sender = conversation(head.group_id, sender), sender
        event.message_id, event.sent_at, event.provider_data = head.id, at, decoded(raw)
        addressed.at = at
    return addressed
