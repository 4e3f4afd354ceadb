"""Updates of the Bot Platform -> provider events. Pure.

https://bot.zaloplatforms.com/docs/webhook. An update is `{event_name, message}`; a webhook may wrap it as
`{ok, result}`, and what `getUpdates` returns may lack `event_name`. `KINDS` is the table of what is known.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import (
    Attachment,
    Content,
    Conversation,
    Identity,
    MessageReceived,
    MessageType,
    PlatformEvent,
    ProviderEvent,
    Sender,
    Unparsed,
    dedupe_key,
    raw_key,
)
from unifyport.model.json_text import decode_object, without_nulls
from unifyport.model.provider_data import Redactions, provider_data
from unifyport.providers.contract.ingress import Addressed

from ..items import milliseconds, usable
from ..media import file_at
from .shapes import Body, Head

# URLs of files, which open without a credential.
REDACTIONS: Redactions = {"message": frozenset({"photo_url", "photo", "voice_url", "url"})}
_PREFIX, _SUFFIX = "message.", ".received"


@attrs.frozen
class Kind:
    type: MessageType
    say: Callable[[Body, str], tuple[str, list[Attachment]]]  # body, message id -> text, files


def _image(body: Body, message_id: str) -> tuple[str, list[Attachment]]:
    return body.caption, _files("image", body.photo_url or body.photo, message_id)


def _sticker(body: Body, message_id: str) -> tuple[str, list[Attachment]]:
    return "", _files("sticker", body.url, body.sticker or message_id)


def _voice(body: Body, message_id: str) -> tuple[str, list[Attachment]]:
    return "", _files("audio", body.voice_url, message_id)


def _files(kind: str, url: str, file_id: str) -> list[Attachment]:
    return [file_at(url, kind, file_id)] if url else []


KINDS: dict[str, Kind] = {
    "text": Kind("text", lambda body, _: (body.text, [])),
    "link": Kind("text", lambda body, _: (body.text or body.url, [])),
    "image": Kind("image", _image),
    "sticker": Kind("sticker", _sticker),
    "voice": Kind("audio", _voice),
    # What the platform does not hand on, and messages of users who are protected from bots.
    "unsupported": Kind("unknown", lambda body, _: (body.text or "[unsupported: message]", [])),
}
# Field that only messages of this kind have, for updates that do not say their event.
_BY_FIELD = {
    "photo_url": "image",
    "photo": "image",
    "voice_url": "voice",
    "sticker": "sticker",
    "text": "text",
}


def parse_webhook(body: bytes, identity: str) -> list[Addressed]:
    """The update of a webhook. Never raises."""
    event = parse_update(body, identity)
    return [Addressed(identity, event, body, _time_of(event))]


def parse_update(raw: bytes, bot: str) -> ProviderEvent:
    """The event of an update of the bot with the identity `bot`. Never raises."""
    try:
        whole = decode_object(raw)
        item = whole["result"] if isinstance(whole.get("result"), dict) else whole
        event = _event_of(without_nulls(item), raw, bot)
        event.provider_data = provider_data(item, raw, REDACTIONS)
    except Exception as error:
        return Unparsed(raw_key("zalo", bot, raw), raw, f"parse: {type(error).__name__}")
    return event


def _event_of(update: Mapping[str, Any], raw: bytes, bot: str) -> MessageReceived | PlatformEvent | Unparsed:
    message = update.get("message")
    name = update.get("event_name")
    if not isinstance(message, dict):
        if not isinstance(name, str) or not name:
            raise ValueError("neither an event nor a message")
        return PlatformEvent(raw_key("zalo", bot, raw), name, None)
    kind = _kind_of(name, message)
    if kind is None:
        return _reported(str(name), message, raw, bot)
    head = msgspec.convert(message, Head)
    chat, who = _conversation(head), _sender(head)
    at = milliseconds(head.date)
    event_name = f"{_PREFIX}{kind}{_SUFFIX}"
    key = dedupe_key("zalo", bot, event_name, head.chat.id, head.from_.id, head.message_id)
    if not head.message_id:
        key = raw_key("zalo", bot, raw)
    message_id = usable(head.message_id or f"item:{key.hex()}")
    try:
        content = _content(kind, message, message_id)
    except Exception as error:
        reason = f"parse: {type(error).__name__}"
        return Unparsed(key, raw, reason, chat, who, message_id, at)
    if head.from_.is_bot and head.from_.id == bot:
        return PlatformEvent(key, "message_echo", at, chat, who, content, "outbound")
    return MessageReceived(key, chat, who, content, at)


def _kind_of(name: Any, message: Mapping[str, Any]) -> str | None:
    """The kind of a message, without prefix and suffix of its event; None: it is no new message."""
    if not isinstance(name, str) or not name:
        return next((kind for field, kind in _BY_FIELD.items() if field in message), "message")
    if not name.startswith(_PREFIX) or not name.endswith(_SUFFIX):
        return None
    kind = name[len(_PREFIX) : -len(_SUFFIX)]
    return None if kind == "reaction" else kind


def _content(kind: str, message: Mapping[str, Any], message_id: str) -> Content:
    body = msgspec.convert(message, Body)
    known = KINDS.get(kind)
    if known is None:
        text = body.text or body.caption or f"[unsupported: {kind}]"
        return Content(message_id, "unknown", text, kind=kind, unsupported=True)
    text, files = known.say(body, message_id)
    found = Content(message_id, known.type, text if text or files else f"[{kind}]", files, kind=kind)
    if kind == "sticker" and body.sticker:
        found.fields["sticker_id"] = body.sticker
    if kind == "voice":
        found.fields["voice"] = True
    return found


def _reported(name: str, message: Mapping[str, Any], raw: bytes, bot: str) -> PlatformEvent:
    """An event that is no new message, with its place as far as it can be read."""
    event = PlatformEvent(raw_key("zalo", bot, raw), name, None)
    with contextlib.suppress(msgspec.ValidationError, ValueError):
        head = msgspec.convert(message, Head)
        event.conversation, event.sender = _conversation(head), _sender(head)
        event.at = milliseconds(head.date)
        if head.message_id:
            event.details = {"message_id": head.message_id}
    return event


def _conversation(head: Head) -> Conversation:
    group = head.chat.chat_type.upper() == "GROUP"
    id_ = usable(head.chat.id)
    title = "" if group else head.from_.shown
    return Conversation(id_, "group" if group else "user", title, [Identity("chat_id", id_)])


def _sender(head: Head) -> Sender:
    id_ = usable(head.from_.id)
    return Sender(
        id_, "bot" if head.from_.is_bot else "user", head.from_.shown, identities=[Identity("user_id", id_)]
    )


def _time_of(event: ProviderEvent) -> int | None:
    return getattr(event, "sent_at", None) or getattr(event, "at", None)
