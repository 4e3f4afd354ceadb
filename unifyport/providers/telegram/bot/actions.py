"""What a bot does beside sending: to messages, and to the chats that it is in."""

import contextlib
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from unifyport.model import directory
from unifyport.providers.contract.capabilities import (
    CONVERSATION_NOT_FOUND,
    GROUP_NOT_FOUND,
    DecidesJoinRequests,
    EditsMessages,
    LeavesGroups,
    ListsConversationMembers,
    MarksRead,
    PinsMessages,
    ReactsToMessages,
    ReadsConversations,
    ReadsGroups,
    RevokesMessages,
    ShowsTyping,
    Target,
)
from unifyport.providers.contract.errors import Rejected

from .moves import FollowsMigrations
from .people import conversation, full_name, split_id
from .render import MAX_TEXT, chat_of, message_number
from .sent_kinds import MAX_CAPTION
from .shapes import Chat, User

_LONGEST_CUSTOM_EMOJI = 20  # digits of an id


class _ChatInfo(Chat):
    bio: str = ""
    description: str = ""
    is_forum: bool = False
    linked_chat_id: int | None = None


class _Administrator(Struct):
    status: str
    user: User
    custom_title: str = ""


class BotActions(
    FollowsMigrations,
    EditsMessages,
    RevokesMessages,
    ReactsToMessages,
    PinsMessages,
    MarksRead,
    ShowsTyping,
    ReadsConversations,
    ListsConversationMembers,
    ReadsGroups,
    LeavesGroups,
    DecidesJoinRequests,
):
    """The capabilities of a bot that send no message."""

    # -- messages --------------------------------------------------------------------------------------------

    async def edit_message(self, target: Target, content: str) -> None:
        """Replace a text, or the caption of a file. Telegram's "not modified" is success."""
        if len(content) > MAX_TEXT:
            raise Rejected("text_too_long", f"Telegram takes at most {MAX_TEXT} characters")
        chat, message = target.conversation_id, _message(target)
        with _unless("message is not modified"):
            try:
                await self._call_about(chat, "editMessageText", {**message, "text": content})
            except Rejected as rejected:
                if "no text in the message" not in rejected.detail:
                    raise
                if len(content) > MAX_CAPTION:
                    raise Rejected("caption_too_long", f"at most {MAX_CAPTION} characters") from None
                await self._call_about(chat, "editMessageCaption", {**message, "caption": content})

    async def revoke_message(self, target: Target) -> None:
        message = _message(target)
        if (business := message.get("business_connection_id")) is not None:
            ids = {"business_connection_id": business, "message_ids": [message["message_id"]]}
            await self._api.call("deleteBusinessMessages", Any, ids)
        else:
            await self._call_about(target.conversation_id, "deleteMessage", message)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        """`emoji`: an emoji, or the id of a custom one as events show it."""
        message = _message(target)
        if "business_connection_id" in message:
            raise Rejected("not_supported", "bots do not react in chats of a business connection")
        custom = emoji.isascii() and emoji.isdigit() and 5 < len(emoji) <= _LONGEST_CUSTOM_EMOJI
        reaction = {"type": "custom_emoji", "custom_emoji_id": emoji} if custom else None
        reaction = reaction or {"type": "emoji", "emoji": emoji}
        body = {**message, "reaction": [reaction] if emoji else []}
        await self._call_about(target.conversation_id, "setMessageReaction", body)

    async def pin_message(self, target: Target, pinned: bool, duration_seconds: int | None) -> None:
        if duration_seconds:
            raise Rejected(
                "duration_not_supported", "Telegram pins without an end: leave duration_seconds out"
            )
        method = "pinChatMessage" if pinned else "unpinChatMessage"
        await self._call_about(target.conversation_id, method, _message(target))

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """Only in chats of a business connection; bots have no other read marks."""
        chat = chat_of(conversation_id)
        if "business_connection_id" not in chat:
            raise Rejected("not_supported", "bots mark as read in chats of a business connection only")
        if message_id is None:
            raise Rejected("message_id_required")
        body = {**chat, "message_id": message_number(message_id)}
        await self._api.call("readBusinessMessage", Any, body)

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        await self._call_in(conversation_id, "sendChatAction", Any, {"action": "typing"})

    # -- chats -----------------------------------------------------------------------------------------------

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        chat = await self._chat(conversation_id)
        known = conversation(chat)
        count = None
        if known.type != "user":
            count = await self._api.call("getChatMemberCount", int, {"chat_id": chat.id})
        extra: dict[str, Any] = {"is_forum": True} if chat.is_forum else {}
        extra |= {"linked_chat_id": str(chat.linked_chat_id)} if chat.linked_chat_id else {}
        return directory.Conversation(
            _current_id(conversation_id, chat),
            known.type,
            known.title,
            description=chat.description or chat.bio or None,
            members_count=count if known.type == "group" else None,
            subscribers_count=count if known.type == "channel" else None,
            username=chat.username or None,
            extra=extra or None,
        )

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        """Of a group or channel its administrators: Telegram tells bots of no other members."""
        chat = await self._chat(conversation_id)
        if chat.type == "private":
            return directory.Page([directory.ConversationMember(str(chat.id), full_name(chat))])
        found = await self._api.call("getChatAdministrators", list[_Administrator], {"chat_id": chat.id})
        return directory.Page([_member(each) for each in found])

    async def get_group(self, group_id: str) -> directory.Group:
        with _group():
            chat = await self._chat(group_id)
            if chat.type not in ("group", "supergroup"):
                raise Rejected(GROUP_NOT_FOUND, "it is not a group")
            count = await self._api.call("getChatMemberCount", int, {"chat_id": chat.id})
        id_, description = _current_id(group_id, chat), chat.description or None
        return directory.Group(id_, id_, full_name(chat), description=description, member_count=count)

    async def leave_group(self, group_id: str) -> None:
        with _group():
            await self._call_in(group_id, "leaveChat", Any)

    async def update_group_join_requests(self, group_id: str, action: Any, member_ids: list[str]) -> None:
        """One call for each; the first that is refused ends it."""
        method = "approveChatJoinRequest" if action == "approve" else "declineChatJoinRequest"
        users = [_user_number(member) for member in member_ids]
        with _group():
            for user in users:
                await self._call_in(group_id, method, Any, {"user_id": user})

    async def _chat(self, conversation_id: str) -> _ChatInfo:
        """The chat under its number of now; `id` differs from the one asked for if the group has moved."""
        chat, _ = split_id(conversation_id)
        found: _ChatInfo = await self._call_in(chat, "getChat", _ChatInfo)
        return found


