"""Bot API updates -> provider events. Pure; shapes from https://core.telegram.org/bots/api#update.

Every update is parsed in its own `try`: an update of an unknown shape or with wrong types becomes `Unparsed`,
with its conversation and sender if they can be read, and never stops the updates after it.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from unifyport.model.inbound import (
    Attachment,
    Content,
    Conversation,
    Ignored,
    MessageEdited,
    MessageReceived,
    ProviderEvent,
    ReactionChanged,
    Sender,
    Unparsed,
    dedupe_key,
)
from unifyport.providers.contract.ingress import Addressed

# Telegram sends reactions only if `allowed_updates` names them.
ALLOWED_UPDATES = ("message", "edited_message", "channel_post", "edited_channel_post", "message_reaction")


class User(Struct):
    id: int
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class Chat(Struct):
    id: int
    type: Literal["private", "group", "supergroup", "channel"]
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class File(Struct):
    """Document, video, audio, voice, animation, video note, sticker, or one size of a photo."""

    file_id: str
    file_size: int | None = None
    file_name: str = ""
    title: str = ""
    mime_type: str = ""
    duration: int | None = None
    emoji: str = ""


class Location(Struct):
    latitude: float
    longitude: float


class Venue(Struct):
    location: Location
    title: str = ""
    address: str = ""


class Contact(Struct):
    phone_number: str
    first_name: str
    last_name: str = ""
    vcard: str = ""


class Reply(Struct):
    message_id: int


class Message(Struct, rename={"from_": "from"}):
    message_id: int
    date: int
    chat: Chat
    from_: User | None = None
    sender_chat: Chat | None = None
    edit_date: int | None = None
    reply_to_message: Reply | None = None
    text: str | None = None
    caption: str | None = None
    photo: list[File] | None = None
    video: File | None = None
    video_note: File | None = None
    animation: File | None = None
    audio: File | None = None
    voice: File | None = None
    document: File | None = None
    sticker: File | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: Contact | None = None


class ReactionType(Struct):
    type: str
    emoji: str = ""
    custom_emoji_id: str = ""


class MessageReaction(Struct):
    chat: Chat
    message_id: int
    date: int
    new_reaction: list[ReactionType]
    user: User | None = None
    actor_chat: Chat | None = None


_UPDATE = msgspec.json.Decoder(dict[str, Any])
# Service messages: no standard event corresponds to them.
_SERVICE = frozenset(
    "new_chat_members left_chat_member new_chat_title new_chat_photo delete_chat_photo group_chat_created"
    " supergroup_chat_created channel_chat_created message_auto_delete_timer_changed migrate_to_chat_id"
    " migrate_from_chat_id pinned_message connected_website write_access_allowed proximity_alert_triggered"
    " boost_added chat_background_set forum_topic_created forum_topic_edited forum_topic_closed"
    " forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden giveaway_created"
    " giveaway_completed video_chat_scheduled video_chat_started video_chat_ended"
    " video_chat_participants_invited users_shared chat_shared".split()
)
# Update kinds that a bot may get although `allowed_updates` does not name them; they have no standard event.
_UNINTERESTING = frozenset(
    "inline_query chosen_inline_result callback_query shipping_query pre_checkout_query purchased_paid_media"
    " poll poll_answer my_chat_member chat_member chat_join_request chat_boost removed_chat_boost"
    " message_reaction_count business_connection business_message edited_business_message"
    " deleted_business_messages".split()
)
# Field of a message -> our message type, in the order in which they are tried: an animation also fills
# `document`.
_FILES: dict[str, Literal["image", "video", "audio", "document", "sticker"]] = {
    "animation": "video",
    "video": "video",
    "video_note": "video",
    "audio": "audio",
    "voice": "audio",
    "sticker": "sticker",
    "document": "document",
}


def parse_updates(updates: Sequence[Raw], bot_id: str) -> tuple[list[ProviderEvent], int | None]:
    """The provider events of a `getUpdates` answer, in order, and the highest `update_id` in it."""
    events: list[ProviderEvent] = []
    highest: int | None = None
    for raw in updates:
        event, update_id = parse_update(bytes(raw), bot_id)
        events.append(event)
        if update_id is not None:
            highest = update_id if highest is None else max(highest, update_id)
    return events, highest


def parse_webhook(body: bytes, identity: str) -> list[Addressed]:
    """The update of a webhook request. `identity` is the bot's id. Never raises."""
    event, _ = parse_update(body, identity)
    return [Addressed(identity, event, body, _sent_at(event))]


def _sent_at(event: ProviderEvent) -> int | None:
    match event:
        case MessageReceived(sent_at=at) | MessageEdited(edited_at=at) | ReactionChanged(at=at):
            return at
    return None


def parse_update(raw: bytes, bot_id: str) -> tuple[ProviderEvent, int | None]:
    """The provider event of one update, and its `update_id`, None if it cannot be read. Never raises."""
    update: dict[str, Any] = {}
    update_id: int | None = None
    key = b""
    try:
        update = _UPDATE.decode(raw)
        update_id = msgspec.convert(update.get("update_id"), int)
        key = dedupe_key("telegram", bot_id, "update", update_id)
        return _parse(update, key, update_id), update_id
    except Exception as error:
        if not key:
            key = dedupe_key("telegram", bot_id, "raw", hashlib.sha256(raw).hexdigest())
        return _unparsed(update, key, raw, error), update_id


