"""Messages on their way out, and what is done to them."""

from typing import Literal

import attrs

from .common import FreeFormObject


@attrs.define
class Recipient:
    id: str
    type: str


@attrs.define
class ContactPhone:
    number: str
    type: str | None = None


@attrs.define
class ContactEmail:
    address: str
    type: str | None = None


@attrs.define
class ContactCard:
    name: str
    phones: list[ContactPhone] | None = None
    emails: list[ContactEmail] | None = None
    organization: str | None = None
    title: str | None = None


@attrs.define
class MessagePayload:
    type: Literal["text", "image", "video", "audio", "document", "file", "contact"]
    text: str | None = None
    url: str | None = None
    file_url: str | None = None
    file_key: str | None = None
    caption: str | None = None
    contacts: list[ContactCard] | None = None


@attrs.define
class ReplyTo:
    reply_token: str


@attrs.define
class Mention:
    id: str


@attrs.define
class SendMessageRequest:
    account_id: str
    to: Recipient
    message: MessagePayload
    provider_data: FreeFormObject | None = None
    reply_to: ReplyTo | None = None
    mentions: list[Mention] | None = None


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

    account_id: str
    conversation_id: str
    message_id: str
    sender_id: str | None = None


@attrs.define
class MessagePinRequest:
    account_id: str
    conversation_id: str
    message_id: str
    pinned: bool
    sender_id: str | None = None
    duration_seconds: int | None = None


@attrs.define
class MessageReactionRequest:
    """An empty emoji takes the reaction away."""

    account_id: str
    conversation_id: str
    message_id: str
    sender_id: str | None = None
    emoji: str | None = None


@attrs.define
class MessageEditRequest:
    account_id: str
    conversation_id: str
    message_id: str
    content: str
