"""What `data` of each event holds. `http/openapi_events.py` makes the whole body of it.

A field that may be absent is None here. Objects are open: platforms have more fields, and later versions may.
"""

from typing import Any, Literal

import attrs

from unifyport.model.event import EventType

from .common import FreeFormObject, RuntimeStatus


@attrs.define
class EventIdentity:
    """`type`: `phone` (E.164), `user_id`, `username`, `lid`, `chat_id`, `mid`, ..."""

    type: str
    id: str


@attrs.define
class EventConversation:
    """`id` is what `to.id` and `conversation_id` of requests take."""

    id: str
    type: Literal["user", "group", "channel"]
    title: str
    identities: list[EventIdentity] | None = None


@attrs.define
class EventSender:
    id: str
    type: str
    name: str
    username: str | None = None
    phone: str | None = None
    identities: list[EventIdentity] | None = None


@attrs.define
class EventParty:
    """Who did it, or who asks; `id` is a sender's."""

    id: str


@attrs.define
class AttachmentMetadata:
    """`is_big_file`: too large to be fetched; there is no `url`."""

    provider_file_id: str
    is_big_file: bool | None = None


@attrs.define
class EventAttachment:
    """`url` is a signed link of the gateway, which expires."""

    type: str
    metadata: AttachmentMetadata
    title: str | None = None
    mime_type: str | None = None
    size: int | None = None
    duration_ms: int | None = None
    url: str | None = None


@attrs.define
class EventEntity:
    """`offset` and `length` count Unicode code points of `text`. More fields by `type`, such as `url`."""

    type: str
    offset: int
    length: int
    url: str | None = None


@attrs.define
class EventButton:
    """What the customer chose; `description` is that of a list row."""

    id: str
    title: str
    description: str | None = None


@attrs.define
class MessageError:
    """Why the platform did not deliver a message, or what does not work there."""

    code: int | None = None
    title: str | None = None
    details: str | None = None


@attrs.define
class EventInfo:
    """`kind`: a word for the type. `name` (of `provider.event`): the platform's word, or one of ours.

    `error`: what the platform reports under the name `errors`.
    """

    kind: str
    name: str | None = None
    error: MessageError | None = None
    reaction: str | None = None
    reason: str | None = None
    previous_id: str | None = None


@attrs.define
class MessageId:
    id: str


@attrs.define
class EventMessage:
    """`text` can be read by a human whatever the kind is; `kind` is the platform's own word.

    Some kinds have more fields: docs/events.md shows each.
    """

    id: str
    type: Literal["text", "image", "video", "audio", "document", "sticker", "location", "contact", "unknown"]
    text: str
    kind: str | None = None
    direction: Literal["inbound", "outbound"] | None = None
    sent_at: str | None = None
    reply_token: str | None = None
    reply_to_message_id: str | None = None
    attachments: list[EventAttachment] | None = None
    entities: list[EventEntity] | None = None
    button: EventButton | None = None
    forwarded: bool | None = None
    media_group_id: str | None = None
    thread_id: str | None = None


@attrs.define(kw_only=True)
class PastEventMessage(EventMessage):
    sender: EventSender


@attrs.define
class MessageReactionTarget:
    """`id`: of the reaction itself."""

    id: str
    target_message_id: str


@attrs.define
class MessageReceipt:
    """`ids`: all messages of a batch; `id`: the last of them."""

    id: str
    ids: list[str]
    delivered_at: str | None = None
    read_at: str | None = None


@attrs.define
class MessageStatus:
    id: str
    status: Literal["sent", "delivered", "read", "failed"]
    error: MessageError | None = None


@attrs.define(kw_only=True)
class EventData:
    """`provider_data`: the platform's item as it came, without the paths in `provider_data_redacted`."""

    event: EventInfo
    provider_data: Any = None
    provider_data_redacted: list[str] | None = None
    provider_data_omitted: Literal["too_large"] | None = None
    truncated: bool | None = None


@attrs.define(kw_only=True)
class OfConversation(EventData):
    conversation: EventConversation


@attrs.define(kw_only=True)
class MessageReceivedData(OfConversation):
    sender: EventSender
    message: EventMessage


@attrs.define(kw_only=True)
class MessageUpdatedData(OfConversation):
    """`message.id` is that of the original; the rest is the new content."""

    sender: EventSender
    message: EventMessage


@attrs.define(kw_only=True)
class MessageDeletedData(OfConversation):
    message: MessageId


@attrs.define(kw_only=True)
class MessageReactionData(OfConversation):
    """`event.reaction` is the emoji; empty: the reaction was taken away."""

    sender: EventSender
    message: MessageReactionTarget


@attrs.define(kw_only=True)
class MessageDeliveredData(OfConversation):
    """`participant`: the member of a group whose device it is."""

    message: MessageReceipt
    delivered_at: str
    participant: EventSender | None = None


@attrs.define(kw_only=True)
class MessageReadData(OfConversation):
    """`participant`: the member of a group who has read."""

    message: MessageReceipt
    read_at: str
    participant: EventSender | None = None


@attrs.define(kw_only=True)
class MessageStatusUpdatedData(OfConversation):
    message: MessageStatus
    participant: EventSender | None = None


@attrs.define(kw_only=True)
class ConversationUpdatedData(OfConversation):
    """What changed, here and in `event`. `previous_id`: the conversation has another id from now on."""

    muted: bool | None = None
    mute_until: str | None = None
    mute_forever: bool | None = None
    archived: bool | None = None
    pinned: bool | None = None
    read: bool | None = None
    previous_id: str | None = None
    reason: str | None = None