def _parse(update: dict[str, Any], key: bytes, update_id: int) -> ProviderEvent:
    kinds = [name for name in update if name != "update_id"]
    match kinds:
        case ["message" | "channel_post" as kind]:
            return _received(update[kind], key)
        case ["edited_message" | "edited_channel_post" as kind]:
            return _edited(update[kind], key)
        case ["message_reaction"]:
            return _reaction(update["message_reaction"], key, update_id)
        case [kind] if kind in _UNINTERESTING:
            return Ignored(key)
    raise ValueError("unknown_update")


def _received(payload: Any, key: bytes) -> ProviderEvent:
    message = msgspec.convert(payload, Message)
    content = _content(message)
    if content.type == "unknown" and not _SERVICE.isdisjoint(payload):
        return Ignored(key)
    return MessageReceived(key, conversation(message.chat), _author(message), content, message.date * 1000)


def _edited(payload: Any, key: bytes) -> ProviderEvent:
    message = msgspec.convert(payload, Message)
    at = (message.edit_date if message.edit_date is not None else message.date) * 1000
    return MessageEdited(key, conversation(message.chat), _author(message), _content(message), at)


def _reaction(payload: Any, key: bytes, update_id: int) -> ProviderEvent:
    reaction = msgspec.convert(payload, MessageReaction)
    newest = reaction.new_reaction[-1] if reaction.new_reaction else None
    return ReactionChanged(
        key,
        conversation(reaction.chat),
        _sender(reaction.user, reaction.actor_chat or reaction.chat),
        reaction_id=f"{reaction.message_id}.{update_id}",
        target_message_id=str(reaction.message_id),
        emoji="" if newest is None else newest.emoji or newest.custom_emoji_id or newest.type,
        at=reaction.date * 1000,
    )


def conversation(chat: Chat) -> Conversation:
    name = chat.title or " ".join(part for part in (chat.first_name, chat.last_name) if part)
    match chat.type:
        case "private":
            return Conversation(str(chat.id), "user", name)
        case "channel":
            return Conversation(str(chat.id), "channel", name)
        case _:
            return Conversation(str(chat.id), "group", name)


def _author(message: Message) -> Sender:
    return _sender(
        message.from_ if message.sender_chat is None else None, message.sender_chat or message.chat
    )


def _sender(user: User | None, chat: Chat) -> Sender:
    if user is None:
        known = conversation(chat)
        return Sender(known.id, known.type, known.title, chat.username)
    name = " ".join(part for part in (user.first_name, user.last_name) if part)
    return Sender(str(user.id), "user", name, user.username)


def _content(message: Message) -> Content:
    content = Content(str(message.message_id), "unknown", message.text or message.caption or "")
    if message.reply_to_message is not None:
        content.reply_to_message_id = str(message.reply_to_message.message_id)
    if message.text is not None:
        content.type = "text"
    elif message.photo:
        largest = max(message.photo, key=lambda size: size.file_size or 0)
        content.type, content.attachments = (
            "image",
            [Attachment("image", largest.file_id, size=largest.file_size)],
        )
    elif message.venue is not None:
        content.type, content.text = "location", _place(message.venue.location, message.venue)
    elif message.location is not None:
        content.type, content.text = "location", _place(message.location)
    elif message.contact is not None:
        content.type, content.text = "contact", message.contact.vcard or _vcard(message.contact)
    else:
        for field, kind in _FILES.items():
            file: File | None = getattr(message, field)
            if file is not None:
                content.type, content.attachments = kind, [_attachment(kind, file)]
                content.text = content.text or file.emoji
                break
    return content


def _attachment(kind: str, file: File) -> Attachment:
    return Attachment(
        type=kind,
        file_id=file.file_id,
        title=file.file_name or file.title,
        mime_type=file.mime_type,
        size=file.file_size,
        duration_ms=None if file.duration is None else file.duration * 1000,
    )


def _place(location: Location, venue: Venue | None = None) -> str:
    point = f"{location.latitude:.6f},{location.longitude:.6f}"
    return point if venue is None else "\n".join(part for part in (venue.title, venue.address, point) if part)


def _vcard(contact: Contact) -> str:
    name = f"{contact.first_name} {contact.last_name}".strip()
    return (
        "BEGIN:VCARD\nVERSION:3.0\n"
        f"N:{contact.last_name};{contact.first_name};;;\nFN:{name}\nTEL:{contact.phone_number}\nEND:VCARD"
    )


def _unparsed(update: dict[str, Any], key: bytes, raw: bytes, error: Exception) -> Unparsed:
    reason = "unknown_update" if str(error) == "unknown_update" else f"parse: {type(error).__name__}"
    unparsed = Unparsed(key, raw, reason)
    for name in ("message", "channel_post"):
        payload = update.get(name)
        if not isinstance(payload, dict):
            continue
        try:
            chat = msgspec.convert(payload.get("chat"), Chat)
            sender = msgspec.convert(payload.get("from"), User | None)
            unparsed.message_id = str(msgspec.convert(payload.get("message_id"), int))
            unparsed.sent_at = msgspec.convert(payload.get("date"), int) * 1000
        except msgspec.ValidationError:
            continue
        unparsed.conversation, unparsed.sender = conversation(chat), _sender(sender, chat)
    return unparsed
