"""What is known where an update is read."""

from collections.abc import Mapping
from typing import Any

import attrs

from unifyport.model.inbound import Conversation, dedupe_key

from ..bot.people import conversation, sender
from ..bot.shapes import Chat, User
from .peer import SUPERGROUP, USER, Known, Peer, id_of


@attrs.define
class Context:
    """What is known where an update is read.

    `own`: it is part of the answer to a call of ours, so that it tells the caller nothing new. `settled`: ids
    of messages whose send was recorded and not answered -> its `client_ref`. `chats`: of messages that are
    deleted, where the platform names no conversation. `reacted`: (conversation, message) -> reactions before.
    """

    me: int
    known: Known
    now: int  # unix ms
    own: bool = False
    answered: frozenset[int] = frozenset()  # ids of messages that our sends were answered with
    settled: Mapping[int, str] = attrs.field(factory=dict)
    chats: Mapping[int, int] = attrs.field(factory=dict)
    reacted: Mapping[tuple[int, int], dict[str, str]] = attrs.field(factory=dict)
    gone: frozenset[int] = frozenset()  # channels that the account has just left or was removed from

    def key(self, *fields: str | int) -> bytes:
        return dedupe_key("telegram", str(self.me), *fields)

    def is_own(self, message: Any) -> bool:
        """Whether the account wrote it. The platform does not mark every post of a channel as such; in one in
        which the account posts, posts are what it says, and not what it is told.
        """
        return bool(message.out) or (bool(message.post) and self.peer(id_of(message.peer_id)).is_own)

    def peer(self, id_: int) -> Peer:
        found = self.known.get(id_)
        if found is None:
            found = Peer(id_, USER if id_ > 0 else "group" if id_ > -(10**12) else SUPERGROUP)
        return found

    def conversation(self, id_: int) -> Conversation:
        peer = self.peer(id_)
        return conversation(Chat(id_, peer.type, peer.title, peer.first_name, peer.last_name, peer.username))

    def sender(self, id_: int) -> Any:
        peer = self.peer(id_)
        chat = Chat(id_, peer.type, peer.title, peer.first_name, peer.last_name, peer.username)
        user = User(id_, peer.first_name, peer.last_name, peer.username) if id_ > 0 else None
        found = sender(user, chat)
        found.phone = peer.phone
        return found
