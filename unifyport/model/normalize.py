"""From provider events to standard events: which ones, in which order, with which fields.

Pure: the normalizer adds ids, lanes and bytes. Most provider events give none or one standard event. A status
gives the specific event (`message.delivered`), then a general one for each message
(`message.status.updated`). Nothing is synthesised: a state that the platform did not report is not emitted.

Fields follow the contract's event reference, and the flat form of the first v1 announcement.
"""

import re
from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from .event import EventType
from .inbound import (
    Attachment,
    Content,
    Conversation,
    ConversationChanged,
    ConversationHistory,
    ConversationRemoved,
    GroupChanged,
    HistorySynced,
    Ignored,
    JoinRequested,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    ProviderEvent,
    ReactionChanged,
    Sender,
    Status,
    StatusChanged,
    Unparsed,
)
from .times import rfc3339
from .unit import Announcement

_PHONE = re.compile(r"(\d{7,15})@s\.whatsapp\.net")

# `data.event.kind` of the events about an account
_ACCOUNT_KINDS = {
    EventType.ACCOUNT_STATUS_UPDATED: "account_status",
    EventType.ACCOUNT_STARTED: "account_started",
    EventType.ACCOUNT_AUTH_REQUIRED: "account_auth_status",
    EventType.ACCOUNT_AUTH_SUCCEEDED: "account_auth_status",
    EventType.ACCOUNT_AUTH_FAILED: "account_auth_status",
}


@attrs.define
class Standard:
    """A standard event without its id. `conversation_id` is its ordering key within the account."""

    type: EventType
    occurred_at: int
    data: dict[str, Any]
    flat: dict[str, Any] = attrs.field(factory=dict)
    conversation_id: str = ""


def normalize(event: ProviderEvent) -> list[Standard]:
    """The standard events of one provider event, in the order in which receivers must get them."""
    return _NORMALIZE[type(event)](event)


def announce(announcement: Announcement) -> Standard:
    """A standard event about the account itself."""
    event_type = EventType(announcement.type)
    data = {**announcement.data, "event": {"kind": _ACCOUNT_KINDS[event_type]}}
    return Standard(event_type, announcement.occurred_at, data)


def raw_of(event: ProviderEvent) -> bytes:
    """The bytes to quarantine of an event that could not be normalised."""
    if isinstance(event, Unparsed):
        return event.raw
    return msgspec.json.encode({"type": type(event).__name__, "event": attrs.asdict(event)}, enc_hook=repr)


def address(sender: Sender) -> str:
    """The flat form's `from`: E.164 with `+` if the sender's phone number is known, else the id."""
    if sender.phone:
        return sender.phone
    phone = _PHONE.fullmatch(sender.id)
    return f"+{phone[1]}" if phone else sender.id


def _conversation(conversation: Conversation) -> dict[str, Any]:
    return {"id": conversation.id, "type": conversation.type, "title": conversation.title}


def _sender(sender: Sender) -> dict[str, Any]:
    value = {"id": sender.id, "type": sender.type, "name": sender.name}
    extra = {"username": sender.username, "phone": sender.phone}
    return value | {name: text for name, text in extra.items() if text}


def _attachment(attachment: Attachment) -> dict[str, Any]:
    value: dict[str, Any] = {"type": attachment.type}
    if attachment.title:
        value["title"] = attachment.title
    if attachment.mime_type:
        value["mime_type"] = attachment.mime_type
    if attachment.size is not None:
        value["size"] = attachment.size
    if attachment.duration_ms is not None:
        value["duration_ms"] = attachment.duration_ms
    metadata: dict[str, Any] = {"provider_file_id": attachment.file_id}
    if attachment.url:
        value["url"] = attachment.url
    else:
        metadata["is_big_file"] = True
    return {**value, "metadata": metadata}


def _content(content: Content) -> dict[str, Any]:
    value: dict[str, Any] = {"id": content.id, "type": content.type, "text": content.text}
    if content.attachments:
        value["attachments"] = [_attachment(attachment) for attachment in content.attachments]
    if content.reply_to_message_id is not None:
        value["reply_to_message_id"] = content.reply_to_message_id
    if content.button is not None:
        value["button"] = {"id": content.button.id, "title": content.button.title}
    return value


def _received(event: MessageReceived) -> list[Standard]:
    message = {**_content(event.content), "direction": "inbound", "sent_at": rfc3339(event.sent_at)}
    data = {
        "conversation": _conversation(event.conversation),
        "sender": _sender(event.sender),
        "message": message,
        "event": {"kind": "message_received"},
    }
    return [
        Standard(
            EventType.MESSAGE_RECEIVED,
            event.sent_at,
            data,
            _flat(event.sender, event.content.text, event.content.id),
            event.conversation.id,
        )
    ]


def _edited(event: MessageEdited) -> list[Standard]:
    data = {
        "conversation": _conversation(event.conversation),
        "sender": _sender(event.sender),
        "message": _content(event.content),
        "event": {"kind": "message_updated"},
    }
    flat = _flat(event.sender, event.content.text, event.content.id)
    return [Standard(EventType.MESSAGE_UPDATED, event.edited_at, data, flat, event.conversation.id)]


def _deleted(event: MessageDeleted) -> list[Standard]:
    data = {
        "conversation": _conversation(event.conversation),
        "message": {"id": event.message_id},
        "event": {"kind": "message_deleted"},
    }
    flat = {"message_id": event.message_id}
    return [Standard(EventType.MESSAGE_DELETED, event.deleted_at, data, flat, event.conversation.id)]


