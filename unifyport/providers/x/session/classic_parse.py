"""Entries of X's older direct messages -> provider events. Pure, and never raises.

An entry is an object with one field, whose name is its kind (`_READERS`). A message has the same id, and the
same key, as in the official API. What another person has read stands at the conversation only
(`read_marks`). An entry of a kind without a row becomes `provider.event` under X's word.
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec
from msgspec import Raw

from unifyport.model.inbound import (
    Conversation,
    ConversationRemoved,
    GroupChanged,
    Ignored,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Reported,
    Status,
    StatusChanged,
    Unparsed,
    dedupe_key,
    raw_key,
)
from unifyport.model.json_depth import too_deep
from unifyport.model.json_text import UNREADABLE

from ..api.items import decoded, message_key, milliseconds
from ..api.people import PAIR, Users, chat_with, sender, users_of
from ..api.shapes import Profile
from . import classic_shapes as shapes
from .classic_content import content_of

_MAX_EMOJI = 64


@attrs.define
class Item:
    """An entry. `request_id`: what a client gave the message when it sent it. `id` 0: it has none."""

    id: int
    at: int
    event: ProviderEvent
    conversation: str = ""
    request_id: str = ""
    trusted: bool = False  # the account has accepted the conversation by it

    @property
    def place(self) -> tuple[int, int, bool]:
        """By which entries are sorted: an edit has the id of its message, and follows it."""
        return self.at, self.id, not self.is_message

    @property
    def is_message(self) -> bool:
        """Whether it is a message without encryption, received or sent."""
        event = self.event
        sent = isinstance(event, PlatformEvent) and event.details == {"change": "sent"}
        return sent or isinstance(event, MessageReceived)


@attrs.frozen
class Found:
    kind: str
    entry: shapes.Entry
    raw: bytes
    me: str
    users: Users
    chat: Conversation
    at: int

    def key(self, *more: str) -> bytes:
        return dedupe_key("x", self.me, self.kind, self.entry.id, *more)


@attrs.define
class Read:
    """A page: its items in the order of time, and its conversations that can be read."""

    items: list[Item]
    places: dict[str, shapes.Place]
    users: dict[str, Profile]


def read_page(page: shapes.Page, me: str) -> Read:
    users, places = users_of(page.users), dict[str, shapes.Place]()
    for raw in page.conversations.values():
        try:
            place = msgspec.json.decode(raw, type=shapes.Place)
        except UNREADABLE:
            continue  # only names and marks are lost
        places[place.conversation_id] = place
    items = [_item(bytes(raw), me, users, places) for raw in page.entries]
    items.sort(key=lambda item: item.place)
    return Read(items, places, users)


def chat_of(me: str, id_: str, place: shapes.Place | None, users: Users) -> Conversation:
    pair = PAIR.fullmatch(id_)
    if pair is not None and me in pair.groups():
        return chat_with(me, pair[2] if pair[1] == me else pair[1], users)
    return Conversation(id_, "group", "" if place is None else place.name[:1024])


def read_marks(read: Read, me: str) -> list[tuple[str, int, Conversation]]:
    """Who has read up to which id, of the others, as far as conversations say it."""
    found = []
    for id_, place in read.places.items():
        for member in place.participants:
            last = member.last_read_event_id
            if member.user_id != me and last.isascii() and last.isdigit() and len(last) <= 19:
                found.append((member.user_id, int(last), chat_of(me, id_, place, read.users)))
    return found


def read_event(me: str, reader: str, last: int, chat: Conversation, at: int) -> StatusChanged:
    key = dedupe_key("x", me, "read", reader, str(last))
    who = sender(reader, {}) if chat.type == "group" else None
    return StatusChanged(key, chat, [str(last)], Status.READ, at, participant=who)


def _item(raw: bytes, me: str, users: Users, places: dict[str, shapes.Place]) -> Item:
    try:
        if too_deep(raw):
            raise ValueError("too_deep")
        ((kind, body), *_) = msgspec.json.decode(raw, type=dict[str, Raw]).items()
        entry = msgspec.json.decode(body, type=shapes.Entry)
        at = milliseconds(entry.time)
        place = places.get(entry.conversation_id)
        chat = chat_of(me, entry.conversation_id, place, users)
        found = Found(kind, entry, raw, me, users, chat, at)
        event = _READERS.get(kind, _other)(found)
        if isinstance(event, Reported):
            event.provider_data = decoded(raw)
        item = Item(int(entry.id), at, event, entry.conversation_id, entry.request_id)
        item.trusted = kind == "trust_conversation"
        if isinstance(event, MessageReceived) and place is not None and not place.trusted:
            event.content.fields["message_request"] = True
        return item
    except Exception as error:
        return Item(0, 0, Unparsed(raw_key("x", me, raw, "unparsed"), raw, f"parse: {type(error).__name__}"))


def _message(found: Found) -> ProviderEvent:
    data = msgspec.json.decode(found.entry.message_data, type=shapes.MessageData)
    key = message_key(found.me, found.entry.id)
    if data.conversation_key_version is not None:
        return Ignored(key)  # an encrypted one, which the chat socket brings
    content, who = content_of(found.entry.id, data), sender(data.sender_id, found.users)
    if data.sender_id == found.me:
        return _echo(found, key, {"change": "sent"}, content=content)
    return MessageReceived(key, found.chat, who, content, found.at)


def _edit(found: Found) -> ProviderEvent:
    data = msgspec.json.decode(found.entry.message_data, type=shapes.MessageData)
    key = found.key(str(data.edit_count))
    if data.conversation_key_version is not None:
        return Ignored(key)
    content, who = content_of(found.entry.id, data), sender(data.sender_id, found.users)
    if data.sender_id == found.me:
        return _echo(found, key, {"change": "edited"}, content=content, number=data.edit_count)
    return MessageEdited(key, found.chat, who, content, found.at, data.edit_count)


def _reaction(found: Found) -> ProviderEvent:
    entry = found.entry
    emoji = "" if found.kind == "reaction_delete" else entry.emoji_reaction or entry.reaction_key
    emoji = emoji[:_MAX_EMOJI]
    if not entry.sender_id or not entry.message_id:
        raise ValueError("reaction")
    if entry.sender_id == found.me:
        change = {"change": "reaction", "target_message_id": entry.message_id, "reaction": emoji}
        return _echo(found, found.key(), change)
    who, chat = sender(entry.sender_id, found.users), found.chat
    return ReactionChanged(found.key(), chat, who, entry.id, entry.message_id, emoji, found.at)


def _deleted(found: Found) -> ProviderEvent:
    """A message goes from the account's own view only; others keep it."""
    ids = [each.message_id for each in found.entry.messages[:100] if each.message_id]
    return _own(found, {"deleted_message_ids": ids})


