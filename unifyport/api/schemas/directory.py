"""Conversations, contacts and groups: requests, and pages of what `unifyport.model.directory` holds."""

from typing import Literal

import attrs

from unifyport.model.directory import (
    Contact,
    Conversation,
    ConversationLabel,
    ConversationMember,
    Group,
    GroupJoinRequest,
)


@attrs.define
class ConversationReadRequest:
    """Both message fields, or neither."""

    conversation_id: str
    up_to_message_id: str | None = None
    up_to_message_sender_id: str | None = None


@attrs.define
class ConversationIdRequest:
    conversation_id: str


@attrs.define
class ConversationMuteRequest:
    """`duration` in seconds, 0 for ever, or `mute_until` (RFC 3339); neither: for ever."""

    conversation_id: str
    duration: int | None = None
    mute_until: str | None = None


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
class ConversationLabelListResult:
    items: list[ConversationLabel]
    has_more: bool
    next_cursor: str


@attrs.define
class ConversationLabelMembersRequest:
    label_id: str
    action: Literal["add", "remove"]
    conversation_ids: list[str]


@attrs.define
class ConversationLabelMembersResult:
    label_id: str
    action: Literal["add", "remove"]
    conversation_ids: list[str]


@attrs.define
class ConversationLabelUpsertRequest:
    """Without `label_id`, or with an empty one, a label is made."""

    name: str
    label_id: str | None = None


@attrs.define
class ConversationLabelDeleteRequest:
    label_id: str


@attrs.define
class ConversationLabelDeleteResult:
    label_id: str
    deleted: Literal[True] = True


@attrs.define
class ContactIdRequest:
    contact_id: str


@attrs.define
class ContactNoteRequest:
    contact_id: str
    note: str


@attrs.define
class ContactListResult:
    items: list[Contact]
    has_more: bool
    next_cursor: str


@attrs.define
class GroupIdRequest:
    group_id: str


@attrs.define
class GroupListResult:
    items: list[Group]
    has_more: bool
    next_cursor: str


@attrs.define
class GroupCreateRequest:
    name: str
    members: list[str] | None = None


@attrs.define
class GroupCreateResult:
    id: str


@attrs.define
class GroupMemberUpdateRequest:
    group_id: str
    action: Literal["add", "remove", "promote", "demote"]
    member_id: str


@attrs.define
class GroupInfoUpdateRequest:
    """Exactly one of `name`, `description` (empty clears it) and `avatar_url`."""

    group_id: str
    name: str | None = None
    description: str | None = None
    avatar_url: str | None = None


@attrs.define
class GroupJoinRequestsResult:
    group_id: str
    items: list[GroupJoinRequest]


@attrs.define
class GroupJoinRequestsUpdateRequest:
    group_id: str
    action: Literal["approve", "reject"]
    member_ids: list[str]


@attrs.define
class GroupJoinApprovalModeRequest:
    group_id: str
    enabled: bool
