"""What X's server does for clients of XChat. It holds no private key.

https://docs.x.com/xchat/introduction. It verifies no signature: a client that is lied to by a server must
find out. It gives each event a sequence id, which grows over all conversations.
"""

from collections.abc import Sequence

from unifyport.protocols.xchat import (
    KeyChange,
    MessageCreate,
    MessageEventDetail,
    MessageEventSignature,
    ParticipantKey,
)
from unifyport.providers.x.xchat.ids import GROUP
from unifyport.providers.x.xchat.made import ActionSignature, WrappedKey

from .shapes import (
    ChatConversation,
    ChatEvent,
    ChatRefusal,
    RegisteredKey,
    decoded,
    has_key_change,
    signature_of,
)
from .store import ChatStore

MAX_CONTENT = 256 * 1024

__all__ = ["ChatConversation", "ChatEvent", "ChatRefusal", "ChatState", "RegisteredKey"]


class ChatState(ChatStore):
    """The commands of clients."""

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
        place = self.conversation(sender, conversation)
        for known in place.events:
            if (known.sender, known.message_id, known.kind) == (sender, message_id, "message"):
                return known
        if len(content) > MAX_CONTENT:
            raise ChatRefusal("too_large")
        create, signed = decoded(MessageCreate, content), decoded(MessageEventSignature, signature)
        version = int(create.conversation_key_version or 0)
        if not place.keys:
            raise ChatRefusal("no_keys")
        if version < max(place.keys):
            raise ChatRefusal("old_key_version")
        detail = MessageEventDetail(message_create=create)
        return self._add(place, sender, message_id, detail, signed, "message", version=version)

    def add_keys(
        self,
        sender: str,
        conversation: str,
        version: int,
        *,
        wrapped: Sequence[WrappedKey],
        signed: Sequence[ActionSignature],
    ) -> ChatEvent:
        """A new key of a conversation. Raises `ChatRefusal`."""
        place = self.conversation(sender, conversation)
        if place.keys and version <= max(place.keys):
            raise ChatRefusal("old_key_version")
        if {each.user_id for each in wrapped} != place.members or not signed:
            raise ChatRefusal("invalid", "a key must be wrapped for every member")
        keys = tuple(
            ParticipantKey(each.user_id, each.encrypted, each.public_key_version) for each in wrapped
        )
        detail = MessageEventDetail(key_change=KeyChange(str(version), keys))
        action = next((each for each in signed if has_key_change(each)), signed[0])
        return self._add(
            place, sender, action.message_id, detail, signature_of(action), "key_change", version=version
        )

    def create_group(
        self,
        sender: str,
        group: str,
        title: str,
        *,
        members: set[str],
        version: int,
        wrapped: Sequence[WrappedKey],
        signed: Sequence[ActionSignature],
    ) -> ChatConversation:
        """Raises `ChatRefusal`."""
        if GROUP.fullmatch(group) is None or group in self.conversations or len(signed) != 2:
            raise ChatRefusal("invalid")
        place = self.conversations[group] = ChatConversation(group, members | {sender}, {sender}, title)
        self.add_keys(sender, group, version, wrapped=wrapped, signed=signed)
        action = next(each for each in signed if not has_key_change(each))
        detail = decoded(MessageEventDetail, action.detail)
        self._add(place, sender, action.message_id, detail, signature_of(action), "group_change")
        return place

    def change_group(self, sender: str, group: str, action: ActionSignature) -> ChatEvent:
        """A change of a group that a client has signed, as it is. Raises `ChatRefusal`."""
        place = self.conversation(sender, group)
        detail = decoded(MessageEventDetail, action.detail)
        return self._add(place, sender, action.message_id, detail, signature_of(action), "group_change")

    def delete(
        self,
        sender: str,
        conversation: str,
        sequences: Sequence[int],
        *,
        for_all: bool,
        signed: ActionSignature,
    ) -> ChatEvent:
        """Raises `ChatRefusal`."""
        place = self.conversation(sender, conversation)
        found = [each for each in place.events if each.sequence in sequences]
        if not found or (for_all and any(each.sender != sender for each in found)):
            raise ChatRefusal("invalid", "only messages of the account")
        detail = decoded(MessageEventDetail, signed.detail)
        return self._add(place, sender, signed.message_id, detail, signature_of(signed), "delete")

    def mark_read(self, reader: str, conversation: str, sequence: int, encoded: str = "") -> ChatEvent | None:
        """`encoded`: the signed event, where the client has made one; only then others are told."""
        place = self.conversation(reader, conversation)
        place.read[reader] = max(place.read.get(reader, 0), sequence)
        return self.append(encoded, "read") if encoded else None
