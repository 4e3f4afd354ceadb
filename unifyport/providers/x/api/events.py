"""Activity events by their type: which list of the payload holds the items, or who reads the payload.

https://docs.x.com/x-api/activity/introduction lists the types. Those without a row, such as posts and likes
that another program of the app subscribed to, become `provider.event` under X's word.
"""

import base64
import binascii
from collections.abc import Callable

import attrs
import msgspec

from unifyport.model.inbound import (
    Conversation,
    Ignored,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    Sender,
    Status,
    StatusChanged,
    dedupe_key,
    raw_key,
)

from . import shapes
from .items import instant, message_key, milliseconds
from .kinds import of_activity, of_encrypted
from .people import Users, chat_with, conversation, sender


@attrs.frozen
class Found:
    """An item, the user that it was found for, and the event that it is of."""

    raw: bytes
    me: str
    users: Users
    activity: shapes.Activity


@attrs.frozen
class Head:
    """Who wrote a message, when, and in which conversation."""

    id: str
    key: bytes
    at: int
    conversation: Conversation
    sender: Sender


Reader = Callable[[Found], list[ProviderEvent]]


def head_of(raw: bytes, me: str, users: Users) -> Head:
    """Raises `DecodeError` or `ValueError`."""
    message = msgspec.json.decode(raw, type=shapes.DirectMessage)
    create = message.message_create
    other = create.target.recipient_id if create.sender_id == me else create.sender_id
    return Head(
        message.id,
        message_key(me, message.id),
        milliseconds(message.created_timestamp),
        chat_with(me, other, users),
        sender(create.sender_id, users),
    )


def _message(found: Found) -> list[ProviderEvent]:
    kind = msgspec.json.decode(found.raw, type=_Typed).type
    if kind != "message_create":
        return [PlatformEvent(raw_key("x", found.me, found.raw, kind), kind[:128] or "direct_message", None)]
    head = head_of(found.raw, found.me, found.users)
    data = msgspec.json.decode(found.raw, type=shapes.DirectMessage).message_create.message_data
    content = of_activity(head.id, data)
    if head.sender.id != found.me:
        return [MessageReceived(head.key, head.conversation, head.sender, content, head.at)]
    return [
        PlatformEvent(
            head.key,
            "message_echo",
            head.at,
            head.conversation,
            head.sender,
            content,
            direction="outbound",
            details={"change": "sent"},
        )
    ]


class _Typed(msgspec.Struct):
    type: str = ""


def _receipt(found: Found) -> list[ProviderEvent]:
    receipt = msgspec.json.decode(found.raw, type=shapes.Receipt)
    at, reader, me = milliseconds(receipt.created_timestamp), receipt.sender_id, found.me
    key = dedupe_key("x", me, "read", reader, receipt.last_read_event_id, at)
    if reader == me:  # on another device of the account
        chat = chat_with(me, receipt.target.recipient_id, found.users)
        return [PlatformEvent(key, "dm.read", at, chat, sender(me, found.users))]
    chat = chat_with(me, reader, found.users)
    return [StatusChanged(key, chat, [receipt.last_read_event_id], Status.READ, at)]


def _typing(found: Found) -> list[ProviderEvent]:
    """Typing is not reported: nobody has asked for it."""
    return [Ignored(raw_key("x", found.me, found.raw, "typing"))]


def _encrypted(found: Found) -> list[ProviderEvent]:
    """A message whose text only the members' keys open."""
    payload = msgspec.json.decode(found.raw, type=shapes.Encrypted)
    at = None if payload.created_at_msec is None else milliseconds(payload.created_at_msec)
    id_ = payload.id or _signed_id(payload.encoded_event) or found.activity.event_uuid
    key = dedupe_key("x", found.me, "chat", payload.conversation_id, id_)
    if not 0 < len(id_) <= 128:
        raise ValueError("id")
    chat = conversation(found.me, payload.conversation_id, {})
    who, content = sender(payload.sender_id, {}), of_encrypted(id_)
    if found.activity.event_type == "chat.received" and payload.sender_id != found.me:
        return [MessageReceived(key, chat, who, content, at)]
    details = {"change": "sent"}
    echo = PlatformEvent(key, "message_echo", at, chat, who, content, direction="outbound", details=details)
    return [echo]


def _chat_change(found: Found) -> list[ProviderEvent]:
    """A change of an encrypted conversation, whose details are encrypted as well."""
    payload = msgspec.json.decode(found.raw, type=shapes.Encrypted)
    at = None if payload.created_at_msec is None else milliseconds(payload.created_at_msec)
    activity = found.activity
    key = raw_key("x", found.me, found.raw, activity.event_type, activity.event_uuid)
    chat = conversation(found.me, payload.conversation_id, {})
    return [PlatformEvent(key, activity.event_type, at, chat, sender(payload.sender_id, {}))]


def _signed_id(encoded: str) -> str:
    """The message id in an encoded event: field 2 of a Thrift struct whose first fields are texts.

    Empty if it cannot be read. The rest of the struct is signed or encrypted and is not read here.
    """
    try:
        data = base64.b64decode(encoded[:1024] + "=" * (-len(encoded[:1024]) % 4))
    except binascii.Error:
        return ""
    place = 0
    while data[place : place + 1] == b"\x0b":  # a text: type, field number (2 bytes), length (4 bytes)
        field = int.from_bytes(data[place + 1 : place + 3])
        end = place + 7 + int.from_bytes(data[place + 3 : place + 7])
        if field == 2:
            id_ = data[place + 7 : end]
            return id_.decode() if end <= len(data) and id_.isascii() and len(id_) <= 128 else ""
        place = end
    return ""


def revocation(activity: shapes.Activity, raw: bytes) -> tuple[str, PlatformEvent]:
    """The user who took the app's authorization back, and the report of it. Raises `DecodeError`,
    `ValueError`.
    """
    payload = msgspec.json.decode(activity.payload, type=shapes.Revocation)
    at = instant(payload.date_time) if payload.date_time else None
    key = raw_key("x", payload.user_id, raw, "oauth.revoke")
    return payload.user_id, PlatformEvent(key, "oauth.revoke", at)


MESSAGES = "direct_message_events"
RECEIPTS = "direct_message_mark_read_events"
TYPING = "direct_message_indicate_typing_events"
# Lists of the Account Activity API's form, which payloads of `dm.*` have, too.
OLDER: dict[str, Reader] = {MESSAGES: _message, RECEIPTS: _receipt, TYPING: _typing}
EVENTS: dict[str, str | Reader] = {
    "dm.received": MESSAGES,
    "dm.sent": MESSAGES,
    "dm.read": RECEIPTS,
    "dm.indicate_typing": TYPING,
    "chat.received": _encrypted,
    "chat.sent": _encrypted,
    "chat.conversation_join": _chat_change,
    "chat.conversation.join": _chat_change,
    "chat.conversation.member_added": _chat_change,
    "chat.conversation.member_removed": _chat_change,
    "chat.conversation.admin_added": _chat_change,
    "chat.conversation.admin_removed": _chat_change,
    "chat.update.group_name": _chat_change,
    "chat.update.restrictions": _chat_change,
}
# What an account subscribes to. Typing is left out, and so is what X reports of conversations without need.
SUBSCRIBED = ("dm.received", "dm.sent", "dm.read", "chat.received", "chat.sent", "chat.conversation_join")
