"""Chats and users of the Bot API -> conversations and senders."""

from collections.abc import Mapping
from typing import Any

import msgspec

from unifyport.model.inbound import Conversation, Identity, Sender

from .shapes import Chat, Head, Named, User

_BUSINESS, _GUEST = "business", "guest"
_CORE = ("message_id", "date", "chat", "from", "sender_chat")


def head_of(message: Mapping[str, Any]) -> Head:
    """The head of a message. Raises `ValidationError` if its sender, chat, number or date cannot be read."""
    try:
        return msgspec.convert(message, Head)
    except msgspec.ValidationError:
        return msgspec.convert({name: message[name] for name in _CORE if name in message}, Head)


def conversation(chat: Chat, business: str | None = None, guest: str | None = None) -> Conversation:
    """The conversation of a chat.

    A chat that the bot sees through a business connection, or as a guest, may have the number of a chat of
    the bot itself, and is another conversation: its id names the connection.
    """
    number = str(chat.id)
    if business:
        number = f"{_BUSINESS}:{business}:{number}"
    elif guest:
        number = f"{_GUEST}:{number}"
    kinds = {"private": "user", "channel": "channel"}
    kind = kinds.get(chat.type, "group")
    return Conversation(number, kind, full_name(chat), _identities("chat_id", chat))  # type: ignore[arg-type]


def split_id(conversation_id: str) -> tuple[str, str | None]:
    """(chat id, business connection id or None) of a conversation's id."""
    match conversation_id.split(":", 2):
        case [prefix, connection, chat] if prefix == _BUSINESS:
            return chat, connection
    return conversation_id, None


def sender(user: User | None, chat: Chat) -> Sender:
    """The user, or the chat in whose name a message was sent."""
    if user is None:
        known = conversation(chat)
        return Sender(known.id, known.type, known.title, chat.username, identities=known.identities)
    return Sender(
        str(user.id), "user", full_name(user), user.username, identities=_identities("user_id", user)
    )


def author(head: Head) -> Sender:
    return sender(head.from_ if head.sender_chat is None else None, head.sender_chat or head.chat)


def full_name(who: User | Chat | Named) -> str:
    title = getattr(who, "title", "")
    return title or " ".join(part for part in (who.first_name, who.last_name) if part)


def _identities(kind: str, who: User | Chat) -> list[Identity]:
    username = [Identity("username", who.username)] if who.username else []
    return [Identity(kind, str(who.id)), *username]
