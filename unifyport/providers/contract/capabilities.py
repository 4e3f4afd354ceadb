"""What a connector can do beyond being connected: one protocol for each thing, and the table of all of them.

A connector declares a capability by implementing its protocol. The capability list, 501 answers and the documentation
follow from that; nothing else says what a channel can do.

Every method may raise the failure classes of `base.py`. What a platform refuses is `Rejected`; where it says that there
is no such thing the reason is one of `NOT_FOUND_REASONS`, and the caller is told so. Methods that only look (`reads`) run beside
the account's other commands, all others one after another. Ids are the platform's own, as events and lists have them.
Cancelled: whether the platform has acted is unknown.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, runtime_checkable

import attrs

from unifyport.model import directory
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText

CONVERSATION_NOT_FOUND, CONTACT_NOT_FOUND, GROUP_NOT_FOUND = NOT_FOUND_REASONS = (
    "conversation_not_found",
    "contact_not_found",
    "group_not_found",
)

# -- messages -------------------------------------------------------------------------------------------------


@attrs.define
class Sent:
    message_id: str
    provider_ref: str = ""


@attrs.define
class Target:
    """A message that something is done to. `sender_id` None: the account's own."""

    conversation_id: str
    message_id: str
    sender_id: str | None = None


@runtime_checkable
class SendsText(Protocol):
    async def send_text(self, message: OutboundText) -> Sent:
        """Send one text, once. Every error says through its class whether it may have been applied."""


@runtime_checkable
class SendsImages(Protocol):
    async def send_image(self, message: OutboundMedia) -> Sent:
        """Send a file, once, as `send_text` a text; its bytes are read from `message.path` as they are sent."""


@runtime_checkable
class SendsVideos(Protocol):
    async def send_video(self, message: OutboundMedia) -> Sent: ...


@runtime_checkable
class SendsAudio(Protocol):
    async def send_audio(self, message: OutboundMedia) -> Sent:
        """A recording where `message.voice` says so, else a piece of music."""


@runtime_checkable
class SendsDocuments(Protocol):
    async def send_document(self, message: OutboundMedia) -> Sent: ...


@runtime_checkable
class SendsContacts(Protocol):
    async def send_contacts(self, message: OutboundContacts) -> Sent:
        """Send contact cards; `unifyport.model.vcard` writes them as vCards."""


@runtime_checkable
class SendsReplies(Protocol):
    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        """Send a message of any type that the connector sends, quoting one of the same conversation."""


@runtime_checkable
class EditsMessages(Protocol):
    async def edit_message(self, target: Target, content: str) -> None:
        """Replace the text of a message that the account has sent."""


@runtime_checkable
class RevokesMessages(Protocol):
    async def revoke_message(self, target: Target) -> None:
        """Take a message back for everybody."""


@runtime_checkable
class ReactsToMessages(Protocol):
    async def react_to_message(self, target: Target, emoji: str) -> None:
        """Set the account's reaction; an empty `emoji` takes it away."""


@runtime_checkable
class PinsMessages(Protocol):
    async def pin_message(self, target: Target, pinned: bool, duration_seconds: int | None) -> None:
        """Pin a message in its conversation, for so long or as long as the platform does by itself, or unpin it."""


Sink = Callable[[bytes], Awaitable[None]]


@runtime_checkable
class DownloadsMedia(Protocol):
    async def download(self, file_id: str, sink: Sink, limit: int) -> None:
        """Stream a file that a customer sent into `sink`, at most `limit` bytes.

        Raises `Rejected` (`too_large`, `media_not_found`) for a file that will never come.
        """


# -- conversations ----------------------------------------------------------------------------------------------


