"""The public events: their names, their numbers, and their body.

Two body forms are documented publicly. The contract's envelope is `id, type, provider, account_id,
occurred_at, data{}`; the older flat form is `event, account_id, provider, from, text, timestamp,
message_id`. Their keys do not collide, so every event carries both forms in one object.
"""

import enum
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from .flat import flat_of, scalars_of
from .times import rfc3339


class EventType(enum.StrEnum):
    """The 18 names of the contract, `message.status.updated` of the first v1 announcement, `provider.event`.

    The standard events are numbered by position, in rows and in the masks of endpoints: append only.
    `provider.event` is our extension. Its number is outside of the standard ones, so that `*`, which means
    these, does not match it.
    """

    MESSAGE_RECEIVED = "message.received"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_READ = "message.read"
    MESSAGE_REACTION = "message.reaction"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_STATUS_UPDATED = "message.status.updated"
    CONVERSATION_UPDATED = "conversation.updated"
    CONVERSATION_DELETED = "conversation.deleted"
    CONVERSATION_CLEARED = "conversation.cleared"
    CONVERSATION_HISTORY = "conversation.history"
    GROUP_UPDATED = "group.updated"
    GROUP_JOIN_REQUEST = "group.join_request"
    ACCOUNT_STATUS_UPDATED = "account.status.updated"
    ACCOUNT_STARTED = "account.started"
    ACCOUNT_HISTORY_SYNCED = "account.history.synced"
    ACCOUNT_AUTH_REQUIRED = "account.auth.required"
    ACCOUNT_AUTH_SUCCEEDED = "account.auth.succeeded"
    ACCOUNT_AUTH_FAILED = "account.auth.failed"
    PROVIDER_EVENT = "provider.event"

    @property
    def number(self) -> int:
        return number_of(self)


class GatewayEventType(enum.StrEnum):
    """The gateway's own operational events: readable in the event log, matched by no subscription."""

    ENDPOINT_FAILING = "gateway.endpoint.failing"
    ENDPOINT_RECOVERED = "gateway.endpoint.recovered"
    ENDPOINT_DISABLED = "gateway.endpoint.disabled"
    ENDPOINT_EXPIRED = "gateway.endpoint.expired"

    @property
    def number(self) -> int:
        return number_of(self)


_FIRST_GATEWAY_NUMBER = 32
_EXTENSIONS: dict[str, int] = {EventType.PROVIDER_EVENT: 48}
_PUBLIC = frozenset(EventType)
STANDARD_EVENTS = [name for name in EventType if name not in _EXTENSIONS]
_NUMBERS: dict[str, int] = {
    **{name: number for number, name in enumerate(STANDARD_EVENTS)},
    **{name: number for number, name in enumerate(GatewayEventType, _FIRST_GATEWAY_NUMBER)},
    **_EXTENSIONS,
}
_NAMES: dict[int, str] = {number: str(name) for name, number in _NUMBERS.items()}

ALL_EVENTS = "*"
GATEWAY_EVENTS = "gateway.*"
ALL_MASK = (1 << _FIRST_GATEWAY_NUMBER) - 1


def number_of(name: str) -> int:
    """The number of an event name, public or the gateway's own. Raises `KeyError`."""
    return _NUMBERS[name]


def name_of(number: int) -> str:
    return _NAMES[number]


def mask_of(subscribed: list[str]) -> int:
    """The bit mask of a subscription list; an empty list and `*` mean all standard events.

    An extension must be named: `["*", "provider.event"]` means all events. Raises `ValueError` listing the
    unknown names.
    """
    unknown = [name for name in subscribed if name != ALL_EVENTS and name not in _PUBLIC]
    if unknown:
        raise ValueError("unknown event name: " + ", ".join(repr(name) for name in unknown))
    mask = 0 if subscribed else ALL_MASK
    for name in subscribed:
        mask |= ALL_MASK if name == ALL_EVENTS else 1 << EventType(name).number
    return mask


def mask_of_names(names: Iterable[str]) -> int:
    """The bit mask of names that filter the event log; `gateway.*` means all of the gateway's own events.

    Raises `ValueError` for an unknown name.
    """
    mask = 0
    for name in names:
        if name == GATEWAY_EVENTS:
            mask |= sum(1 << number_of(kind) for kind in GatewayEventType)
        elif name in _NUMBERS:
            mask |= 1 << _NUMBERS[name]
        else:
            raise ValueError(f"unknown event name {name!r}")
    return mask


class BodyForm(enum.StrEnum):
    """Which of the two public forms an endpoint gets, or both."""

    COMBINED = "combined"
    ENVELOPE = "envelope"
    FLAT = "flat"


_ENVELOPE = ("id", "type", "provider", "account_id", "occurred_at", "data")
_NOT_FLAT = frozenset({"id", "type", "occurred_at", "data"})
_PROVIDER_DATA = ("provider_data", "provider_data_redacted", "provider_data_omitted")


def in_form(body: bytes, form: BodyForm, *, provider_data: bool = True) -> bytes:
    """The part of a stored (combined) body that belongs to a form.

    Without `provider_data` the platform's item is left out, except in `provider.event`.
    """
    whole = provider_data or b'"provider_data' not in body
    if form is BodyForm.COMBINED and whole:
        return body
    value = msgspec.json.decode(body)
    if not whole and value["type"] != EventType.PROVIDER_EVENT:
        for name in _PROVIDER_DATA:
            value["data"].pop(name, None)
            value.pop(name, None)
    if form is BodyForm.COMBINED:
        return msgspec.json.encode(value)
    if form is BodyForm.ENVELOPE:
        return msgspec.json.encode({name: value[name] for name in _ENVELOPE if name in value})
    flat = {name: field for name, field in value.items() if name not in _NOT_FLAT}
    return msgspec.json.encode({"event_id": value.get("id"), **flat_of(value.get("data", {})), **flat})


def without_secrets(body: bytes) -> bytes:
    """A body without its login material (QR code, PIN, code)."""
    value = msgspec.json.decode(body)
    value.get("data", {}).pop("auth_payload", None)
    return msgspec.json.encode(value)


@attrs.define
class Event:
    """One event, ready to be stored, signed and sent. `body` is encoded once and never changes."""

    id: str
    kind: int
    lane: int  # signed 64 bits: the ordering key, account + conversation
    occurred_at: int  # unix ms
    body: bytes
    expires_at: int | None = None  # unix ms; the event must not be delivered later


def encode_body(
    event_id: str,
    event_type: EventType | GatewayEventType,
    *,
    provider: str,
    account_id: str,
    occurred_at: int,
    data: dict[str, Any],
    sender: str | None = None,
) -> bytes:
    """The combined body as UTF-8 JSON. `sender` is the flat form's `from`."""
    return msgspec.json.encode(
        {
            "id": event_id,
            "type": event_type,
            "event": event_type,
            "event_id": event_id,
            "provider": provider,
            "account_id": account_id,
            "occurred_at": rfc3339(occurred_at),
            "timestamp": occurred_at // 1000,
            **({} if sender is None else {"from": sender}),
            **scalars_of(data),
            "data": data,
        }
    )
