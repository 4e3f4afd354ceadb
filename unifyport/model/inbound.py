"""Provider events: what a connector's `parse.py` makes of a platform's payload.

They have the same classes for all platforms, but hold the platform's ids. The normalizer turns each into the
standard events that webhook endpoints receive; the standard events of one provider event are committed
together.

`key` is the dedupe key: a hash of the fields by which a repeat of the event is recognised, always including
the identity of the account that received it.
"""

import enum
import hashlib
from collections.abc import Iterator
from typing import Any, Literal

import attrs

from .provider_data import ProviderData

ConversationType = Literal["user", "group", "channel"]
MAX_HANDLE = 4096  # bytes
MessageType = Literal[
    "text", "image", "video", "audio", "document", "sticker", "location", "contact", "unknown"
]


def dedupe_key(*fields: str | int) -> bytes:
    """BLAKE2b-128 (16 bytes) over length-prefixed fields: different lists have different encodings."""
    encoded = bytearray()
    for field in fields:
        data = str(field).encode()
        encoded += len(data).to_bytes(4)
        encoded += data
    return hashlib.blake2b(encoded, digest_size=16).digest()


def raw_key(channel: str, account: str, raw: bytes, *more: str) -> bytes:
    """The key of an item that has no id: the hash of its text. `more` tells facts of one text apart."""
    return dedupe_key(channel, account, "raw", hashlib.sha256(raw).hexdigest(), *more)


def message_key(conversation_id: str, message_id: str) -> bytes:
    """The key of a message, under which its originals and files are found: 16 bytes."""
    return dedupe_key("message", conversation_id, message_id)


@attrs.frozen
class Identity:
    """One of the ids of a person or a conversation: `phone` (E.164), `user_id`, `username`, `chat_id`, ..."""

    type: str
    id: str


@attrs.define
class Conversation:
    """`aliases`: other ids under which the platform reports the same conversation, see `model/aliases.py`;
    None if a conversation has one id there. `lane`: the id whose hash is its lane, if that is not `id`.
    """

    id: str
    type: ConversationType
    title: str = ""
    identities: list[Identity] = attrs.field(factory=list)
    aliases: list[str] | None = None
    lane: str = ""


@attrs.define
class Sender:
    id: str
    type: str = "user"
    name: str = ""
    username: str = ""
    phone: str = ""  # E.164, if the platform reports it
    identities: list[Identity] = attrs.field(factory=list)


@attrs.define
class Attachment:
    """A file at the platform.

    `file_id` is its public id, which events show; never a URL: URLs may hold credentials. `handle` is what
    `download` needs to get the file, such as a media key and a path: at most `MAX_HANDLE` bytes, sealed into
    the link and shown to no one. Empty: the bytes of `file_id` are enough.

    `url` is a link to our own server, which the normalizer fills in; empty if the file is too large to fetch
    or its handle too long.
    """

    type: str
    file_id: str
    title: str = ""
    mime_type: str = ""
    size: int | None = None
    duration_ms: int | None = None
    sha256: str = ""  # hex, if the platform reports it
    url: str = ""
    handle: bytes = attrs.field(default=b"", repr=False)


@attrs.define
class Button:
    """The button or list row that the customer chose. Its title is also the message's text."""

    id: str
    title: str
    description: str = ""  # of a list row


@attrs.define
class Content:
    """The content of a message. Locations and contacts are in `text`, too (a contact as vCard).

    `kind` is the platform's own word for it, and `text` can be read by a human whatever the kind is.
    `entities` count in code points of `text`. `fields` are further fields of the message in the event, such
    as `poll` or `media_group_id`. `unsupported`: no parser of ours knows this kind.
    """

    id: str
    type: MessageType
    text: str = ""
    attachments: list[Attachment] = attrs.field(factory=list)
    reply_to_message_id: str | None = None
    button: Button | None = None
    kind: str = ""
    entities: list[dict[str, Any]] = attrs.field(factory=list)
    fields: dict[str, Any] = attrs.field(factory=dict)
    unsupported: bool = False


@attrs.define(kw_only=True)
class Reported:
    """What a platform reported, with its item as it came."""

    provider_data: ProviderData | None = attrs.field(default=None, eq=False)


@attrs.define
class MessageReceived(Reported):
    """`sent_at`: unix ms, the platform's clock; None if the platform does not say it."""

    key: bytes
    conversation: Conversation
    sender: Sender
    content: Content
    sent_at: int | None


@attrs.define
class MessageEdited(Reported):
    """Edits of a message are ordered by `edited_at`, those of the same time by `number`: an edit that comes
    after a newer one is recorded and not emitted.
    """

    key: bytes
    conversation: Conversation
    sender: Sender
    content: Content
    edited_at: int
    number: int = 0


