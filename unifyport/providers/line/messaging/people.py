"""Sources of events -> conversations and senders.

A source is a user, a group chat or a multi-person chat (`room`). LINE names the user of a group only if they
have agreed to that (https://developers.line.biz/en/docs/messaging-api/user-consent/), and no names at all:
those are looked up.
"""

import re

from unifyport.model.inbound import Conversation, Identity, Sender

from .items import checked_id
from .shapes import Head, Source

_ID = re.compile(r"[UCR][0-9a-f]{32}")
USER, GROUP, ROOM = "U", "C", "R"


def is_id(text: str) -> bool:
    """Whether it is the id of a user, a group or a room (#source-user: `U[0-9a-f]{32}`)."""
    return _ID.fullmatch(text) is not None


def conversation_of(source: Source) -> Conversation:
    """Raises `ValueError` for a source without an id."""
    group = source.group_id or source.room_id
    if source.type in ("group", "room") or group:
        return Conversation(checked_id(group), "group", identities=[Identity("chat_id", group)])
    user = checked_id(source.user_id)
    return Conversation(user, "user", identities=[Identity("user_id", user)])


def sender_of(source: Source) -> Sender:
    """The user; the chat itself, where LINE does not name the user. Raises `ValueError`."""
    if source.user_id:
        user = checked_id(source.user_id)
        return Sender(user, "user", identities=[Identity("user_id", user)])
    chat = conversation_of(source)
    return Sender(chat.id, chat.type, identities=chat.identities)


def source_of(head: Head) -> Source:
    """Raises `ValueError` for an event without a source."""
    if head.source is None:
        raise ValueError("no source")
    return head.source