@runtime_checkable
class ListsConversations(Protocol):
    async def list_conversations(
        self, types: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        """Those of the account, the newest first; `types` empty: of every type. `after`: the `next` of a page."""


@runtime_checkable
class ReadsConversations(Protocol):
    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        """Raises `Rejected(CONVERSATION_NOT_FOUND)`."""


@runtime_checkable
class ListsConversationMembers(Protocol):
    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        """Raises `Rejected(CONVERSATION_NOT_FOUND)`."""


@runtime_checkable
class MarksRead(Protocol):
    async def mark_read(self, conversation_id: str, message_id: str) -> None:
        """Tell the customer that everything up to this message of his was read."""


@runtime_checkable
class MarksUnread(Protocol):
    async def mark_conversation_unread(self, conversation_id: str) -> None:
        """Show a conversation as unread in the account's own list."""


@runtime_checkable
class MutesConversations(Protocol):
    async def mute_conversation(self, conversation_id: str, until: int | None) -> None:
        """Mute until then (unix seconds), or for ever."""


@runtime_checkable
class UnmutesConversations(Protocol):
    async def unmute_conversation(self, conversation_id: str) -> None: ...


@runtime_checkable
class PinsConversations(Protocol):
    async def pin_conversation(self, conversation_id: str) -> None:
        """Keep a conversation at the top of the account's own list."""


@runtime_checkable
class UnpinsConversations(Protocol):
    async def unpin_conversation(self, conversation_id: str) -> None: ...


@runtime_checkable
class ListsLabels(Protocol):
    async def list_labels(
        self, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationLabel]: ...


@runtime_checkable
class AssignsLabels(Protocol):
    async def set_label_members(
        self, label_id: str, action: Literal["add", "remove"], conversation_ids: list[str]
    ) -> None: ...


@runtime_checkable
class WritesLabels(Protocol):
    async def upsert_label(self, label_id: str | None, name: str) -> directory.ConversationLabel:
        """Rename a label, or make one when `label_id` is None."""


@runtime_checkable
class DeletesLabels(Protocol):
    async def delete_label(self, label_id: str) -> None: ...


# -- contacts ---------------------------------------------------------------------------------------------------


@runtime_checkable
class ListsContacts(Protocol):
    async def list_contacts(
        self, q: str | None, updated_since: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        """`updated_since` is RFC 3339; a platform that cannot filter by it returns everything."""


@runtime_checkable
class ReadsContacts(Protocol):
    async def get_contact(self, contact_id: str) -> directory.Contact:
        """Raises `Rejected(CONTACT_NOT_FOUND)`."""


@runtime_checkable
class ReadsBlocklist(Protocol):
    async def list_blocklist(self) -> directory.ContactBlocklist: ...


@runtime_checkable
class BlocksContacts(Protocol):
    async def block_contact(self, contact_id: str) -> None: ...


@runtime_checkable
class UnblocksContacts(Protocol):
    async def unblock_contact(self, contact_id: str) -> None: ...


@runtime_checkable
class NotesContacts(Protocol):
    async def set_contact_note(self, contact_id: str, note: str) -> None:
        """The account's own note on a contact; empty clears it."""


# -- groups -----------------------------------------------------------------------------------------------------


@runtime_checkable
class ListsGroups(Protocol):
    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]: ...


@runtime_checkable
class ReadsGroups(Protocol):
    async def get_group(self, group_id: str) -> directory.Group:
        """Raises `Rejected(GROUP_NOT_FOUND)`."""


@runtime_checkable
class CreatesGroups(Protocol):
    async def create_group(self, name: str, members: list[str]) -> str:
        """The id of the new group."""


@runtime_checkable
class LeavesGroups(Protocol):
    async def leave_group(self, group_id: str) -> None: ...


@runtime_checkable
class ChangesGroupMembers(Protocol):
    async def update_group_members(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None: ...


@runtime_checkable
class ChangesGroupInfo(Protocol):
    async def update_group_info(
        self, group_id: str, name: str | None, description: str | None, avatar_url: str | None
    ) -> None:
        """Exactly one of the three is given; an empty description clears it."""


@runtime_checkable
class ListsJoinRequests(Protocol):
    async def list_group_join_requests(self, group_id: str) -> list[directory.GroupJoinRequest]: ...


@runtime_checkable
class DecidesJoinRequests(Protocol):
    async def update_group_join_requests(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None: ...


@runtime_checkable
class SetsJoinApproval(Protocol):
    async def set_group_join_approval_mode(self, group_id: str, enabled: bool) -> None: ...


@runtime_checkable
class InvitesToGroups(Protocol):
    async def get_group_invite_code(self, group_id: str) -> directory.GroupInviteCode: ...


# -- all of them --------------------------------------------------------------------------------------------------


@attrs.frozen
class Capability:
    """`reads`: it only looks, and nothing is changed by doing it twice."""

    protocol: type
    reads: bool = False

    @property
    def method(self) -> str:
        [name] = [name for name in vars(self.protocol) if not name.startswith("_")]
        return name


CAPABILITIES: dict[str, Capability] = {
    "send_text": Capability(SendsText),
    "send_image": Capability(SendsImages),
    "send_video": Capability(SendsVideos),
    "send_audio": Capability(SendsAudio),
    "send_document": Capability(SendsDocuments),
    "send_contacts": Capability(SendsContacts),
    "send_reply": Capability(SendsReplies),
    "edit_message": Capability(EditsMessages),
    "revoke_message": Capability(RevokesMessages),
    "react_to_message": Capability(ReactsToMessages),
    "pin_message": Capability(PinsMessages),
    "download_media": Capability(DownloadsMedia, reads=True),
    "list_conversations": Capability(ListsConversations, reads=True),
    "get_conversation": Capability(ReadsConversations, reads=True),
    "list_conversation_members": Capability(ListsConversationMembers, reads=True),
    "mark_read": Capability(MarksRead),
    "mark_unread": Capability(MarksUnread),
    "mute_conversation": Capability(MutesConversations),
    "unmute_conversation": Capability(UnmutesConversations),
    "pin_conversation": Capability(PinsConversations),
    "unpin_conversation": Capability(UnpinsConversations),
    "list_labels": Capability(ListsLabels, reads=True),
    "set_label_members": Capability(AssignsLabels),
    "upsert_label": Capability(WritesLabels),
    "delete_label": Capability(DeletesLabels),
    "list_contacts": Capability(ListsContacts, reads=True),
    "get_contact": Capability(ReadsContacts, reads=True),
    "list_blocklist": Capability(ReadsBlocklist, reads=True),
    "block_contact": Capability(BlocksContacts),
    "unblock_contact": Capability(UnblocksContacts),
    "set_contact_note": Capability(NotesContacts),
    "list_groups": Capability(ListsGroups, reads=True),
    "get_group": Capability(ReadsGroups, reads=True),
    "create_group": Capability(CreatesGroups),
    "leave_group": Capability(LeavesGroups),
    "update_group_members": Capability(ChangesGroupMembers),
    "update_group_info": Capability(ChangesGroupInfo),
    "list_group_join_requests": Capability(ListsJoinRequests, reads=True),
    "update_group_join_requests": Capability(DecidesJoinRequests),
    "set_group_join_approval_mode": Capability(SetsJoinApproval),
    "get_group_invite_code": Capability(InvitesToGroups, reads=True),
}


def sends(message: OutboundMessage) -> str:
    """The capability that a message needs."""
    match message:
        case OutboundMedia(type=kind):
            return f"send_{kind}"
        case OutboundContacts():
            return "send_contacts"
    return "send_text"