@attrs.define(kw_only=True)
class ConversationDeletedData(OfConversation):
    delete_media: bool


@attrs.define(kw_only=True)
class ConversationClearedData(OfConversation):
    delete_media: bool


@attrs.define(kw_only=True)
class ConversationHistoryData(OfConversation):
    """`messages` in the order of time."""

    messages: list[PastEventMessage]


@attrs.define
class GroupChange:
    """`kind`: `renamed`, `description_changed`, `member_added`, `member_removed`, `promoted`, `demoted`,
    `dissolved`.
    """

    kind: str
    name: str | None = None
    description: str | None = None
    member_ids: list[str] | None = None


@attrs.define(kw_only=True)
class GroupUpdatedData(OfConversation):
    actor: EventParty
    changes: list[GroupChange]


@attrs.define(kw_only=True)
class GroupJoinRequestData(OfConversation):
    requester: EventParty
    request_method: str | None = None


@attrs.define
class EventAccount:
    """`provider_account_ref`: the platform's id of the account, once it is known."""

    provider_account_ref: str | None = None
    display_name: str | None = None
    picture_url: str | None = None
    region: str | None = None
    status_message: str | None = None


@attrs.define(kw_only=True)
class AccountStatusUpdatedData(EventData):
    auth_status: str
    runtime_status: RuntimeStatus
    account: EventAccount
    reason: str | None = None
    coalesced: int | None = None


@attrs.define(kw_only=True)
class AccountStartedData(EventData):
    auth_status: str
    runtime_status: RuntimeStatus
    account: EventAccount
    coalesced: int | None = None


@attrs.define
class HistorySummary:
    conversations: int
    messages: int


@attrs.define(kw_only=True)
class AccountHistorySyncedData(EventData):
    summary: HistorySummary


@attrs.define
class EventAuthField:
    type: str
    required: bool
    label: str | None = None


@attrs.define(kw_only=True)
class AccountAuthRequiredData(EventData):
    """`auth_payload` is shown to the human until `expires_at`: treat it as a secret."""

    auth_status: str
    runtime_status: RuntimeStatus
    sequence: int | None = None
    auth_payload: FreeFormObject | None = None
    auth_fields: list[EventAuthField] | None = None
    expires_at: str | None = None
    last_error: str | None = None
    account: EventAccount | None = None


@attrs.define(kw_only=True)
class AccountAuthSucceededData(EventData):
    auth_status: str
    account: EventAccount
    display_name: str
    picture_url: str
    region: str
    status_message: str


@attrs.define(kw_only=True)
class AccountAuthFailedData(EventData):
    auth_status: str
    runtime_status: RuntimeStatus
    last_error: str
    account: EventAccount
    guesses_left: int | None = None


@attrs.define(kw_only=True)
class ProviderEventData(EventData):
    """What has no standard event; `event.name` says what it is. `message_echo`: what the owner wrote."""

    conversation: EventConversation | None = None
    sender: EventSender | None = None
    message: EventMessage | None = None


# The class of `data`, and when the event comes.
EVENTS: dict[EventType, tuple[type[EventData], str]] = {
    EventType.MESSAGE_RECEIVED: (MessageReceivedData, "A customer wrote, or pressed a button."),
    EventType.MESSAGE_UPDATED: (MessageUpdatedData, "A message was edited."),
    EventType.MESSAGE_DELETED: (MessageDeletedData, "A message was taken back by its sender."),
    EventType.MESSAGE_READ: (MessageReadData, "Messages of ours were read."),
    EventType.MESSAGE_REACTION: (MessageReactionData, "A reaction was set or taken away."),
    EventType.MESSAGE_DELIVERED: (MessageDeliveredData, "Messages of ours reached a device."),
    EventType.MESSAGE_STATUS_UPDATED: (
        MessageStatusUpdatedData,
        "The platform told a status of a message of ours; for each message, after the event above.",
    ),
    EventType.CONVERSATION_UPDATED: (
        ConversationUpdatedData,
        "The account's own chat list changed, or a conversation has another id from now on.",
    ),
    EventType.CONVERSATION_DELETED: (ConversationDeletedData, "The account deleted a chat locally."),
    EventType.CONVERSATION_CLEARED: (ConversationClearedData, "The account cleared a chat's local history."),
    EventType.CONVERSATION_HISTORY: (
        ConversationHistoryData,
        "Recent history of one conversation, after a first login or a reconnection.",
    ),
    EventType.GROUP_UPDATED: (GroupUpdatedData, "A group changed: its name, its members, their rights."),
    EventType.GROUP_JOIN_REQUEST: (GroupJoinRequestData, "A user asks to join a group."),
    EventType.ACCOUNT_STATUS_UPDATED: (
        AccountStatusUpdatedData,
        "The login or the runtime status of an account changed.",
    ),
    EventType.ACCOUNT_STARTED: (AccountStartedData, "An account is connected, and can send and receive."),
    EventType.ACCOUNT_HISTORY_SYNCED: (AccountHistorySyncedData, "One batch of history is complete."),
    EventType.ACCOUNT_AUTH_REQUIRED: (
        AccountAuthRequiredData,
        "A human must take a step of a login, or a login was lost.",
    ),
    EventType.ACCOUNT_AUTH_SUCCEEDED: (AccountAuthSucceededData, "A login is done."),
    EventType.ACCOUNT_AUTH_FAILED: (
        AccountAuthFailedData,
        "An attempt failed, or an existing login is not valid any more.",
    ),
    EventType.PROVIDER_EVENT: (
        ProviderEventData,
        "The platform reported what has no standard event. Must be named in `subscribed_events`.",
    ),
}
