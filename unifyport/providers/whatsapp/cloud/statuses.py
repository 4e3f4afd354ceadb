"""One status of a message that we sent -> its event."""

from typing import Any

import msgspec

from unifyport.model.inbound import (
    Conversation,
    PlatformEvent,
    ProviderEvent,
    Sender,
    Status,
    StatusChanged,
    dedupe_key,
)
from unifyport.model.json_text import without_nulls

from .errors import shown
from .items import OBJECT, milliseconds
from .people import Customers, chat_with, person
from .shapes import Error, StatusItem

_BESIDE = (
    *("type", "errors", "biz_opaque_callback_data", "recipient_user_id"),
    *("recipient_participant_id", "recipient_participant_user_id"),
)
_STATUSES = {str(status): status for status in Status}


def status_of(raw: bytes, number: str, customers: Customers, *, kind: str = "status") -> ProviderEvent:
    """The event of a status; one that is not the contract's is `provider.event` under its own name.

    A status of a group names the member, too. Raises `DecodeError`, `ValueError`. `kind`: part of the key.
    """
    item = _read(raw)
    at = milliseconds(item.timestamp)
    member = item.recipient_participant_id or item.recipient_participant_user_id
    participant: Sender | None = None
    if item.recipient_type == "group":
        chat = Conversation(item.recipient_id, "group")
        if not item.recipient_id:
            raise ValueError("no recipient")
        if member:
            participant = person(item.recipient_participant_id, item.recipient_participant_user_id, customers)
    else:
        chat = chat_with(person(item.recipient_id, item.recipient_user_id, customers))
    key = _key(item, number, kind)
    if item.status not in _STATUSES or kind != "status" or item.type == "payment":
        name = item.status if kind == "status" else kind
        details = {"message_id": item.id} | ({"status": item.status} if name != item.status else {})
        return PlatformEvent(key, name, at, chat, participant, details=details)
    error = shown(item.errors[0]) if item.errors else None
    return StatusChanged(
        key,
        chat,
        [item.id],
        _STATUSES[item.status],
        at,
        error,
        item.biz_opaque_callback_data,
        participant,
    )


def _read(raw: bytes) -> StatusItem:
    """The item; if a part of another shape is in it, without what is not needed to say what happened."""
    try:
        return msgspec.json.decode(raw, type=StatusItem)
    except msgspec.ValidationError:
        item = without_nulls(OBJECT.decode(raw))
        for name in _BESIDE:
            if name in item and not _fits(item, name):
                del item[name]
        return msgspec.convert(item, StatusItem)


def _fits(item: dict[str, Any], name: str) -> bool:
    shape = list[Error] if name == "errors" else str
    try:
        msgspec.convert(item[name], shape)
    except msgspec.ValidationError:
        return False
    return True


def _key(item: StatusItem, number: str, kind: str) -> bytes:
    """Message, status, time, recipient; and what tells two statuses apart that agree in these."""
    more = {
        "user": item.recipient_user_id if item.recipient_id else "",
        "member": item.recipient_participant_id,
        "member_user": item.recipient_participant_user_id,
        "type": item.type,
        "errors": " ".join(str(error.code) for error in item.errors),
    }
    told = [part for name, value in more.items() if value for part in (name, value)]
    recipient = item.recipient_id or item.recipient_user_id
    return dedupe_key("whatsapp", number, kind, item.id, item.status, item.timestamp, recipient, *told)
