"""From provider events to standard events: which ones, in which order, with which fields.

Pure: the normalizer adds ids, lanes and bytes. Most provider events give none or one standard event. A status
gives the specific event (`message.delivered`), then a general one for each message
(`message.status.updated`). Nothing is synthesised: a state that the platform did not report is not emitted.

Fields follow the contract's event reference; `model/flat.py` makes the flat form of them.
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from .event import EventType
from .inbound import (
    Content,
    ConversationChanged,
    ConversationHistory,
    ConversationMoved,
    ConversationRemoved,
    GroupChanged,
    HistorySynced,
    Ignored,
    JoinRequested,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Status,
    StatusChanged,
    Unparsed,
)
from .parts import address, conversation_part, message_part, sender_part
from .provider_data import ProviderData
from .times import rfc3339
from .unit import Announcement

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
    """A standard event without its id. `lane_id` is its ordering key within the account.

    `message_id`: of the message that it shows or takes back. The platform's item is kept apart from `data`,
    as it may be too large for the body.
    """

    type: EventType
    occurred_at: int
    data: dict[str, Any]
    sender: str | None = None
    conversation_id: str = ""
    lane_id: str = ""
    message_id: str = ""
    provider_data: ProviderData | None = None


def normalize(event: ProviderEvent, received_at: int = 0) -> list[Standard]:
    """The standard events of one provider event, in the order in which receivers must get them.

    `received_at` (unix ms) is the time of events whose platform says none.
    """
    match event:
        case MessageReceived(sent_at=None):
            event = attrs.evolve(event, sent_at=received_at)
        case MessageDeleted(deleted_at=None):
            event = attrs.evolve(event, deleted_at=received_at)
        case PlatformEvent(at=None):
            event = attrs.evolve(event, at=received_at)
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


def _received(event: MessageReceived) -> list[Standard]:
    assert event.sent_at is not None
    message = {**message_part(event.content), "direction": "inbound", "sent_at": rfc3339(event.sent_at)}
    data = {
        "conversation": conversation_part(event.conversation),
        "sender": sender_part(event.sender),
        "message": message,
        "event": {"kind": "message_received"},
    }
    return [_of(event, EventType.MESSAGE_RECEIVED, event.sent_at, data)]


def _edited(event: MessageEdited) -> list[Standard]:
    data = {
        "conversation": conversation_part(event.conversation),
        "sender": sender_part(event.sender),
        "message": message_part(event.content),
        "event": {"kind": "message_updated"},
    }
    return [_of(event, EventType.MESSAGE_UPDATED, event.edited_at, data)]


def _deleted(event: MessageDeleted) -> list[Standard]:
    assert event.deleted_at is not None
    conversation, kind = conversation_part(event.conversation), {"kind": "message_deleted"}
    each = (
        {"conversation": conversation, "message": {"id": id_}, "event": kind} for id_ in event.message_ids
    )
    return [_of(event, EventType.MESSAGE_DELETED, event.deleted_at, data) for data in each]


def _reaction(event: ReactionChanged) -> list[Standard]:
    data = {
        "conversation": conversation_part(event.conversation),
        "sender": sender_part(event.sender),
        "message": {"id": event.reaction_id, "target_message_id": event.target_message_id},
        "event": {"kind": "message_reaction", "reaction": event.emoji},
    }
    return [_of(event, EventType.MESSAGE_REACTION, event.at, data)]


_SPECIFIC = {
    Status.DELIVERED: (EventType.MESSAGE_DELIVERED, "delivered_at"),
    Status.READ: (EventType.MESSAGE_READ, "read_at"),
}


def _status(event: StatusChanged) -> list[Standard]:
    """The specific event if the status has one, then one general event for each message.

    `participant`: the member of a group whose device or reading it is about.
    """
    about: dict[str, Any] = {"conversation": conversation_part(event.conversation)}
    if event.participant is not None:
        about["participant"] = sender_part(event.participant)
    standards = []
    if event.status in _SPECIFIC:
        event_type, field = _SPECIFIC[event.status]
        at = rfc3339(event.at)
        data = {
            **about,
            "message": {"id": event.message_ids[-1], "ids": event.message_ids, field: at},
            field: at,
            "event": {"kind": event_type.replace(".", "_")},
        }
        standards.append(_of(event, event_type, event.at, data))
    for message_id in event.message_ids:
        message: dict[str, Any] = {"id": message_id, "status": event.status}
        if event.error is not None:
            message["error"] = event.error
        data = {**about, "message": message, "event": {"kind": "message_status_updated"}}
        standards.append(_of(event, EventType.MESSAGE_STATUS_UPDATED, event.at, data))
    return standards


def _conversation_changed(event: ConversationChanged) -> list[Standard]:
    data = {
        "conversation": conversation_part(event.conversation),
        **event.changes,
        "event": {"kind": "conversation_updated", **event.changes},
    }
    return [_of(event, EventType.CONVERSATION_UPDATED, event.at, data)]


def _conversation_moved(event: ConversationMoved) -> list[Standard]:
    """`provider.event` if our id of the conversation stays the same."""
    if event.previous_id == event.conversation.id:
        return _platform_event(
            PlatformEvent(
                event.key,
                event.name,
                event.at,
                event.conversation,
                details={"reason": str(event.reason)},
                provider_data=event.provider_data,
            )
        )
    changes = {"previous_id": event.previous_id, "reason": str(event.reason)}
    data = {
        "conversation": conversation_part(event.conversation),
        **changes,
        "event": {"kind": "conversation_updated", **changes},
    }
    return [_of(event, EventType.CONVERSATION_UPDATED, event.at, data)]


def _conversation_removed(event: ConversationRemoved) -> list[Standard]:
    event_type = EventType.CONVERSATION_CLEARED if event.cleared else EventType.CONVERSATION_DELETED
    data = {
        "conversation": conversation_part(event.conversation),
        "delete_media": event.delete_media,
        "event": {"kind": event_type.replace(".", "_"), "delete_media": event.delete_media},
    }
    return [_of(event, event_type, event.at, data)]


def _history(event: ConversationHistory) -> list[Standard]:
    messages = [
        {
            **message_part(past.content),
            "direction": past.direction,
            "sent_at": rfc3339(past.sent_at),
            "sender": sender_part(past.sender),
        }
        for past in event.messages
    ]
    data = {
        "conversation": conversation_part(event.conversation),
        "messages": messages,
        "event": {"kind": "conversation_history"},
    }
    return [_of(event, EventType.CONVERSATION_HISTORY, event.at, data)]


def _history_synced(event: HistorySynced) -> list[Standard]:
    summary = {"conversations": event.conversations, "messages": event.messages}
    data = {"summary": summary, "event": {"kind": "account_history_synced"}}
    return [Standard(EventType.ACCOUNT_HISTORY_SYNCED, event.at, data)]


def _group_changed(event: GroupChanged) -> list[Standard]:
    data = {
        "conversation": conversation_part(event.conversation),
        "actor": {"id": event.actor_id},
        "changes": event.changes,
        "event": {"kind": "group_updated"},
    }
    return [_of(event, EventType.GROUP_UPDATED, event.at, data)]


def _join_requested(event: JoinRequested) -> list[Standard]:
    data: dict[str, Any] = {
        "conversation": conversation_part(event.conversation),
        "requester": {"id": event.requester_id},
        "event": {"kind": "group_join_request"},
    }
    if event.request_method:
        data["request_method"] = event.request_method
    return [_of(event, EventType.GROUP_JOIN_REQUEST, event.at, data)]


def _platform_event(event: PlatformEvent) -> list[Standard]:
    assert event.at is not None
    data: dict[str, Any] = {}
    if event.conversation is not None:
        data["conversation"] = conversation_part(event.conversation)
    if event.sender is not None:
        data["sender"] = sender_part(event.sender)
    if event.content is not None:
        data["message"] = {**message_part(event.content), "sent_at": rfc3339(event.at)}
        if event.direction is not None:
            data["message"]["direction"] = event.direction
    data["event"] = {**event.details, "kind": "provider_event", "name": event.name}
    return [_of(event, EventType.PROVIDER_EVENT, event.at, data)]


def _unparsed(event: Unparsed) -> list[Standard]:
    """A message of type `unknown`, if its conversation, sender, time and id could be read."""
    if event.conversation is None or event.sender is None or event.sent_at is None or not event.message_id:
        return []
    content = Content(event.message_id, "unknown", "[unreadable message]", kind="unreadable")
    received = MessageReceived(event.key, event.conversation, event.sender, content, event.sent_at)
    return _received(attrs.evolve(received, provider_data=event.provider_data))


def _nothing(event: Ignored) -> list[Standard]:
    return []


def _of(event: Any, event_type: EventType, at: int, data: dict[str, Any]) -> Standard:
    """A standard event about what a provider event is about."""
    conversation, sender = getattr(event, "conversation", None), getattr(event, "sender", None)
    return Standard(
        event_type,
        at,
        data,
        sender=None if sender is None else address(sender),
        conversation_id="" if conversation is None else conversation.id,
        lane_id="" if conversation is None else conversation.lane or conversation.id,
        message_id=data.get("message", {}).get("id", ""),
        provider_data=getattr(event, "provider_data", None),
    )


_NORMALIZE: dict[type, Callable[[Any], list[Standard]]] = {
    MessageReceived: _received,
    MessageEdited: _edited,
    MessageDeleted: _deleted,
    ReactionChanged: _reaction,
    StatusChanged: _status,
    ConversationChanged: _conversation_changed,
    ConversationMoved: _conversation_moved,
    ConversationRemoved: _conversation_removed,
    ConversationHistory: _history,
    HistorySynced: _history_synced,
    GroupChanged: _group_changed,
    JoinRequested: _join_requested,
    PlatformEvent: _platform_event,
    Ignored: _nothing,
    Unparsed: _unparsed,
}
