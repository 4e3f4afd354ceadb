"""Conversations, contacts and groups: requests, and pages of what `unifyport.model.directory` holds."""

from typing import Annotated, Literal

import attrs
from msgspec import Meta

from unifyport.model.directory import (
    Contact,
    Conversation,
    ConversationLabel,
    ConversationMember,
    Group,
    GroupJoinRequest,
    MessageTemplate,
)
from unifyport.model.texts import PATTERN

from .fields import Duration, GroupName, HttpsUrl, Id, Ids, LabelName, Note, Time


@attrs.define
class ConversationReadRequest:
    """Both message fields, or neither: then the whole conversation."""

    conversation_id: Id
    up_to_message_id: Id | None = None
    up_to_message_sender_id: Id | None = None


@attrs.define
class ConversationIdRequest:
    conversation_id: Id


@attrs.define
class ConversationMuteRequest:
    """`duration` in seconds, 0 for ever, or `mute_until` (RFC 3339); neither: for ever."""

    conversation_id: Id
    duration: Duration | None = None
    mute_until: Time | None = None


@attrs.define
class ConversationListResult:
    items: list[Conversation]
    has_more: bool
    next_cursor: str


@attrs.define
class ConversationMemberListResult:
    items: list[ConversationMember]
    has_more: bool
    next_cursor: str


@attrs.define
class MessageTemplateListResult:
    """Our extension."""

    items: list[MessageTemplate]
    has_more: bool
    next_cursor: str


@attrs.define
class ConversationLabelListResult:
    items: list[ConversationLabel]
    has_more: bool
    next_cursor: str


@attrs.define
class ConversationLabelMembersRequest:
    label_id: Id
    action: Literal["add", "remove"]
    conversation_ids: Ids


@attrs.define
class ConversationLabelMembersResult:
    label_id: str
    action: Literal["add", "remove"]
    conversation_ids: list[str]


@attrs.define
class ConversationLabelUpsertRequest:
    """Without `label_id`, or with an empty one, a label is made."""

    name: LabelName
    label_id: Annotated[str, Meta(max_length=512, pattern=PATTERN)] | None = None


@attrs.define
class ConversationLabelDeleteRequest:
    label_id: Id


@attrs.define
class ConversationLabelDeleteResult:
    label_id: str
    deleted: Literal[True] = True


@attrs.define
class ContactIdRequest:
    contact_id: Id


@attrs.define
class ContactNoteRequest:
    contact_id: Id
    note: Note


@attrs.define
class ContactListResult:
    items: list[Contact]
    has_more: bool
    next_cursor: str


@attrs.define
class GroupIdRequest:
    group_id: Id


@attrs.define
class GroupListResult:
    items: list[Group]
    has_more: bool
    next_cursor: str


@attrs.define
class GroupCreateRequest:
    name: GroupName
    members: Annotated[list[Id], Meta(max_length=1000)] | None = None


@attrs.define
class GroupCreateResult:
    id: str


@attrs.define
class GroupMemberUpdateRequest:
    group_id: Id
    action: Literal["add", "remove", "promote", "demote"]
    member_id: Id


@attrs.define
class GroupInfoUpdateRequest:
    """Exactly one of `name`, `description` (empty clears it) and `avatar_url`."""

    group_id: Id
    name: GroupName | None = None
    description: Note | None = None
    avatar_url: HttpsUrl | None = None


@attrs.define
class GroupJoinRequestsResult:
    group_id: str
    items: list[GroupJoinRequest]


@attrs.define
class GroupJoinRequestsUpdateRequest:
    group_id: Id
    action: Literal["approve", "reject"]
    member_ids: Ids


@attrs.define
class GroupJoinApprovalModeRequest:
    group_id: Id
    enabled: bool
