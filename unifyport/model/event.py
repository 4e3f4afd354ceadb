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

from .times import rfc3339


class EventType(enum.StrEnum):
    """The 18 names of the contract, and `message.status.updated` of the first v1 announcement.

    A member's position is its number, which is stored in rows and in the masks of endpoints: append only.
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
_PUBLIC = frozenset(EventType)
_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(EventType)} | {
    name: number for number, name in enumerate(GatewayEventType, _FIRST_GATEWAY_NUMBER)
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
    """The bit mask of a subscription list; an empty list and `*` mean all events.

    Raises `ValueError` listing the unknown names.
    """
    unknown = [name for name in subscribed if name != ALL_EVENTS and name not in _PUBLIC]
    if unknown:
        raise ValueError("unknown event name: " + ", ".join(repr(name) for name in unknown))
    if not subscribed or ALL_EVENTS in subscribed:
        return ALL_MASK
    mask = 0
    for name in subscribed:
        mask |= 1 << EventType(name).number
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


def in_form(body: bytes, form: BodyForm) -> bytes:
    """The part of a stored (combined) body that belongs to a form."""
    if form is BodyForm.COMBINED:
        return body
    value = msgspec.json.decode(body)
    if form is BodyForm.ENVELOPE:
        return msgspec.json.encode({name: value[name] for name in _ENVELOPE if name in value})
    return msgspec.json.encode({name: field for name, field in value.items() if name not in _NOT_FLAT})


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
    flat: dict[str, Any] | None = None,
) -> bytes:
    """The combined body as UTF-8 JSON. `flat` holds the fields of the flat form (`from`, `text`, ...)."""
    return msgspec.json.encode(
        {
            "id": event_id,
            "type": event_type,
            "event": event_type,
            "provider": provider,
            "account_id": account_id,
            "occurred_at": rfc3339(occurred_at),
            "timestamp": occurred_at // 1000,
            **(flat or {}),
            "data": data,
        }
    )
