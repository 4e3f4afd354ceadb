"""Messages of webhooks -> events: of the customer, of the owner (an echo), of our own sends (a status).

TikTok reports everything that the business sends, also what went through the API, and possibly before the
answer to that send. It repeats no id of ours. So what came through the API is the status `sent` of a message,
with the item beside it; what the owner wrote in the app or on the web is `message_echo`.
"""

from typing import Any

import msgspec

from unifyport.model.inbound import (
    Button,
    Content,
    Conversation,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Sender,
    Status,
    StatusChanged,
)

from . import shapes
from .items import Item, chat_with, customer
from .kinds import KINDS, Said

_THROUGH_API = "API"
_REACTION = "reaction"
_CORE = ("message_id", "conversation_id", "from_user", "timestamp")
_NO_CHARACTER = "[ai_emoji]"  # a picture that stands for no character


def read_head(item: Item) -> shapes.Message:
    """Raises `ValidationError`."""
    return msgspec.convert(item.content, shapes.Message)


def read_core(item: Item) -> shapes.Message:
    """What a message must have, without the rest. Raises `ValidationError`."""
    return msgspec.convert(
        {name: item.content[name] for name in _CORE if name in item.content}, shapes.Message
    )


def message_events(item: Item) -> list[ProviderEvent]:
    """The events of `im_receive_msg` and `im_send_msg`. Raises `ValueError`, `ValidationError`."""
    message = read_head(item)
    if not message.message_id:
        raise ValueError("no message id")
    outbound = item.event == "im_send_msg" or str(message.from_user.id) == item.business
    chat, who = place_of(item, message, outbound=outbound)
    if message.type == _REACTION:
        return [
            _reaction(item, message, chat, who, number=number, outbound=outbound)
            for number in range(len(_reactions(item)))
        ]
    at = time_of(item, message)
    id_ = str(message.message_id)
    if not outbound:
        return [MessageReceived(item.key("message", id_), chat, who, _content(item, message), at)]
    if message.message_tag.source == _THROUGH_API:
        return [StatusChanged(item.key("sent", id_), chat, [id_], Status.SENT, at)]
    details = {"change": "sent", "source": message.message_tag.source}
    details |= {"auto_message_type": message.auto_message_type}
    echo = _echo(item, item.key("echo", id_), at, chat, {k: v for k, v in details.items() if v})
    echo.content = _content(item, message)
    return [echo]


def place_of(item: Item, head: shapes.Head, *, outbound: bool = False) -> tuple[Conversation, Sender]:
    """The conversation, and the customer in it. Raises `ValueError` if either has no id."""
    person, name = (head.to_user, head.to) if outbound else (head.from_user, head.from_)
    who = customer(str(person.id), name, str(head.unique_identifier))
    return chat_with(str(head.conversation_id), who), who


def time_of(item: Item, head: shapes.Head) -> int:
    """Unix ms. Raises `ValueError` where neither the content nor the webhook says it."""
    at = head.timestamp if head.timestamp is not None else item.at
    if at is None:
        raise ValueError("no time")
    return at


def _content(item: Item, message: shapes.Message) -> Content:
    kind = KINDS.get(message.type)
    content = Content(
        str(message.message_id),
        "unknown",
        reply_to_message_id=str(message.referenced_message_info.referenced_message_id) or None,
        kind=message.type,
    )
    if kind is None:
        content.text, content.unsupported = f"[unsupported: {message.type or 'message'}]", True
        return content
    said: Said = kind.say(msgspec.convert(item.content.get(message.type, {}), kind.shape), message)
    content.type, content.text = kind.type, said.text
    content.attachments, content.fields = said.files, said.fields
    pressed = str(message.reply_source_payload.reply_source_unique_id)
    if pressed:
        content.button = Button(pressed, said.text)
    return content


def _reactions(item: Item) -> list[shapes.Reaction]:
    """At least one. Raises `ValidationError`, `ValueError`."""
    given = item.content.get(_REACTION)
    found = msgspec.convert([given] if isinstance(given, dict) else given, list[shapes.Reaction])
    if not found:
        raise ValueError("no reaction")
    return found


def _reaction(
    item: Item, message: shapes.Message, chat: Conversation, who: Sender, *, number: int, outbound: bool
) -> ProviderEvent:
    """One reaction of a message that has some. An emoji that is a picture is `[ai_emoji]`."""
    reaction = _reactions(item)[number]
    at = reaction.timestamp if reaction.timestamp is not None else time_of(item, message)
    target, id_ = str(reaction.original_msg_id), str(message.message_id)
    emoji = "" if reaction.operation == "REMOVE" else reaction.emoji or _NO_CHARACTER
    told = (reaction.operation, target, reaction.emoji, reaction.type, str(reaction.unique_identifier))
    key = item.key(_REACTION, id_, str(number), str(at), *told)
    if not outbound:
        return ReactionChanged(key, chat, who, id_, target, emoji, at)
    details = {"change": _REACTION, "target_message_id": target, "reaction": emoji}
    return _echo(item, key, at, chat, details)


def _echo(item: Item, key: bytes, at: int, chat: Conversation, details: dict[str, Any]) -> PlatformEvent:
    owner = Sender(item.business)
    return PlatformEvent(key, "message_echo", at, chat, owner, direction="outbound", details=details)
