"""Capabilities: an abstract class for each thing that a connector can do beyond being connected, and a table.

A connector declares a capability by inheriting its class: mypy checks the signatures, a class that lacks the
method cannot be constructed, and `conformance.py` checks each class that is loaded. The capability list, 501
answers and the documentation are derived from that; nothing else says what a channel can do.

Every method may raise the failure classes of `errors.py`. A refusal of the platform is `Rejected`; if the
conversation, contact or group does not exist, its reason is one of `NOT_FOUND_REASONS`, which the caller gets
as the error code. Methods with `reads` run beside the account's other commands, all others one after another
in their conversation. Ids are the platform's own, as in events and lists. If a call is cancelled, it is
unknown whether the platform acted.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar

import attrs

from unifyport.model import directory
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText

CONVERSATION_NOT_FOUND, CONTACT_NOT_FOUND, GROUP_NOT_FOUND = NOT_FOUND_REASONS = (
    "conversation_not_found",
    "contact_not_found",
    "group_not_found",
)
MAX_PICTURE = 5 * 1024 * 1024  # bytes of a picture that is set

# -- messages ------------------------------------------------------------------------------------------------


@attrs.define
class Sent:
    message_id: str
    provider_ref: str = ""


@attrs.define
class Target:
    """The message to edit, revoke, react to or pin. `sender_id` None: the account sent it."""

    conversation_id: str
    message_id: str
    sender_id: str | None = None


class SendsText(ABC):
    @abstractmethod
    async def send_text(self, message: OutboundText) -> Sent:
        """Send one text, once. Every error says whether it may have been applied (`maybe_applied`)."""


class SendsImages(ABC):
    @abstractmethod
    async def send_image(self, message: OutboundMedia) -> Sent:
        """Send a file, once; errors as `send_text`. The bytes are read from `message.path` as they go out."""


class SendsVideos(ABC):
    @abstractmethod
    async def send_video(self, message: OutboundMedia) -> Sent: ...


class SendsAudio(ABC):
    @abstractmethod
    async def send_audio(self, message: OutboundMedia) -> Sent:
        """Send a voice recording if `message.voice` is set, else an audio file."""


class SendsDocuments(ABC):
    @abstractmethod
    async def send_document(self, message: OutboundMedia) -> Sent: ...


class SendsFiles(SendsImages, SendsVideos, SendsAudio, SendsDocuments):
    """All four, for a connector that sends files of every type in the same way: it has `send_file`."""

    @abstractmethod
    async def send_file(self, message: OutboundMedia) -> Sent:
        """Send a file of the type `message.type`."""

    async def send_image(self, message: OutboundMedia) -> Sent:
        return await self.send_file(message)

    async def send_video(self, message: OutboundMedia) -> Sent:
        return await self.send_file(message)

    async def send_audio(self, message: OutboundMedia) -> Sent:
        return await self.send_file(message)

    async def send_document(self, message: OutboundMedia) -> Sent:
        return await self.send_file(message)


class SendsContacts(ABC):
    @abstractmethod
    async def send_contacts(self, message: OutboundContacts) -> Sent:
        """Send contact cards; `unifyport.model.vcard` writes them as vCards."""


class SendsReplies(ABC):
    @abstractmethod
    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        """Send a message of any type that the connector sends, quoting a message of the same conversation."""


class EditsMessages(ABC):
    @abstractmethod
    async def edit_message(self, target: Target, content: str) -> None:
        """Replace the text of a message that the account has sent."""


class RevokesMessages(ABC):
    @abstractmethod
    async def revoke_message(self, target: Target) -> None:
        """Delete a message for all participants."""


class ReactsToMessages(ABC):
    @abstractmethod
    async def react_to_message(self, target: Target, emoji: str) -> None:
        """Set the account's reaction; an empty `emoji` removes it."""


class PinsMessages(ABC):
    @abstractmethod
    async def pin_message(self, target: Target, pinned: bool, duration_seconds: int | None) -> None:
        """Pin a message in its conversation, or unpin it. `duration_seconds` None: the platform's default."""


Sink = Callable[[bytes], Awaitable[None]]


class DownloadsMedia(ABC):
    @abstractmethod
    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        """Stream a file that a customer sent into `sink`, at most `limit` bytes.

        `handle` is `Attachment.handle` unchanged, or the bytes of its `file_id` if the connector set none. It
        may come from a link that an older version made. It never goes into an error or a log line.

        Raises `Rejected` (`too_large`, `media_not_found`) if the file can never be downloaded.
        """


# -- conversations -------------------------------------------------------------------------------------------


class ListsTemplates(ABC):
    @abstractmethod
    async def list_message_templates(
        self, after: str | None, limit: int
    ) -> directory.Page[directory.MessageTemplate]:
        """The templates of messages that the platform has approved for the account."""


