"""Fields of webhooks: one row of `OF_NUMBERS` for each field about one number.

A field says which lists of its value hold what. Every other field, such as those about templates or the
business account, is `provider.event` under its own name; without a number it is for all accounts of the
business account.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import Conversation, PlatformEvent, ProviderEvent, raw_key
from unifyport.model.json_text import without_nulls
from unifyport.model.provider_data import ProviderData

from .errors import shown
from .groups import group_event
from .items import OBJECT, item_of, made_at, milliseconds
from .messages import Message, by_customer, by_owner, observed, read_message
from .people import Customers, chat_with, person
from .shapes import About, Customer, Error
from .statuses import status_of

HISTORY_SLICE = 50  # messages of one conversation in one event


@attrs.frozen
class Place:
    """Where an item was: the webhook field, the number that it is about, the customers beside it.

    `time`: when the webhook was made, as it says it.
    """

    field: str
    number: str
    own_phone: str
    customers: Customers
    time: Any = None


Reader = Callable[[bytes, Place], list[ProviderEvent]]


def _message(kind: str, make: Callable[[Message, Place], ProviderEvent]) -> Reader:
    """A reader of messages; `kind` tells their keys apart."""

    def read(raw: bytes, place: Place) -> list[ProviderEvent]:
        item = OBJECT.decode(raw)
        if b"null" in raw:
            item = without_nulls(item)
        return [make(read_message(item, raw, place.number, kind=kind, customers=place.customers), place)]

    return read


_of_customer = _message("message", lambda message, place: by_customer(message))
_of_owner = _message("echo", lambda message, place: by_owner(message, place.own_phone))
_on_standby = _message("standby", lambda message, place: observed(message, "standby"))
_of_the_past = _message("history", lambda message, place: observed(message, "history"))


def _status(raw: bytes, place: Place) -> list[ProviderEvent]:
    return [status_of(raw, place.number, place.customers)]


def _standby_status(raw: bytes, place: Place) -> list[ProviderEvent]:
    return [status_of(raw, place.number, place.customers, kind="standby")]


def _error(raw: bytes, place: Place) -> list[ProviderEvent]:
    """An error about the number, not about a message. It has neither id nor time of its own.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/errors
    """
    details: dict[str, Any] = {}
    with contextlib.suppress(msgspec.ValidationError, AttributeError):
        details["error"] = shown(msgspec.convert(without_nulls(msgspec.json.decode(raw)), Error))
    key = raw_key("whatsapp", place.number, raw, place.field, str(place.time))
    return [PlatformEvent(key, ERRORS, made_at(place.time), details=details)]


def _group(raw: bytes, place: Place) -> list[ProviderEvent]:
    return [group_event(raw, place.number, place.field)]


def _reported(raw: bytes, place: Place) -> list[ProviderEvent]:
    """An item that is about a customer, under the name of the field."""
    item = msgspec.convert(without_nulls(OBJECT.decode(raw)), About)
    number, user_id = item.wa_id or item.from_, item.user_id or item.from_user_id
    if not number and not user_id:
        only = next(iter(place.customers.values()), Customer())
        number, user_id = only.wa_id, only.user_id
    who = person(number, user_id, place.customers) if number or user_id else None
    at = None
    with contextlib.suppress(ValueError):
        at = milliseconds(item.timestamp)
    chat = None if who is None else chat_with(who)
    return [PlatformEvent(raw_key("whatsapp", place.number, raw, place.field), place.field, at, chat, who)]


def _history(raw: bytes, place: Place) -> list[ProviderEvent]:
    """Past conversations, a slice of one in each event, as one chunk may hold thousands of messages."""
    chunk = OBJECT.decode(raw)
    threads = chunk.get("threads")
    if not isinstance(threads, list) or not threads:
        return [PlatformEvent(raw_key("whatsapp", place.number, raw, place.field), place.field, None)]
    found: list[ProviderEvent] = []
    for number, thread in enumerate(threads):
        if not isinstance(thread, dict):
            thread = {"id": "", "messages": [], "thread": thread}
        name, messages = thread.get("id"), thread.get("messages")
        chat = Conversation(name, "user") if isinstance(name, str) and name else None
        slices = [thread]
        if isinstance(messages, list):
            slices = [
                {**thread, "messages": messages[start : start + HISTORY_SLICE]}
                for start in range(0, max(len(messages), 1), HISTORY_SLICE)
            ]
        for part, item in enumerate(slices):
            key = raw_key("whatsapp", place.number, raw, place.field, str(number), str(part))
            event = PlatformEvent(key, place.field, None, chat)
            event.provider_data = _slice({**chunk, "threads": [item]})
            found.append(event)
    return found


def _slice(item: dict[str, Any]) -> ProviderData:
    return item_of(item, msgspec.json.encode(item))


ERRORS = "errors"
_MESSAGES: dict[str, Reader] = {
    "messages": _of_customer,
    "statuses": _status,
    ERRORS: _error,
}
_STANDBY: dict[str, Reader] = {
    "messages": _on_standby,
    "message_echoes": _of_owner,
    "statuses": _standby_status,
    ERRORS: _error,
}
_GROUPS: dict[str, Reader] = {"groups": _group}
# Field -> list in its value -> how an item of the list is read.
OF_NUMBERS: dict[str, dict[str, Reader]] = {
    "messages": _MESSAGES,
    "smb_message_echoes": {"message_echoes": _of_owner},
    "message_echoes": {"message_echoes": _of_owner},
    "standby": _STANDBY,
    "history": {"history": _history, "messages": _of_the_past},
    "smb_app_state_sync": {"state_sync": _reported},
    "calls": {"calls": _reported, "statuses": _reported},
    "user_preferences": {"user_preferences": _reported},
    "group_lifecycle_update": _GROUPS,
    "group_participants_update": _GROUPS,
    "group_settings_update": _GROUPS,
    "group_status_update": _GROUPS,
}
