"""Ids of chats, users and messages, and the chat of a message. Pure."""

from typing import Any

from unifyport.model.inbound import Conversation, dedupe_key

from .structures import USER, Message

LONGEST_ID = 64
LONGEST_NAME = 512
LATEST = 253_402_300_800_000  # unix ms: the year 10,000


def message_key_of(account: str, message: Message) -> bytes:
    """The key of a message: the same for an operation and for history."""
    return dedupe_key("line-device", account, "message", id_of(message.id))


def conversation_of(mid: str) -> Conversation:
    """A chat by its mid: `u…` is a user, `c…` a group, `r…` a room."""
    return Conversation(mid, "user" if mid.startswith("u") else "group")


def chat_of(message: Message, account: str) -> Conversation:
    """The chat of a message: in a chat of two the other user. Raises `ValueError`."""
    sender, to = id_of(message.sender), id_of(message.to)
    if message.to_type not in (None, USER) or not to.startswith("u"):
        return conversation_of(to)
    return conversation_of(to if sender == account else sender)


def time_of(value: int | None) -> int:
    """A time, unix ms; 0 where there is none that can be."""
    return value if value is not None and 0 <= value < LATEST else 0


def name_of(value: str | None) -> str:
    """A name as it is shown, cut to `LONGEST_NAME`."""
    return (value or "")[:LONGEST_NAME]


def picture_of(path: str | None, url: str) -> str:
    """The address of a profile's picture; empty where there is none."""
    return f"{url}{path}" if path and path.startswith("/") and len(path) < LONGEST_NAME else ""


def is_id(value: Any) -> bool:
    """Whether it can be the id of a user, chat or message."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isascii() and value.isalnum()


def id_of(value: Any) -> str:
    """An id of a user, chat or message. Raises `ValueError`."""
    if not is_id(value):
        raise ValueError("an id that is none")
    assert isinstance(value, str)
    return value
