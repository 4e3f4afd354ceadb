"""Messages on their way out, and what is done to them."""

from typing import Annotated, Literal

import attrs
from msgspec import Meta

from .common import FreeFormObject
from .fields import (
    CardField,
    ConversationType,
    Emoji,
    FileName,
    Id,
    MessageNumber,
    MessageText,
    NeededCardField,
    NewText,
    Uint32,
)


@attrs.define
class Recipient:
    id: Id
    type: ConversationType


@attrs.define
class ContactPhone:
    number: NeededCardField
    type: CardField | None = None


@attrs.define
class ContactEmail:
    address: NeededCardField
    type: CardField | None = None


@attrs.define
class ContactCard:
    name: NeededCardField
    phones: list[ContactPhone] | None = None
    emails: list[ContactEmail] | None = None
    organization: CardField | None = None
    title: CardField | None = None


@attrs.define
class MessagePayload:
    type: Literal["text", "image", "video", "audio", "document", "file", "contact"]
    text: MessageText | None = None
    url: str | None = None
    file_url: str | None = None
    file_key: str | None = None
    caption: MessageText | None = None
    name: FileName | None = None  # of the file
    contacts: list[ContactCard] | None = None


@attrs.define
class ReplyTo:
    """One of the two; a token counts before an id."""

    reply_token: str | None = None
    message_id: Id | MessageNumber | None = None


@attrs.define
class Mention:
    id: Id


@attrs.define
class SendMessageRequest:
    account_id: Id
    to: Recipient
    message: MessagePayload
    provider_data: FreeFormObject | None = None
    reply_to: ReplyTo | Id | MessageNumber | None = None
    mentions: Annotated[list[Mention], Meta(max_length=1000)] | None = None


@attrs.define
class SendMessageResult:
    message_id: str
    account_id: str
    status: str
    command_id: str
    provider_ref: str | None = None
    reply_token: str | None = None


@attrs.define
class UploadedMedia:
    """A file that may be sent, by its `file_key`, until it expires."""

    file_key: str
    name: str
    mime_type: str
    size: int
    expires_at: str


@attrs.define
class Command:
    """What became of a send. Our extension; `outcome` is one of `CommandState`."""

    id: str
    account_id: str
    outcome: Literal["accepted", "sending", "sent", "rejected", "not_sent", "unknown"]
    message_id: str | None = None
    reason: str | None = None


@attrs.define
class MessageTargetRequest:
    """A message that is there. `sender_id` is who wrote it; absent: the account itself."""

    account_id: Id
    conversation_id: Id
    message_id: Id
    sender_id: Id | None = None


@attrs.define
class MessagePinRequest:
    account_id: Id
    conversation_id: Id
    message_id: Id
    pinned: bool
    sender_id: Id | None = None
    duration_seconds: Uint32 | None = None


@attrs.define
class MessageReactionRequest:
    """An empty emoji takes the reaction away."""

    account_id: Id
    conversation_id: Id
    message_id: Id
    sender_id: Id | None = None
    emoji: Emoji | None = None


@attrs.define
class MessageEditRequest:
    account_id: Id
    conversation_id: Id
    message_id: Id
    content: NewText
