"""Activity events by their type: which list of the payload holds the items, or who reads the payload.

https://docs.x.com/x-api/activity/introduction lists the types. Those without a row, such as posts and likes
that another program of the app subscribed to, become `provider.event` under X's word.
"""

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
from .chat_items import Sealed
from .items import instant, message_key, milliseconds
from .kinds import of_activity
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
    """Typing is not reported to the caller."""
    return [Ignored(raw_key("x", found.me, found.raw, "typing"))]


def _sealed(found: Found) -> list[ProviderEvent]:
    """An event of XChat: it is opened once the account's keys are at hand (`chat_receiving.py`)."""
    payload = msgspec.json.decode(found.raw, type=shapes.Encrypted)
    if not payload.encoded_event:
        raise ValueError("no event")
    key = raw_key("x", found.me, found.raw, found.activity.event_type, "sealed")
    sealed = Sealed(payload.encoded_event, payload.conversation_key_change_event or "")
    return [Ignored(key, sealed)]


def _chat_change(found: Found) -> list[ProviderEvent]:
    """A change of an encrypted conversation, whose details are encrypted as well."""
    payload = msgspec.json.decode(found.raw, type=shapes.Encrypted)
    at = None if payload.created_at_msec is None else milliseconds(payload.created_at_msec)
    activity = found.activity
    key = raw_key("x", found.me, found.raw, activity.event_type, activity.event_uuid)
    chat = conversation(found.me, payload.conversation_id, {})
    return [PlatformEvent(key, activity.event_type, at, chat, sender(payload.sender_id, {}))]


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
    "chat.received": _sealed,
    "chat.sent": _sealed,
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
