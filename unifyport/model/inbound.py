"""Provider events: what a connector's `parse.py` makes of a platform's payload.

They are platform-neutral but still know the platform's ids. The normalizer turns each into the standard
events that customers receive; one provider event gives none, one or two of them, committed together.

`key` names the event for deduplication: the fields that make a repeat of it recognisable, always with the
provider's own identity of the account that received it.
"""

import enum
import hashlib
from typing import Any, Literal

import attrs

ConversationType = Literal["user", "group", "channel"]
MessageType = Literal[
    "text", "image", "video", "audio", "document", "sticker", "location", "contact", "unknown"
]


def dedupe_key(*fields: str | int) -> bytes:
    """BLAKE2b-128 over length-prefixed fields: no two different lists share an encoding."""
    digest = hashlib.blake2b(digest_size=16)
    for field in fields:
        data = str(field).encode()
        digest.update(len(data).to_bytes(4) + data)
    return digest.digest()


@attrs.define
class Conversation:
    id: str
    type: ConversationType
    title: str = ""


@attrs.define
class Sender:
    id: str
    type: str = "user"
    name: str = ""
    username: str = ""
    phone: str = ""  # E.164, where the platform says it


@attrs.define
class Attachment:
    """A file at the platform. `file_id` is the platform's handle, never a URL: those hold credentials.

    `url` is ours: the normalizer fills it in. It stays empty for a file that is too large to be fetched.
    """

    type: str
    file_id: str
    title: str = ""
    mime_type: str = ""
    size: int | None = None
    duration_ms: int | None = None
    sha256: str = ""  # hex, where the platform says it
    url: str = ""


@attrs.define
class Button:
    """What the customer chose of the buttons or the list that we had sent;
    its title is the message's text.
    """

    id: str
    title: str


@attrs.define
class Content:
    """What a message says. Location and contact details are in `text` (a contact as vCard)."""

    id: str
    type: MessageType
    text: str = ""
    attachments: list[Attachment] = attrs.field(factory=list)
    reply_to_message_id: str | None = None
    button: Button | None = None


@attrs.define
class MessageReceived:
    key: bytes
    conversation: Conversation
    sender: Sender
    content: Content
    sent_at: int  # unix ms, the platform's clock


@attrs.define
class MessageEdited:
    key: bytes
    conversation: Conversation
    sender: Sender
    content: Content
    edited_at: int


@attrs.define
class MessageDeleted:
    key: bytes
    conversation: Conversation
    message_id: str
    deleted_at: int


@attrs.define
class ReactionChanged:
    """`emoji` is empty when the reaction was removed."""

    key: bytes
    conversation: Conversation
    sender: Sender
    reaction_id: str
    target_message_id: str
    emoji: str
    at: int


class Status(enum.StrEnum):
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@attrs.define
class StatusChanged:
    """A platform reported what became of messages that we sent.

    `error` (`code`, `title`, ...) says why one failed.
    """

    key: bytes
    conversation: Conversation
    message_ids: list[str]
    status: Status
    at: int
    error: dict[str, Any] | None = None
    client_ref: str = ""  # the id that we gave the platform for the send, where it repeats it


@attrs.define
class ConversationChanged:
    """The account's own chat list changed: `changes` holds `muted`, `mute_until`, `archived`, `pinned`,
    `read`, ...
    """

    key: bytes
    conversation: Conversation
    changes: dict[str, Any]
    at: int


@attrs.define
class ConversationRemoved:
    """The account deleted a chat locally or, with `cleared`, only its history."""

    key: bytes
    conversation: Conversation
    cleared: bool
    delete_media: bool
    at: int


@attrs.define
class PastMessage:
    """A message of a conversation's history."""

    content: Content
    sender: Sender
    direction: Literal["inbound", "outbound"]
    sent_at: int


@attrs.define
class ConversationHistory:
    """Recent history of one conversation, in time order."""

    key: bytes
    conversation: Conversation
    messages: list[PastMessage]
    at: int


@attrs.define
class HistorySynced:
    """One batch of history is complete."""

    key: bytes
    conversations: int
    messages: int
    at: int


@attrs.define
class GroupChanged:
    """`changes` as the contract lists them: `{"kind": "renamed", "name": ...}`, `{"kind": "member_added",
    ...}`, ...
    """

    key: bytes
    conversation: Conversation
    actor_id: str
    changes: list[dict[str, Any]]
    at: int


@attrs.define
class JoinRequested:
    """Somebody asks to join a group. `request_method` is empty when the platform does not say."""

    key: bytes
    conversation: Conversation
    requester_id: str
    request_method: str
    at: int


@attrs.define
class Ignored:
    """Something of no interest to customers; only its key is kept, so that it is known when it repeats."""

    key: bytes


@attrs.define
class Unparsed:
    """A payload that `parse.py` could not read. It goes to quarantine; it never stops an account."""

    key: bytes
    raw: bytes
    reason: str
    conversation: Conversation | None = None
    sender: Sender | None = None
    message_id: str = ""
    sent_at: int | None = None


ProviderEvent = (
    MessageReceived
    | MessageEdited
    | MessageDeleted
    | ReactionChanged
    | StatusChanged
    | ConversationChanged
    | ConversationRemoved
    | ConversationHistory
    | HistorySynced
    | GroupChanged
    | JoinRequested
    | Ignored
    | Unparsed
)


def attachments_of(event: ProviderEvent) -> list[Attachment]:
    """Every file that an event brings."""
    match event:
        case MessageReceived(content=content) | MessageEdited(content=content):
            return content.attachments
        case ConversationHistory(messages=messages):
            return [attachment for past in messages for attachment in past.content.attachments]
    return []
