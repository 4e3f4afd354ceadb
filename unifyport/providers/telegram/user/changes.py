"""What an account does to messages and to its own list of chats."""

import datetime
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from telethon.tl import functions, types

from unifyport.providers.contract.capabilities import Target
from unifyport.providers.contract.errors import Rejected

from ..bot.render import message_number
from .plan import MAX_TEXT

if TYPE_CHECKING:
    from .link import UserLink

_FOR_EVER: Final = 2**31 - 1
_NO_CHANGE: Final = frozenset({"MESSAGE_NOT_MODIFIED", "CHAT_NOT_MODIFIED", "REACTION_EMPTY"})


class Changes:
    """Calls of one account. Every method raises failure classes."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def _peer(self, conversation_id: str) -> tuple[int, Any]:
        conversation = await self._parts.chats.resolve(conversation_id)
        return conversation, await self._parts.peers.input_peer(conversation)

    async def _call(self, request: Any, conversation: int, unless: Collection[str] = _NO_CHANGE) -> Any:
        """Call, and take what the answer says of the account's updates. A refusal in `unless` is none: what
        was asked for is so already.
        """
        try:
            found = await self._parts.rpc.call(request, peer=str(conversation))
        except Rejected as error:
            if error.code not in unless:
                raise
            return None
        self.take(found, conversation)
        return found

    def take(self, found: Any, conversation: int = 0) -> None:
        """What an answer says of the sequences of updates."""
        updates = getattr(found, "updates", found)
        if isinstance(updates, list):
            updates = found
        match updates:
            case types.messages.AffectedMessages() | types.messages.AffectedHistory():
                self._parts.updates.affected(conversation, updates.pts, updates.pts_count)
            case types.Updates() | types.UpdatesCombined() | types.UpdateShort():
                self._parts.updates.answered(updates)

    # -- messages --------------------------------------------------------------------------------------------

    async def edit(self, target: Target, content: str) -> None:
        if len(content) > MAX_TEXT:
            raise Rejected("text_too_long", f"Telegram takes at most {MAX_TEXT} characters")
        conversation, peer = await self._peer(target.conversation_id)
        number = message_number(target.message_id)
        await self._call(functions.messages.EditMessageRequest(peer, number, message=content), conversation)

    async def revoke(self, target: Target) -> None:
        conversation, peer = await self._peer(target.conversation_id)
        numbers = [message_number(target.message_id)]
        request: Any = functions.messages.DeleteMessagesRequest(numbers, revoke=True)
        if isinstance(peer, types.InputPeerChannel | types.InputPeerChannelFromMessage):
            channel = await self._parts.peers.input_channel(conversation)
            request = functions.channels.DeleteMessagesRequest(channel, numbers)
        await self._call(request, conversation)

    async def react(self, target: Target, emoji: str) -> None:
        """`emoji`: an emoji, or the id of a custom one as events show it."""
        conversation, peer = await self._peer(target.conversation_id)
        number = message_number(target.message_id)
        custom = emoji.isascii() and emoji.isdigit() and 5 < len(emoji) <= 20
        reaction: Any = types.ReactionCustomEmoji(int(emoji)) if custom else types.ReactionEmoji(emoji)
        request = functions.messages.SendReactionRequest(
            peer, number, add_to_recent=True, reaction=[reaction] if emoji else []
        )
        await self._call(request, conversation)

    async def pin(self, target: Target, pinned: bool, duration_seconds: int | None) -> None:
        if duration_seconds:
            raise Rejected(
                "duration_not_supported", "Telegram pins without an end: leave duration_seconds out"
            )
        conversation, peer = await self._peer(target.conversation_id)
        number = message_number(target.message_id)
        request = functions.messages.UpdatePinnedMessageRequest(
            peer, number, silent=True, unpin=None if pinned else True
        )
        await self._call(request, conversation)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        conversation, peer = await self._peer(conversation_id)
        number = message_number(message_id) if message_id is not None else _FOR_EVER
        request: Any = functions.messages.ReadHistoryRequest(peer, number)
        if isinstance(peer, types.InputPeerChannel | types.InputPeerChannelFromMessage):
            channel = await self._parts.peers.input_channel(conversation)
            request = functions.channels.ReadHistoryRequest(channel, number)
        await self._call(request, conversation)

    async def show_typing(self, conversation_id: str) -> None:
        conversation, peer = await self._peer(conversation_id)
        request = functions.messages.SetTypingRequest(peer, types.SendMessageTypingAction())
        await self._call(request, conversation)

    # -- the account's own list ------------------------------------------------------------------------------

    async def mark_unread(self, conversation_id: str) -> None:
        conversation, peer = await self._peer(conversation_id)
        request = functions.messages.MarkDialogUnreadRequest(types.InputDialogPeer(peer), unread=True)
        await self._call(request, conversation)

    async def mute(self, conversation_id: str, until: int | None) -> None:
        """`until`: unix seconds; None: without an end; 0: not muted."""
        conversation, peer = await self._peer(conversation_id)
        seconds = _FOR_EVER if until is None else min(max(until, 0), _FOR_EVER)
        settings = types.InputPeerNotifySettings(
            mute_until=datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        )
        request = functions.account.UpdateNotifySettingsRequest(types.InputNotifyPeer(peer), settings)
        await self._call(request, conversation)

    async def keep_on_top(self, conversation_id: str, pinned: bool) -> None:
        conversation, peer = await self._peer(conversation_id)
        request = functions.messages.ToggleDialogPinRequest(
            types.InputDialogPeer(peer), pinned=pinned or None
        )
        await self._call(request, conversation)

    # -- people ----------------------------------------------------------------------------------------------

    async def set_blocked(self, contact_id: str, blocked: bool) -> None:
        conversation, peer = await self._peer(contact_id)
        make = functions.contacts.BlockRequest if blocked else functions.contacts.UnblockRequest
        await self._call(make(peer), conversation)

    async def set_note(self, contact_id: str, note: str) -> None:
        """Telegram keeps notes of contacts only."""
        user = await self._parts.peers.input_user(await self._parts.chats.resolve(contact_id))
        request = functions.contacts.UpdateContactNoteRequest(user, types.TextWithEntities(note, []))
        await self._call(request, 0)
