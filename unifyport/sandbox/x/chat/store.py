"""The server's store of XChat: registered keys, conversations, events with their sequence ids, files."""

import itertools
import secrets
import time
from collections.abc import Callable
from typing import Any

from unifyport.protocols.xchat import (
    Failure,
    MessageEvent,
    MessageEventDetail,
    MessageEventSignature,
    ReadMark,
    encode_event,
)
from unifyport.providers.x.xchat.ids import GROUP, conversation_of

from .realm import Realms
from .shapes import ChatConversation, ChatEvent, ChatRefusal, RegisteredKey, event_of


class ChatStore:
    """`followers` are told of each event, and of the users that it is for (the sender is among them).

    `exists`: whether there is a user of this id.
    """

    def __init__(self, exists: Callable[[str], bool]) -> None:
        self.exists = exists
        self.realms = Realms()
        self.users: dict[str, list[RegisteredKey]] = {}
        self.conversations: dict[str, ChatConversation] = {}
        self.files: dict[str, bytes] = {}  # by media_hash_key
        self.followers: list[Callable[[ChatEvent, set[str]], None]] = []
        self._sequences = itertools.count(2_000_000_000_000_001)
        self._groups = itertools.count(1_900_000_000_000_001)

    # -- keys ------------------------------------------------------------------------------------------------

    def keys_of(self, user: str) -> list[RegisteredKey]:
        """All registered keys, the newest last; empty: the user has not set up XChat."""
        return list(self.users.get(user, ()))

    def realm_of(self, key: RegisteredKey) -> dict[str, Any] | None:
        """`juicebox_config` of a key, which X gives to its user alone."""
        return self.realms.config(key.user, key.version) if key.in_realm else None

    def register(self, key: RegisteredKey) -> None:
        self.users.setdefault(key.user, []).append(key)

    # -- conversations ---------------------------------------------------------------------------------------

    def conversation(self, user: str, id_: str) -> ChatConversation:
        """By any name; made if both users of a pair exist. Raises `ChatRefusal`."""
        name = conversation_of(user, id_)
        if name is None:
            raise ChatRefusal("not_found")
        found = self.conversations.get(name)
        if found is None:
            if GROUP.fullmatch(name) or not all(map(self.exists, name.split(":"))):
                raise ChatRefusal("not_found")
            found = self.conversations[name] = ChatConversation(name, set(name.split(":")))
        if user not in found.members:
            raise ChatRefusal("not_member")
        return found

    def conversations_of(self, user: str) -> list[ChatConversation]:
        """Those with events, the newest first."""
        found = [each for each in self.conversations.values() if user in each.members and each.events]
        return sorted(found, key=lambda each: each.events[-1].sequence, reverse=True)

    def new_group_id(self) -> str:
        return f"g{next(self._groups)}"

    # -- events ----------------------------------------------------------------------------------------------

    def append(self, encoded: str, kind: str, *, key_version: int | None = None) -> ChatEvent:
        """Put an event into the conversation that it names, whatever it says, with a sequence id.

        Raises `ChatRefusal`.
        """
        event = event_of(encoded)
        place = self.conversations.get(event.conversation_id or "")
        if place is None:
            raise ChatRefusal("not_found")
        detail = event.detail or MessageEventDetail()
        return self._add(
            place,
            event.sender_id or "",
            event.message_id or "",
            detail,
            event.signature,
            kind,
            version=key_version,
        )

    def fail(self, sender: str, conversation: str, message_id: str, number: int) -> str:
        """The event by which the server says that it has not taken a message; it is kept nowhere."""
        detail = MessageEventDetail(failure=Failure(number))
        return encode_event(
            self._made(self.conversation(sender, conversation), sender, message_id, detail, None)
        )

    def upload(self, data: bytes) -> str:
        """Keep an encrypted file; its `media_hash_key`."""
        key = secrets.token_hex(16)
        self.files[key] = data
        return key

    # -- their parts -----------------------------------------------------------------------------------------

    def _add(
        self,
        place: ChatConversation,
        sender: str,
        message_id: str,
        detail: MessageEventDetail,
        signature: MessageEventSignature | None,
        kind: str,
        *,
        version: int | None = None,
    ) -> ChatEvent:
        event = self._made(place, sender, message_id, detail, signature)
        made = ChatEvent(
            int(event.sequence_id or 0),
            place.events[-1].sequence if place.events else None,
            message_id,
            sender,
            place.id,
            int(event.created_at_msec or 0),
            kind,
            encode_event(event),
            version,
        )
        place.events.append(made)
        if kind == "key_change" and version is not None:
            place.keys[version] = made
        for follower in self.followers:
            follower(made, set(place.members))
        return made

    def _made(
        self,
        place: ChatConversation,
        sender: str,
        message_id: str,
        detail: MessageEventDetail,
        signature: MessageEventSignature | None,
    ) -> MessageEvent:
        return MessageEvent(
            str(next(self._sequences)),
            message_id,
            sender,
            place.id,
            place.token,
            str(time.time_ns() // 1_000_000),
            detail,
            signature=signature,
            previous_sequence_id=str(place.events[-1].sequence) if place.events else None,
            is_trusted=place.trusted,
        )


def read_detail(sequence: int) -> MessageEventDetail:
    """The detail of a read mark."""
    return MessageEventDetail(read=ReadMark(str(sequence), time.time_ns() // 1_000_000))