def _read(found: Found) -> ProviderEvent:
    """The account has read on another device."""
    if found.entry.sender_id not in ("", found.me):
        last = int(found.entry.last_read_event_id)
        return read_event(found.me, found.entry.sender_id, last, found.chat, found.at)
    return _own(found, {"last_read_message_id": found.entry.last_read_event_id[:19]})


def _members(found: Found) -> ProviderEvent:
    ids = [each.user_id for each in found.entry.participants[:1000] if each.user_id]
    kind = "member_removed" if found.kind == "participants_leave" else "member_added"
    actor = found.entry.sender_id or (ids[0] if ids and kind == "member_removed" else "")
    return GroupChanged(found.key(), found.chat, actor, [{"kind": kind, "member_ids": ids}], found.at)


def _renamed(found: Found) -> ProviderEvent:
    change = {"kind": "renamed", "name": found.entry.conversation_name[:1024]}
    return GroupChanged(found.key(), found.chat, found.entry.by_user_id, [change], found.at)


def _removed(found: Found) -> ProviderEvent:
    return ConversationRemoved(found.key(), found.chat, False, False, found.at)


def _own(found: Found, details: dict[str, Any]) -> PlatformEvent:
    me = sender(found.me, found.users)
    return PlatformEvent(found.key(), found.kind, found.at, found.chat, me, details=details)


def _other(found: Found) -> PlatformEvent:
    return PlatformEvent(found.key(), found.kind[:128] or "entry", found.at, found.chat)


def _echo(found: Found, key: bytes, details: dict[str, Any], **more: Any) -> PlatformEvent:
    me = sender(found.me, found.users)
    fields: dict[str, Any] = {"direction": "outbound", "details": details, **more}
    return PlatformEvent(key, "message_echo", found.at, found.chat, me, **fields)


_READERS: dict[str, Callable[[Found], ProviderEvent]] = {
    "message": _message,
    "message_edit": _edit,
    "message_delete": _deleted,
    "reaction_create": _reaction,
    "reaction_delete": _reaction,
    "conversation_read": _read,
    "participants_join": _members,
    "join_conversation": _members,
    "participants_leave": _members,
    "conversation_name_update": _renamed,
    "remove_conversation": _removed,
}