def _user_number(member_id: str) -> int:
    if not (member_id.isascii() and member_id.isdigit() and len(member_id) <= 19):
        raise Rejected("invalid_member_id", "it is not the id of a user of Telegram")
    return int(member_id)


def _current_id(asked: str, chat: Chat) -> str:
    """The id of a conversation that was asked for; of a group that has moved, its new one."""
    return str(chat.id) if chat_of(asked)["chat_id"] != chat.id and asked.startswith("-") else asked


def _message(target: Target) -> dict[str, Any]:
    """The parameters that name a message."""
    return {**chat_of(target.conversation_id), "message_id": message_number(target.message_id)}


def _member(administrator: _Administrator) -> directory.ConversationMember:
    user = administrator.user
    return directory.ConversationMember(
        str(user.id),
        full_name(user),
        role="owner" if administrator.status == "creator" else "admin",
        username=user.username or None,
        extra={"custom_title": administrator.custom_title} if administrator.custom_title else None,
    )


@contextlib.contextmanager
def _unless(detail: str) -> Iterator[None]:
    """A refusal with these words is none: what was asked for is so already."""
    try:
        yield
    except Rejected as rejected:
        if detail not in rejected.detail.lower():
            raise


@contextlib.contextmanager
def _group() -> Iterator[None]:
    """A chat that does not exist is a group that does not exist."""
    try:
        yield
    except Rejected as rejected:
        if rejected.reason != CONVERSATION_NOT_FOUND:
            raise
        raise Rejected(GROUP_NOT_FOUND, rejected.detail, code=rejected.code) from None