class ListsConversations(ABC):
    @abstractmethod
    async def list_conversations(
        self, types: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        """The account's conversations, the newest first.

        `types` empty: conversations of every type. `after`: the `next` of the page before.
        """


class ReadsConversations(ABC):
    @abstractmethod
    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        """Raises `Rejected(CONVERSATION_NOT_FOUND)`."""


class ListsConversationMembers(ABC):
    @abstractmethod
    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        """Raises `Rejected(CONVERSATION_NOT_FOUND)`."""


class MarksRead(ABC):
    @abstractmethod
    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """Tell the customer that their messages up to and including this one were read.

        None: the whole conversation. A connector whose platform needs a message declares
        `mark_read_needs_message`; it is then given the newest known one in place of None.
        """


class ShowsTyping(ABC):
    @abstractmethod
    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        """Show the customer for some seconds, or until the next message, that the account is typing.

        `message_id` as in `mark_read`; a platform may mark it as read by that.
        """


class MarksUnread(ABC):
    @abstractmethod
    async def mark_conversation_unread(self, conversation_id: str) -> None:
        """Show a conversation as unread in the account's own list."""


class MutesConversations(ABC):
    @abstractmethod
    async def mute_conversation(self, conversation_id: str, until: int | None) -> None:
        """Mute until `until` (unix seconds); None: without an end."""


class UnmutesConversations(ABC):
    @abstractmethod
    async def unmute_conversation(self, conversation_id: str) -> None: ...


class PinsConversations(ABC):
    @abstractmethod
    async def pin_conversation(self, conversation_id: str) -> None:
        """Keep a conversation at the top of the account's own list."""


class UnpinsConversations(ABC):
    @abstractmethod
    async def unpin_conversation(self, conversation_id: str) -> None: ...


class ListsLabels(ABC):
    @abstractmethod
    async def list_labels(
        self, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationLabel]: ...


class AssignsLabels(ABC):
    @abstractmethod
    async def set_label_members(
        self, label_id: str, action: Literal["add", "remove"], conversation_ids: list[str]
    ) -> None: ...


class WritesLabels(ABC):
    @abstractmethod
    async def upsert_label(self, label_id: str | None, name: str) -> directory.ConversationLabel:
        """Rename a label, or create one if `label_id` is None."""


class DeletesLabels(ABC):
    @abstractmethod
    async def delete_label(self, label_id: str) -> None: ...


# -- contacts ------------------------------------------------------------------------------------------------


class ListsContacts(ABC):
    @abstractmethod
    async def list_contacts(
        self, q: str | None, updated_since: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        """`updated_since` is RFC 3339; a platform that cannot filter by it returns everything."""


class ReadsContacts(ABC):
    @abstractmethod
    async def get_contact(self, contact_id: str) -> directory.Contact:
        """Raises `Rejected(CONTACT_NOT_FOUND)`."""


class ReadsBlocklist(ABC):
    @abstractmethod
    async def list_blocklist(self) -> directory.ContactBlocklist: ...


class BlocksContacts(ABC):
    @abstractmethod
    async def block_contact(self, contact_id: str) -> None: ...


class UnblocksContacts(ABC):
    @abstractmethod
    async def unblock_contact(self, contact_id: str) -> None: ...


class NotesContacts(ABC):
    @abstractmethod
    async def set_contact_note(self, contact_id: str, note: str) -> None:
        """Set the account's own note on a contact; an empty note clears it."""


# -- groups --------------------------------------------------------------------------------------------------


class ListsGroups(ABC):
    @abstractmethod
    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]: ...


class ReadsGroups(ABC):
    @abstractmethod
    async def get_group(self, group_id: str) -> directory.Group:
        """Raises `Rejected(GROUP_NOT_FOUND)`."""


class CreatesGroups(ABC):
    @abstractmethod
    async def create_group(self, name: str, members: list[str]) -> str:
        """Create a group. Returns its id."""


class LeavesGroups(ABC):
    @abstractmethod
    async def leave_group(self, group_id: str) -> None: ...


class ChangesGroupMembers(ABC):
    @abstractmethod
    async def update_group_members(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None: ...


class ChangesGroupInfo(ABC):
    @abstractmethod
    async def update_group_info(
        self, group_id: str, name: str | None, description: str | None, avatar_url: str | None
    ) -> None:
        """Change name, description or avatar: exactly one is given. An empty description clears it.

        A connector that declares `SetsGroupPictures` gets no `avatar_url`.
        """


class SetsGroupPictures(ChangesGroupInfo):
    """For a platform that takes a picture itself, and not its address: the gateway fetches it."""

    @abstractmethod
    async def set_group_picture(self, group_id: str, picture: directory.Picture) -> None:
        """Set the avatar. `picture.content` has at most `MAX_PICTURE` bytes."""


class ListsJoinRequests(ABC):
    @abstractmethod
    async def list_group_join_requests(self, group_id: str) -> list[directory.GroupJoinRequest]: ...


class DecidesJoinRequests(ABC):
    @abstractmethod
    async def update_group_join_requests(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None: ...


class SetsJoinApproval(ABC):
    @abstractmethod
    async def set_group_join_approval_mode(self, group_id: str, enabled: bool) -> None: ...


class InvitesToGroups(ABC):
    @abstractmethod
    async def get_group_invite_code(self, group_id: str) -> directory.GroupInviteCode: ...


# -- all of them ---------------------------------------------------------------------------------------------

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@attrs.frozen(eq=False)
class Capability(Generic[Arguments, Result]):
    """One row of the table: the public name, the class that declares the capability, and that class's method.

    The method's signature is the type of the capability: what `call` takes and returns. `reads`: the method
    changes nothing at the platform, so that it may be repeated.
    """

    name: str
    declared_by: type
    method: Callable[Concatenate[Any, Arguments], Awaitable[Result]]
    reads: bool = False

    @property
    def method_name(self) -> str:
        return self.method.__name__

    def conversation_of(self, arguments: Sequence[Any]) -> str | None:
        """The conversation (or group) that a call with these arguments is about; None: none, or several."""
        first = arguments[0] if arguments else None
        if isinstance(first, Target):
            return first.conversation_id
        name = self.method.__code__.co_varnames[1:2]
        return str(first) if name in (("conversation_id",), ("group_id",)) else None

    def is_declared_by(self, connector: type) -> bool:
        """Whether a connector class has this capability."""
        return issubclass(connector, self.declared_by)

    async def call(self, connector: object, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Call the method of a connector that declares this capability. Raises its failure classes."""
        method: Callable[Arguments, Awaitable[Result]] = getattr(connector, self.method_name)
        return await method(*args, **kwargs)


SEND_TEXT = Capability("send_text", SendsText, SendsText.send_text)
SEND_IMAGE = Capability("send_image", SendsImages, SendsImages.send_image)
SEND_VIDEO = Capability("send_video", SendsVideos, SendsVideos.send_video)
SEND_AUDIO = Capability("send_audio", SendsAudio, SendsAudio.send_audio)
SEND_DOCUMENT = Capability("send_document", SendsDocuments, SendsDocuments.send_document)
SEND_CONTACTS = Capability("send_contacts", SendsContacts, SendsContacts.send_contacts)
SEND_REPLY = Capability("send_reply", SendsReplies, SendsReplies.send_reply)
EDIT_MESSAGE = Capability("edit_message", EditsMessages, EditsMessages.edit_message)
REVOKE_MESSAGE = Capability("revoke_message", RevokesMessages, RevokesMessages.revoke_message)
REACT_TO_MESSAGE = Capability("react_to_message", ReactsToMessages, ReactsToMessages.react_to_message)
PIN_MESSAGE = Capability("pin_message", PinsMessages, PinsMessages.pin_message)
DOWNLOAD_MEDIA = Capability("download_media", DownloadsMedia, DownloadsMedia.download, reads=True)
LIST_MESSAGE_TEMPLATES = Capability(
    "list_message_templates", ListsTemplates, ListsTemplates.list_message_templates, reads=True
)
LIST_CONVERSATIONS = Capability(
    "list_conversations", ListsConversations, ListsConversations.list_conversations, reads=True
)
GET_CONVERSATION = Capability(
    "get_conversation", ReadsConversations, ReadsConversations.get_conversation, reads=True
)
LIST_CONVERSATION_MEMBERS = Capability(
    "list_conversation_members",
    ListsConversationMembers,
    ListsConversationMembers.list_conversation_members,
    reads=True,
)
MARK_READ = Capability("mark_read", MarksRead, MarksRead.mark_read)
SHOW_TYPING = Capability("show_typing", ShowsTyping, ShowsTyping.show_typing)
MARK_UNREAD = Capability("mark_unread", MarksUnread, MarksUnread.mark_conversation_unread)
MUTE_CONVERSATION = Capability("mute_conversation", MutesConversations, MutesConversations.mute_conversation)
UNMUTE_CONVERSATION = Capability(
    "unmute_conversation", UnmutesConversations, UnmutesConversations.unmute_conversation
)
PIN_CONVERSATION = Capability("pin_conversation", PinsConversations, PinsConversations.pin_conversation)
UNPIN_CONVERSATION = Capability(
    "unpin_conversation", UnpinsConversations, UnpinsConversations.unpin_conversation
)
LIST_LABELS = Capability("list_labels", ListsLabels, ListsLabels.list_labels, reads=True)
SET_LABEL_MEMBERS = Capability("set_label_members", AssignsLabels, AssignsLabels.set_label_members)
UPSERT_LABEL = Capability("upsert_label", WritesLabels, WritesLabels.upsert_label)
DELETE_LABEL = Capability("delete_label", DeletesLabels, DeletesLabels.delete_label)
LIST_CONTACTS = Capability("list_contacts", ListsContacts, ListsContacts.list_contacts, reads=True)
GET_CONTACT = Capability("get_contact", ReadsContacts, ReadsContacts.get_contact, reads=True)
LIST_BLOCKLIST = Capability("list_blocklist", ReadsBlocklist, ReadsBlocklist.list_blocklist, reads=True)
BLOCK_CONTACT = Capability("block_contact", BlocksContacts, BlocksContacts.block_contact)
UNBLOCK_CONTACT = Capability("unblock_contact", UnblocksContacts, UnblocksContacts.unblock_contact)
SET_CONTACT_NOTE = Capability("set_contact_note", NotesContacts, NotesContacts.set_contact_note)
LIST_GROUPS = Capability("list_groups", ListsGroups, ListsGroups.list_groups, reads=True)
GET_GROUP = Capability("get_group", ReadsGroups, ReadsGroups.get_group, reads=True)
CREATE_GROUP = Capability("create_group", CreatesGroups, CreatesGroups.create_group)
LEAVE_GROUP = Capability("leave_group", LeavesGroups, LeavesGroups.leave_group)
UPDATE_GROUP_MEMBERS = Capability(
    "update_group_members", ChangesGroupMembers, ChangesGroupMembers.update_group_members
)
UPDATE_GROUP_INFO = Capability("update_group_info", ChangesGroupInfo, ChangesGroupInfo.update_group_info)
SET_GROUP_PICTURE = Capability("set_group_picture", SetsGroupPictures, SetsGroupPictures.set_group_picture)
LIST_GROUP_JOIN_REQUESTS = Capability(
    "list_group_join_requests", ListsJoinRequests, ListsJoinRequests.list_group_join_requests, reads=True
)
UPDATE_GROUP_JOIN_REQUESTS = Capability(
    "update_group_join_requests", DecidesJoinRequests, DecidesJoinRequests.update_group_join_requests
)
SET_GROUP_JOIN_APPROVAL_MODE = Capability(
    "set_group_join_approval_mode", SetsJoinApproval, SetsJoinApproval.set_group_join_approval_mode
)
GET_GROUP_INVITE_CODE = Capability(
    "get_group_invite_code", InvitesToGroups, InvitesToGroups.get_group_invite_code, reads=True
)

CAPABILITIES: Mapping[str, Capability[..., Any]] = {
    known.name: known
    for known in (
        SEND_TEXT,
        SEND_IMAGE,
        SEND_VIDEO,
        SEND_AUDIO,
        SEND_DOCUMENT,
        SEND_CONTACTS,
        SEND_REPLY,
        EDIT_MESSAGE,
        REVOKE_MESSAGE,
        REACT_TO_MESSAGE,
        PIN_MESSAGE,
        DOWNLOAD_MEDIA,
        LIST_MESSAGE_TEMPLATES,
        LIST_CONVERSATIONS,
        GET_CONVERSATION,
        LIST_CONVERSATION_MEMBERS,
        MARK_READ,
        SHOW_TYPING,
        MARK_UNREAD,
        MUTE_CONVERSATION,
        UNMUTE_CONVERSATION,
        PIN_CONVERSATION,
        UNPIN_CONVERSATION,
        LIST_LABELS,
        SET_LABEL_MEMBERS,
        UPSERT_LABEL,
        DELETE_LABEL,
        LIST_CONTACTS,
        GET_CONTACT,
        LIST_BLOCKLIST,
        BLOCK_CONTACT,
        UNBLOCK_CONTACT,
        SET_CONTACT_NOTE,
        LIST_GROUPS,
        GET_GROUP,
        CREATE_GROUP,
        LEAVE_GROUP,
        UPDATE_GROUP_MEMBERS,
        UPDATE_GROUP_INFO,
        SET_GROUP_PICTURE,
        LIST_GROUP_JOIN_REQUESTS,
        UPDATE_GROUP_JOIN_REQUESTS,
        SET_GROUP_JOIN_APPROVAL_MODE,
        GET_GROUP_INVITE_CODE,
    )
}


_OF_MEDIA: Mapping[str, Capability[[OutboundMedia], Sent]] = {
    "image": SEND_IMAGE,
    "video": SEND_VIDEO,
    "audio": SEND_AUDIO,
    "document": SEND_DOCUMENT,
}


def capability_to_send(message: OutboundMessage) -> Capability[[Any], Sent]:
    """The capability that a message needs, apart from `SEND_REPLY`."""
    match message:
        case OutboundMedia(type=kind):
            return _OF_MEDIA[kind]
        case OutboundContacts():
            return SEND_CONTACTS
    return SEND_TEXT
