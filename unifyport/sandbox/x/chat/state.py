"""What X's server knows of XChat: registered keys, conversations, events, files. It holds no private key.

https://docs.x.com/xchat/introduction. The server verifies signatures where it can, and gives each event a
sequence id, which grows over all conversations.
"""

from collections.abc import Callable

import attrs

from unifyport.providers.x.xchat.made import ActionSignature, WrappedKey


class ChatRefusal(Exception):
    """`kind`: `not_found`, `not_member`, `no_keys`, `old_key_version`, `bad_signature`, `invalid`,
    `too_large`, `rate_limited`.
    """

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(text or kind)
        self.kind = kind


@attrs.define
class RegisteredKey:
    """A public record of a user. `realm`: the `juicebox_config` that X gives to that user alone."""

    version: int
    identity: str
    signing: str
    binding: str
    realm: dict[str, object] | None = None


@attrs.define
class ChatEvent:
    """An event of a conversation. `encoded`: base64 of Thrift `MessageEvent`.

    `kind`: `message`, `key_change`, `group_change`, `delete`, `read`, … `previous`: the sequence id before it
    in the conversation.
    """

    sequence: int
    previous: int | None
    message_id: str
    sender: str
    conversation: str
    at: int
    kind: str
    encoded: str
    key_version: int | None = None


@attrs.define
class ChatConversation:
    """`id` as in signatures. `keys`: versions, with the event that brought each."""

    id: str
    members: set[str]
    admins: set[str] = attrs.field(factory=set)
    title: str = ""
    events: list[ChatEvent] = attrs.field(factory=list)
    keys: dict[int, ChatEvent] = attrs.field(factory=dict)
    muted: set[str] = attrs.field(factory=set)
    trusted: bool = True
    token: str = ""
    read: dict[str, int] = attrs.field(factory=dict)  # user -> sequence id


class ChatState:
    """`followers` are told of each event, and of the users that it is for (the sender is among them)."""

    def __init__(self) -> None:
        self.users: dict[str, list[RegisteredKey]] = {}
        self.conversations: dict[str, ChatConversation] = {}
        self.files: dict[str, bytes] = {}  # by media_hash_key
        self.followers: list[Callable[[ChatEvent, set[str]], None]] = []
        self.sequence = 1000

    def keys_of(self, user: str) -> list[RegisteredKey]:
        """All registered keys, the newest last; empty: the user has not set up XChat."""
        raise NotImplementedError

    def conversation(self, user: str, id_: str) -> ChatConversation:
        """By any name; made if both users of a pair exist. Raises `ChatRefusal`."""
        raise NotImplementedError

    def conversations_of(self, user: str) -> list[ChatConversation]:
        """Those with events, the newest first."""
        raise NotImplementedError

    def post(
        self,
        sender: str,
        conversation: str,
        *,
        message_id: str,
        content: str,
        signature: str,
        token: str = "",
    ) -> ChatEvent:
        """A message, as `encoded_message_create_event` and `encoded_message_event_signature`.

        A repetition with the same id gives the first event again. Raises `ChatRefusal`.
        """
        raise NotImplementedError

    def add_keys(
        self,
        sender: str,
        conversation: str,
        version: int,
        wrapped: list[WrappedKey],
        signed: list[ActionSignature],
    ) -> ChatEvent:
        """A new key of a conversation. Raises `ChatRefusal`."""
        raise NotImplementedError

    def create_group(
        self,
        sender: str,
        group: str,
        title: str,
        members: set[str],
        version: int,
        wrapped: list[WrappedKey],
        signed: list[ActionSignature],
    ) -> ChatConversation:
        """Raises `ChatRefusal`."""
        raise NotImplementedError

    def delete(
        self, sender: str, conversation: str, sequences: list[int], *, for_all: bool, signed: ActionSignature
    ) -> ChatEvent:
        """Raises `ChatRefusal`."""
        raise NotImplementedError

    def mark_read(self, reader: str, conversation: str, sequence: int, encoded: str = "") -> ChatEvent | None:
        """`encoded`: the signed event, where the client has made one; only then others are told."""
        raise NotImplementedError

    def append(self, event_b64: str, kind: str, *, key_version: int | None = None) -> ChatEvent:
        """Put an event as it is, whatever it says, into the conversation that it names: for hostile tests."""
        raise NotImplementedError

    def events_after(self, user: str, sequence: int) -> list[ChatEvent]:
        """What happened in the user's conversations after this sequence id, oldest first."""
        raise NotImplementedError

    def new_group_id(self) -> str:
        raise NotImplementedError

    def upload(self, data: bytes) -> str:
        """Keep an encrypted file; its `media_hash_key`."""
        raise NotImplementedError
