"""What the played LINE knows: channels, their users, groups and tokens."""

import hashlib
import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs

from ..platform import KEPT

REPLY_SECONDS = 60.0
STATELESS_SECONDS = 900
RETRY_SECONDS = 86_400.0


def id_of(prefix: str, name: str) -> str:
    """An id as LINE's: a letter and 32 hexadecimal digits, the same for each name."""
    return prefix + hashlib.sha256(f"{prefix}{name}".encode()).hexdigest()[:32]


@attrs.define
class User:
    id: str
    name: str
    friend: bool = True  # False: they have blocked the account
    menu: str = ""


@attrs.define
class Chat:
    """A group, or a room, which has no name."""

    id: str
    name: str
    members: dict[str, User] = attrs.field(factory=dict)
    joined: bool = True  # whether the account is in it


@attrs.define
class ReplyToken:
    chat: str
    expires_at: float
    used: bool = False


@attrs.define
class Content:
    content: bytes
    mime_type: str
    processing: int = 0  # how often it is still to be told that it is being prepared


@attrs.define
class Accepted:
    """A push under a retry key."""

    request_id: str
    sent: list[dict[str, Any]]
    at: float


@attrs.define
class Channel:
    """A Messaging API channel with its bot. `usage`: messages of this month, replies not counted."""

    id: str
    secret: str
    endpoint: str = ""
    active: bool = True
    chat: bool = True  # the console's "Chat": messages then have read tokens
    quota: int | None = None
    usage: int = 0
    users: dict[str, User] = attrs.field(factory=dict)
    chats: dict[str, Chat] = attrs.field(factory=dict)
    reply_tokens: dict[str, ReplyToken] = attrs.field(factory=dict)
    quote_tokens: set[str] = attrs.field(factory=set)
    read_tokens: dict[str, str] = attrs.field(factory=dict)  # -> message id
    contents: dict[str, Content] = attrs.field(factory=dict)
    accepted: dict[str, Accepted] = attrs.field(factory=dict)  # by retry key
    requests: deque[tuple[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))  # (`push`, body)
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    dropped: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))  # to who blocked it
    read: deque[str] = attrs.field(factory=lambda: deque(maxlen=KEPT))  # message ids
    loading: deque[str] = attrs.field(factory=lambda: deque(maxlen=KEPT))  # user ids
    clock: Callable[[], float] = time.time
    _numbers: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1))

    @property
    def bot(self) -> str:
        return id_of("U", f"bot {self.id}")

    def user(self, name: str) -> User:
        """The user of a name or of an id; one who is new is a friend."""
        id_ = name if len(name) == 33 and name[0] == "U" else id_of("U", name)
        return self.users.setdefault(id_, User(id_, f"User {name[:20]}"))

    def group(self, name: str, prefix: str = "C") -> Chat:
        id_ = name if len(name) == 33 and name[0] == prefix else id_of(prefix, name)
        return self.chats.setdefault(id_, Chat(id_, f"Group {name[:20]}"))

    def message_id(self) -> str:
        return str(500_000_000_000_000_000 + int(self.id) % 1_000_000 * 1_000_000_000 + next(self._numbers))

    def new_reply_token(self, chat: str) -> str:
        token = os.urandom(16).hex()
        self.reply_tokens[token] = ReplyToken(chat, self.clock() + REPLY_SECONDS)
        return token

    def new_quote_token(self) -> str:
        token = f"q{os.urandom(24).hex()}"
        self.quote_tokens.add(token)
        return token

    def new_read_token(self, message_id: str) -> str:
        token = f"r{os.urandom(24).hex()}"
        self.read_tokens[token] = message_id
        return token

    def member_of(self, chat_id: str) -> bool:
        chat = self.chats.get(chat_id)
        return chat is not None and chat.joined
