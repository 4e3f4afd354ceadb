"""What an account of X can do in encrypted conversations, and how a send chooses between the two kinds.

    the account has no keys of XChat             every message is an unencrypted direct message
    a group `g…`                                 encrypted
    a person who has public keys, or with whom   encrypted
      the account has a key
    any other person, a group of the older kind  unencrypted

X's API edits, reacts, quotes, deletes and marks as read in encrypted conversations only.
"""

from collections.abc import Sequence

from unifyport.model.message import OutboundMessage
from unifyport.providers.contract.capabilities import (
    EditsMessages,
    MarksRead,
    ReactsToMessages,
    RevokesMessages,
    SendsReplies,
    Sent,
    Target,
)
from unifyport.providers.contract.errors import Rejected

from ..xchat.chat import XChat
from ..xchat.ids import conversation_of, pair
from .chat_calls import ChatCalls


class ChatCommands(SendsReplies, EditsMessages, RevokesMessages, ReactsToMessages, MarksRead):
    """`chat_parts`: there once the account is logged in."""

    chat_parts: tuple[XChat, ChatCalls] | None = None
    user_id: str = ""

    @property
    def chat(self) -> XChat:
        """Raises `Rejected` where the account has no keys."""
        if self.chat_parts is None or not self.chat_parts[0].ready:
            raise Rejected(
                "xchat_locked",
                "the account has no keys of XChat: log in with its passcode, or give chat_keys",
            )
        return self.chat_parts[0]

    async def is_encrypted(self, conversation_id: str) -> bool:
        """Whether a message to this conversation goes encrypted. Raises failure classes."""
        if self.chat_parts is None or not self.chat_parts[0].ready:
            return False
        place = conversation_of(self.user_id, conversation_id)
        return place is not None and await self.chat_parts[0].reachable(place)

    async def create_encrypted_group(self, name: str, members: Sequence[str]) -> str | None:
        """The id of a new encrypted group; None: not all members have keys of XChat."""
        if self.chat_parts is None or not self.chat_parts[0].ready:
            return None
        chat, calls = self.chat_parts
        for member in members:
            if not await chat.reachable(pair(self.user_id, member)):
                return None
        group = await calls.new_group_id()
        await chat.changing.create_group(group, name, members)
        return group

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await self.chat.sending.send(message, quoted_message_id)

    async def edit_message(self, target: Target, content: str) -> None:
        await self.chat.changing.edit(target, content)

    async def revoke_message(self, target: Target) -> None:
        await self.chat.changing.revoke(target)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await self.chat.changing.react(target, emoji)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        await self.chat.changing.mark_read(conversation_id, message_id)
