"""Events by their type: one row of `EVENTS` for each that becomes a standard event, or more than its name.

Every other type, also one of next year, is `provider.event` under LINE's name.
https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import (
    Button,
    Content,
    Conversation,
    GroupChanged,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    Sender,
)

from . import shapes
from .items import checked_id
from .kinds import content
from .people import conversation_of, sender_of, source_of

STANDBY = "standby"


@attrs.frozen
class Event:
    """An event as it came, without nulls. `destination`: the user id of the bot that received it."""

    item: dict[str, Any]
    head: shapes.Head
    key: bytes
    destination: str

    @property
    def conversation(self) -> Conversation:
        return conversation_of(source_of(self.head))

    @property
    def sender(self) -> Sender:
        return sender_of(source_of(self.head))

    def field(self, name: str, shape: Any) -> Any:
        """Raises `ValidationError`; a field that is not there is read as an empty object."""
        return msgspec.convert(self.item.get(name, {}), shape)


def message_of(event: Event) -> shapes.MessageHead:
    """Raises `ValidationError`, and `ValueError` for a message without a usable id."""
    head: shapes.MessageHead = event.field("message", shapes.MessageHead)
    checked_id(head.id)
    return head


def _message(event: Event) -> ProviderEvent:
    head = message_of(event)
    said = content(event.item["message"], head)
    if event.head.mode == STANDBY:  # another channel of the account answers now
        return _report(event, STANDBY, content=said)
    return MessageReceived(event.key, event.conversation, event.sender, said, event.head.timestamp)


def _edited(event: Event) -> ProviderEvent:
    said = content(event.item["message"], message_of(event))
    return MessageEdited(event.key, event.conversation, event.sender, said, event.head.timestamp)


def _unsend(event: Event) -> ProviderEvent:
    unsend: shapes.Unsend = event.field("unsend", shapes.Unsend)
    return MessageDeleted(event.key, event.conversation, checked_id(unsend.message_id), event.head.timestamp)


def _postback(event: Event) -> ProviderEvent:
    """A pressed button. Its label is not reported; a date or time that was picked is the text."""
    postback: shapes.Postback = event.field("postback", shapes.Postback)
    picked = [value for value in postback.params.values() if isinstance(value, str)]
    said = Content(event.head.webhook_event_id or event.key.hex(), "text", " ".join(picked) or postback.data)
    said.kind, said.button = "postback", Button(postback.data, said.text)
    if postback.params:
        said.fields["postback_params"] = postback.params
    return MessageReceived(event.key, event.conversation, event.sender, said, event.head.timestamp)


def _members(kind: str, field: str) -> Callable[[Event], ProviderEvent]:
    def read(event: Event) -> ProviderEvent:
        changed: shapes.Members = event.field(field, shapes.Members)
        ids = [member.user_id for member in changed.members if member.user_id]
        return _group(event, kind, ids, actor=ids[0] if len(ids) == 1 else "")

    return read


def _itself(kind: str) -> Callable[[Event], ProviderEvent]:
    """The account has come into a group, or has left or been removed. LINE does not say by whom."""
    return lambda event: _group(event, kind, [event.destination])


def _group(event: Event, kind: str, ids: list[str], actor: str = "") -> ProviderEvent:
    changes = [{"kind": kind, "member_ids": ids}]
    return GroupChanged(event.key, event.conversation, actor, changes, event.head.timestamp)


def _follow(event: Event) -> ProviderEvent:
    follow: shapes.Follow = event.field("follow", shapes.Follow)
    return _report(event, "follow", {"is_unblocked": follow.is_unblocked})


def _unfollow(event: Event) -> ProviderEvent:
    return _report(event, "contact_blocked")


def _played(event: Event) -> ProviderEvent:
    played: shapes.VideoPlayComplete = event.field("videoPlayComplete", shapes.VideoPlayComplete)
    return _report(event, "played", {"tracking_id": played.tracking_id})


def report(event: Event) -> ProviderEvent:
    """An event of a type that no table has."""
    return _report(event, event.head.type)


def _report(
    event: Event, name: str, details: dict[str, Any] | None = None, *, content: Content | None = None
) -> PlatformEvent:
    found = PlatformEvent(event.key, name, event.head.timestamp, content=content, details=details or {})
    if event.head.source is not None:
        found.conversation, found.sender = event.conversation, event.sender
    return found


EVENTS: dict[str, Callable[[Event], ProviderEvent]] = {
    "message": _message,
    "messageEdited": _edited,
    "unsend": _unsend,
    "postback": _postback,
    "memberJoined": _members("member_added", "joined"),
    "memberLeft": _members("member_removed", "left"),
    "join": _itself("member_added"),
    "leave": _itself("member_removed"),
    "follow": _follow,
    "unfollow": _unfollow,
    "videoPlayComplete": _played,
}
