"""What an account can be asked to do: each method hands over to the part of the connection that does it."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from unifyport.model import directory
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.capabilities import (
    BlocksContacts,
    ChangesGroupMembers,
    CreatesGroups,
    DecidesJoinRequests,
    DownloadsMedia,
    EditsMessages,
    InvitesToGroups,
    LeavesGroups,
    ListsContacts,
    ListsConversationMembers,
    ListsConversations,
    ListsGroups,
    ListsJoinRequests,
    MarksRead,
    MarksUnread,
    MutesConversations,
    NotesContacts,
    PinsConversations,
    PinsMessages,
    ReactsToMessages,
    ReadsBlocklist,
    ReadsContacts,
    ReadsConversations,
    ReadsGroups,
    RevokesMessages,
    SendsContacts,
    SendsFiles,
    SendsReplies,
    SendsText,
    Sent,
    SetsGroupPictures,
    SetsJoinApproval,
    ShowsTyping,
    Sink,
    Target,
    UnblocksContacts,
    UnmutesConversations,
    UnpinsConversations,
)

if TYPE_CHECKING:
    from .link import UserLink


class MessageActions(
    SendsText,
    SendsFiles,
    SendsContacts,
    SendsReplies,
    EditsMessages,
    RevokesMessages,
    ReactsToMessages,
    PinsMessages,
    DownloadsMedia,
    MarksRead,
    ShowsTyping,
    ABC,
):
    @abstractmethod
    async def _up(self) -> "UserLink":
        """The connection, once it can be used. Raises `Transient`."""

    async def send_text(self, message: OutboundText) -> Sent:
        return await (await self._up()).sends.send(message)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await (await self._up()).sends.send(message)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await (await self._up()).sends.send(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await (await self._up()).sends.send(message, quoted_message_id)

    async def edit_message(self, target: Target, content: str) -> None:
        await (await self._up()).changes.edit(target, content)

    async def revoke_message(self, target: Target) -> None:
        await (await self._up()).changes.revoke(target)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await (await self._up()).changes.react(target, emoji)

    async def pin_message(self, target: Target, pinned: bool, duration_seconds: int | None) -> None:
        await (await self._up()).changes.pin(target, pinned, duration_seconds)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        await (await self._up()).media.download(handle, sink, limit)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        await (await self._up()).changes.mark_read(conversation_id, message_id)

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        await (await self._up()).changes.show_typing(conversation_id)


class ChatActions(
    ListsConversations,
    ReadsConversations,
    ListsConversationMembers,
    MarksUnread,
    MutesConversations,
    UnmutesConversations,
    PinsConversations,
    UnpinsConversations,
    ListsContacts,
    ReadsContacts,
    ReadsBlocklist,
    BlocksContacts,
    UnblocksContacts,
    NotesContacts,
    ABC,
):
    @abstractmethod
    async def _up(self) -> "UserLink":
        """The connection, once it can be used. Raises `Transient`."""

    async def list_conversations(
        self, types: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        return await (await self._up()).lists.conversations(types, label_id, after, limit)

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        return await (await self._up()).lists.conversation(conversation_id)

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        return await (await self._up()).groups.members(conversation_id, after, limit)

    async def mark_conversation_unread(self, conversation_id: str) -> None:
        await (await self._up()).changes.mark_unread(conversation_id)

    async def mute_conversation(self, conversation_id: str, until: int | None) -> None:
        await (await self._up()).changes.mute(conversation_id, until)

    async def unmute_conversation(self, conversation_id: str) -> None:
        await (await self._up()).changes.mute(conversation_id, 0)

    async def pin_conversation(self, conversation_id: str) -> None:
        await (await self._up()).changes.keep_on_top(conversation_id, True)

    async def unpin_conversation(self, conversation_id: str) -> None:
        await (await self._up()).changes.keep_on_top(conversation_id, False)

    async def list_contacts(
        self, q: str | None, updated_since: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        return await (await self._up()).lists.contacts(q, after, limit)

    async def get_contact(self, contact_id: str) -> directory.Contact:
        return await (await self._up()).lists.contact(contact_id)

    async def list_blocklist(self) -> directory.ContactBlocklist:
        return await (await self._up()).lists.blocklist()

    async def block_contact(self, contact_id: str) -> None:
        await (await self._up()).changes.set_blocked(contact_id, True)

    async def unblock_contact(self, contact_id: str) -> None:
        await (await self._up()).changes.set_blocked(contact_id, False)

    async def set_contact_note(self, contact_id: str, note: str) -> None:
        await (await self._up()).changes.set_note(contact_id, note)


class GroupActions(
    ListsGroups,
    ReadsGroups,
    CreatesGroups,
    LeavesGroups,
    ChangesGroupMembers,
    SetsGroupPictures,
    ListsJoinRequests,
    DecidesJoinRequests,
    SetsJoinApproval,
    InvitesToGroups,
    ABC,
):
    @abstractmethod
    async def _up(self) -> "UserLink":
        """The connection, once it can be used. Raises `Transient`."""

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        return await (await self._up()).lists.groups(after, limit)

    async def get_group(self, group_id: str) -> directory.Group:
        return await (await self._up()).groups.get(group_id)

    async def create_group(self, name: str, members: list[str]) -> str:
        return await (await self._up()).groups.create(name, members)

    async def leave_group(self, group_id: str) -> None:
        await (await self._up()).groups.leave(group_id)

    async def update_group_members(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None:
        await (await self._up()).groups.change_member(group_id, action, member_id)

    async def update_group_info(
        self, group_id: str, name: str | None, description: str | None, avatar_url: str | None
    ) -> None:
        await (await self._up()).groups.change_info(group_id, name, description)

    async def set_group_picture(self, group_id: str, picture: directory.Picture) -> None:
        await (await self._up()).groups.set_picture(group_id, picture)

    async def list_group_join_requests(self, group_id: str) -> list[directory.GroupJoinRequest]:
        return await (await self._up()).groups.requests(group_id)

    async def update_group_join_requests(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None:
        await (await self._up()).groups.decide(group_id, action, member_ids)

    async def set_group_join_approval_mode(self, group_id: str, enabled: bool) -> None:
        await (await self._up()).groups.set_approval(group_id, enabled)

    async def get_group_invite_code(self, group_id: str) -> directory.GroupInviteCode:
        return await (await self._up()).groups.invite_code(group_id)


class UserActions(MessageActions, ChatActions, GroupActions, ABC):
    """All of them."""
