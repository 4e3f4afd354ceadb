"""A message of the Bot API -> what it says: the content by its kind, and what stands beside the content.

`BESIDE` has a row for each field that every kind of message may have and that an event shows by a name: where
a message was forwarded from, what it answers, the album or topic that it belongs to. A field of a wrong type
is left out there; it is in `provider_data` all the same.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from unifyport.model.entities import in_code_points
from unifyport.model.inbound import Content

from . import shapes
from .kinds import KINDS, Kind, Said
from .people import full_name

_Entities = list[dict[str, Any]]


def kind_of(message: Mapping[str, Any]) -> str | None:
    """The kind of a message, None if it has none of `KINDS`."""
    for name in KINDS:
        if message.get(name) is not None:
            return name
    return None


def content(message: Mapping[str, Any], head: shapes.Head, update_id: int) -> Content:
    """What a message says. Raises `ValidationError` if the field of its kind has another shape."""
    name = kind_of(message)
    if name is None:
        found = _unsupported(message, head, update_id)
    else:
        kind: Kind[Any] = KINDS[name]
        said: Said = kind.say(msgspec.convert(message[name], kind.shape))
        text = said.text
        caption = message.get("caption")
        if isinstance(caption, str) and caption:
            text, said.entities = caption, _entities(caption, message.get("caption_entities"))
        elif name == "text":
            said.entities = _entities(text, message.get("entities"))
        if not text and not said.files:
            text = f"[{name}]"
        found = Content(message_id(head, update_id), kind.type, text, said.files, kind=name)
        found.entities, found.fields = said.entities, said.fields
    found.reply_to_message_id = _replied(message, head)
    for field in message:
        if field in BESIDE and message[field] is not None:
            shape, show = BESIDE[field]
            with contextlib.suppress(msgspec.ValidationError):
                found.fields |= show(msgspec.convert(message[field], shape))
    return found


def message_id(head: shapes.Head, update_id: int) -> str:
    """The id of a message; of one that has no number of its own, an id that no other message has.

    Ephemeral and scheduled messages have the number 0, and the platform uses the ids of ephemeral ones again.
    """
    if head.message_id:
        return str(head.message_id)
    if head.ephemeral_message_id is not None:
        return f"ephemeral:{head.ephemeral_message_id}:{update_id}"
    return f"update:{update_id}"


def _unsupported(message: Mapping[str, Any], head: shapes.Head, update_id: int) -> Content:
    """A message of a kind that is on no list: by the field that is on none."""
    unknown = [name for name in message if name not in ACCOMPANYING and message[name] is not None]
    name = unknown[0] if unknown else "message"
    text = f"[unsupported: {name}]"
    for field in ("caption", "text"):
        if isinstance(message.get(field), str) and message[field]:
            text = message[field]
    return Content(message_id(head, update_id), "unknown", text, kind=name, unsupported=True)


def _replied(message: Mapping[str, Any], head: shapes.Head) -> str | None:
    """The message that this one replies to. All messages of a topic refer to its first one: no reply."""
    replied = message.get("reply_to_message")
    number = replied.get("message_id") if isinstance(replied, dict) else None
    if type(number) is not int or not number:
        return None
    if head.is_topic_message and number == head.message_thread_id:
        return None
    return str(number)


def _entities(text: str, entities: Any) -> _Entities:
    if entities is None:
        return []
    with contextlib.suppress(msgspec.ValidationError):
        msgspec.convert(entities, list[shapes.Entity])
        return in_code_points(text, entities)
    return []


def _quote(quote: shapes.Quote) -> dict[str, Any]:
    shown: dict[str, Any] = {"text": quote.text, "is_manual": quote.is_manual}
    entities = _entities(quote.text, quote.entities)
    return {"quote": shown | ({"entities": entities} if entities else {})}


def _origin(origin: shapes.Origin) -> dict[str, Any]:
    """The person or the chat where a message comes from: `name`, `id` if it is known, the message there."""
    who = origin.sender_user or origin.sender_chat or origin.chat
    shown: dict[str, Any] = {"type": origin.type}
    name = origin.sender_user_name if who is None else full_name(who)
    if who is not None:
        shown["id"] = str(who.id)
    if name:
        shown["name"] = name
    if origin.message_id is not None:
        shown["message_id"] = str(origin.message_id)
    return shown


def _external_reply(elsewhere: shapes.Elsewhere) -> dict[str, Any]:
    shown: dict[str, Any] = {"origin": _origin(elsewhere.origin)}
    if elsewhere.chat is not None:
        shown["conversation_id"] = str(elsewhere.chat.id)
    if elsewhere.message_id is not None:
        shown["message_id"] = str(elsewhere.message_id)
    return {"external_reply": shown}


def _as(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: str(value)}


# Field -> its shape, and the fields of the message that it becomes in an event.
BESIDE: dict[str, tuple[Any, Callable[[Any], dict[str, Any]]]] = {
    "author_signature": (str, _as("author_signature")),
    "business_connection_id": (str, _as("business_connection_id")),
    "direct_messages_topic": (shapes.Topic, lambda topic: {"direct_messages_topic_id": str(topic.topic_id)}),
    "ephemeral_message_id": (int, _as("ephemeral_message_id")),
    "external_reply": (shapes.Elsewhere, _external_reply),
    "forward_origin": (shapes.Origin, lambda origin: {"forwarded": True, "forward_origin": _origin(origin)}),
    "guest_query_id": (str, _as("guest_query_id")),
    "media_group_id": (str, _as("media_group_id")),
    "message_thread_id": (int, _as("thread_id")),
    "quote": (shapes.Quote, _quote),
    "reply_to_checklist_task_id": (int, _as("reply_to_checklist_task_id")),
    "reply_to_poll_option_id": (str, _as("reply_to_poll_option_id")),
    "reply_to_story": (shapes.Story, lambda story: {"reply_to_story_id": str(story.id)}),
    "via_bot": (shapes.Named, lambda bot: {"via_bot": {"id": str(bot.id), "username": bot.username}}),
}
# Every other field that may stand beside the content of a message.
ACCOMPANYING = frozenset(BESIDE) | frozenset(
    "message_id date chat from sender_chat sender_boost_count sender_business_bot sender_tag is_topic_message"
    " is_automatic_forward reply_to_message guest_bot_caller_user guest_bot_caller_chat edit_date"
    " has_protected_content is_from_offline is_paid_post paid_star_count entities link_preview_options"
    " suggested_post_info effect_id caption caption_entities show_caption_above_media has_media_spoiler"
    " reply_markup receiver_user"
    # until Bot API 7.0
    " forward_date forward_from forward_from_chat forward_from_message_id forward_sender_name"
    " forward_signature".split()
)