def _reaction(event: ReactionChanged) -> list[Standard]:
    data = {
        "conversation": _conversation(event.conversation),
        "sender": _sender(event.sender),
        "message": {"id": event.reaction_id, "target_message_id": event.target_message_id},
        "event": {"kind": "message_reaction", "reaction": event.emoji},
    }
    flat = {"from": address(event.sender), "message_id": event.reaction_id}
    return [Standard(EventType.MESSAGE_REACTION, event.at, data, flat, event.conversation.id)]


_SPECIFIC = {
    Status.DELIVERED: (EventType.MESSAGE_DELIVERED, "delivered_at"),
    Status.READ: (EventType.MESSAGE_READ, "read_at"),
}


def _status(event: StatusChanged) -> list[Standard]:
    """The specific event if the status has one, then one general event for each message."""
    conversation, standards = _conversation(event.conversation), []
    if event.status in _SPECIFIC:
        event_type, field = _SPECIFIC[event.status]
        at = rfc3339(event.at)
        data = {
            "conversation": conversation,
            "message": {"id": event.message_ids[-1], "ids": event.message_ids, field: at},
            field: at,
            "event": {"kind": event_type.replace(".", "_")},
        }
        flat = {"message_id": event.message_ids[-1]}
        standards.append(Standard(event_type, event.at, data, flat, event.conversation.id))
    for message_id in event.message_ids:
        message: dict[str, Any] = {"id": message_id, "status": event.status}
        if event.error is not None:
            message["error"] = event.error
        data = {
            "conversation": conversation,
            "message": message,
            "event": {"kind": "message_status_updated"},
        }
        flat = {"message_id": message_id, "status": event.status}
        standards.append(
            Standard(EventType.MESSAGE_STATUS_UPDATED, event.at, data, flat, event.conversation.id)
        )
    return standards


def _conversation_changed(event: ConversationChanged) -> list[Standard]:
    data = {
        "conversation": _conversation(event.conversation),
        **event.changes,
        "event": {"kind": "conversation_updated", **event.changes},
    }
    return [Standard(EventType.CONVERSATION_UPDATED, event.at, data, {}, event.conversation.id)]


def _conversation_removed(event: ConversationRemoved) -> list[Standard]:
    event_type = EventType.CONVERSATION_CLEARED if event.cleared else EventType.CONVERSATION_DELETED
    data = {
        "conversation": _conversation(event.conversation),
        "delete_media": event.delete_media,
        "event": {"kind": event_type.replace(".", "_"), "delete_media": event.delete_media},
    }
    return [Standard(event_type, event.at, data, {}, event.conversation.id)]


def _history(event: ConversationHistory) -> list[Standard]:
    messages = [
        {
            **_content(past.content),
            "direction": past.direction,
            "sent_at": rfc3339(past.sent_at),
            "sender": _sender(past.sender),
        }
        for past in event.messages
    ]
    data = {
        "conversation": _conversation(event.conversation),
        "messages": messages,
        "event": {"kind": "conversation_history"},
    }
    return [Standard(EventType.CONVERSATION_HISTORY, event.at, data, {}, event.conversation.id)]


def _history_synced(event: HistorySynced) -> list[Standard]:
    summary = {"conversations": event.conversations, "messages": event.messages}
    data = {"summary": summary, "event": {"kind": "account_history_synced"}}
    return [Standard(EventType.ACCOUNT_HISTORY_SYNCED, event.at, data)]


def _group_changed(event: GroupChanged) -> list[Standard]:
    data = {
        "conversation": _conversation(event.conversation),
        "actor": {"id": event.actor_id},
        "changes": event.changes,
        "event": {"kind": "group_updated"},
    }
    return [Standard(EventType.GROUP_UPDATED, event.at, data, {}, event.conversation.id)]


def _join_requested(event: JoinRequested) -> list[Standard]:
    data: dict[str, Any] = {
        "conversation": _conversation(event.conversation),
        "requester": {"id": event.requester_id},
        "event": {"kind": "group_join_request"},
    }
    if event.request_method:
        data["request_method"] = event.request_method
    return [Standard(EventType.GROUP_JOIN_REQUEST, event.at, data, {}, event.conversation.id)]


def _unparsed(event: Unparsed) -> list[Standard]:
    """A message of type `unknown`, if its conversation, sender, time and id could be read."""
    if event.conversation is None or event.sender is None or event.sent_at is None or not event.message_id:
        return []
    content = Content(event.message_id, "unknown")
    return _received(MessageReceived(event.key, event.conversation, event.sender, content, event.sent_at))


def _flat(sender: Sender, text: str, message_id: str) -> dict[str, Any]:
    return {"from": address(sender), "text": text, "message_id": message_id}


def _nothing(event: Ignored) -> list[Standard]:
    return []


_NORMALIZE: dict[type, Callable[[Any], list[Standard]]] = {
    MessageReceived: _received,
    MessageEdited: _edited,
    MessageDeleted: _deleted,
    ReactionChanged: _reaction,
    StatusChanged: _status,
    ConversationChanged: _conversation_changed,
    ConversationRemoved: _conversation_removed,
    ConversationHistory: _history,
    HistorySynced: _history_synced,
    GroupChanged: _group_changed,
    JoinRequested: _join_requested,
    Ignored: _nothing,
    Unparsed: _unparsed,
}