@attrs.define
class MessageDeleted(Reported):
    """`other_ids`: messages that were deleted with it. `deleted_at`: None if the platform does not say it."""

    key: bytes
    conversation: Conversation
    message_id: str
    deleted_at: int | None
    other_ids: list[str] = attrs.field(factory=list)

    @property
    def message_ids(self) -> list[str]:
        return [self.message_id, *self.other_ids]


@attrs.define
class ReactionChanged(Reported):
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
class StatusChanged(Reported):
    """The platform reported a status of messages that we sent.

    `error` (`code`, `title`, `details`): why a send failed. `participant`: the member of a group whom a
    receipt is about.
    """

    key: bytes
    conversation: Conversation
    message_ids: list[str]
    status: Status
    at: int
    error: dict[str, Any] | None = None
    client_ref: str = ""  # the id that we gave the platform with the send, if it repeats it
    participant: Sender | None = None


@attrs.define
class ConversationChanged:
    """The account's own chat list changed.

    `changes`: the new values of `muted`, `mute_until`, `archived`, `pinned`, `read`, ...
    """

    key: bytes
    conversation: Conversation
    changes: dict[str, Any]
    at: int


class MoveReason(enum.StrEnum):
    MIGRATED = "migrated"
    NUMBER_CHANGED = "number_changed"
    USER_ID_CHANGED = "user_id_changed"
    PLATFORM_ALIAS = "platform_alias"


@attrs.define
class ConversationMoved(Reported):
    """The platform gave a conversation another id: `conversation` is known as `previous_id` so far.

    `previous_aliases`: other ids that it had. `name`: the platform's word, for the case that our id of the
    conversation does not change by it.
    """

    key: bytes
    conversation: Conversation
    previous_id: str
    reason: MoveReason
    name: str
    at: int
    previous_aliases: list[str] = attrs.field(factory=list)


@attrs.define
class PlatformEvent(Reported):
    """A report without a standard event, which becomes `provider.event`.

    `name` is the platform's word, or one of ours: `message_echo`, `contact_blocked`, `poll_vote`, `played`.
    `content` and `direction`: of a message, such as one that the owner of the account wrote elsewhere.
    `details` are further fields of `data.event`. `at`: None if the platform does not say it.

    What the owner did to a message elsewhere has `details["change"]`: `edited`, with `number` as in
    `MessageEdited`, or `deleted`, with `target_message_id`.
    """

    key: bytes
    name: str
    at: int | None
    conversation: Conversation | None = None
    sender: Sender | None = None
    content: Content | None = None
    direction: Literal["inbound", "outbound"] | None = None
    details: dict[str, Any] = attrs.field(factory=dict)
    number: int = 0


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
class GroupChanged(Reported):
    """A group changed. `changes` are the contract's objects, such as `{"kind": "renamed", "name": ...}`."""

    key: bytes
    conversation: Conversation
    actor_id: str
    changes: list[dict[str, Any]]
    at: int


@attrs.define
class JoinRequested(Reported):
    """A user asks to join a group. `request_method` is empty if the platform does not report it."""

    key: bytes
    conversation: Conversation
    requester_id: str
    request_method: str
    at: int


@attrs.define
class Ignored:
    """An event without a standard event. Only its key is kept, so that a repeat is recognised.

    `held`: what the connector makes other events of, before they are committed in place of this one.
    """

    key: bytes
    held: Any = attrs.field(default=None, repr=False)


@attrs.define
class Unparsed(Reported):
    """A payload that `parse.py` could not read. It goes to quarantine and never stops the account.

    If conversation, sender and id could be read, it is also a message of type `unknown`.
    """

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
    | ConversationMoved
    | ConversationRemoved
    | ConversationHistory
    | HistorySynced
    | GroupChanged
    | JoinRequested
    | PlatformEvent
    | Ignored
    | Unparsed
)


def files_of(event: ProviderEvent) -> Iterator[tuple[str, Attachment]]:
    """Every attachment in an event, with the id of its message."""
    contents: list[Content] = []
    match event:
        case MessageReceived(content=content) | MessageEdited(content=content):
            contents = [content]
        case PlatformEvent(content=Content() as content):
            contents = [content]
        case ConversationHistory(messages=messages):
            contents = [past.content for past in messages]
    for content in contents:
        for attachment in content.attachments:
            yield content.id, attachment


def edit_of(event: ProviderEvent) -> tuple[str, int, int] | None:
    """(message id, time in unix ms, number) of an edit; None for any other event."""
    match event:
        case MessageEdited(content=content, edited_at=at, number=number):
            return content.id, at, number
        case PlatformEvent(content=Content(id=id_), at=int(at), details={"change": "edited"}, number=number):
            return id_, at, number
    return None


def deleted_ids(event: ProviderEvent) -> list[str]:
    """The ids of the messages that an event takes back."""
    match event:
        case MessageDeleted():
            return event.message_ids
        case PlatformEvent(details={"change": "deleted", "target_message_id": str(id_)}):
            return [id_]
    return []
