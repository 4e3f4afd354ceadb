"""What a platform stores beside messages: conversations with their members and labels, contacts, groups.

The fields and their names are the contract's: what a connector returns is what a caller gets. A field that a
platform does not report is left out, or empty if the contract requires it (`avatar_url`), never made up.
"""

from typing import Any, Generic, Literal, TypeVar

import attrs

T = TypeVar("T")

ConversationType = Literal["user", "group", "channel"]


@attrs.define
class Page(Generic[T]):
    """`next`: the platform's own cursor of the next page; None on the last page."""

    items: list[T]
    next: str | None = None


@attrs.define
class Conversation:
    """Times are RFC 3339. `conversation_id` is used as `to.id` of a send."""

    conversation_id: str
    type: ConversationType
    title: str
    avatar_url: str = ""
    unread_count: int = 0
    is_pinned: bool = False
    is_muted: bool = False
    created_at: str | None = None
    description: str | None = None
    last_message_at: str | None = None
    last_message_text: str | None = None
    members_count: int | None = None
    subscribers_count: int | None = None
    username: str | None = None
    extra: dict[str, Any] | None = None


@attrs.define
class ConversationMember:
    """`role`: `owner`, `admin` or `member`."""

    peer_id: str
    display_name: str
    avatar_url: str = ""
    role: str | None = None
    username: str | None = None
    joined_at: str | None = None
    extra: dict[str, Any] | None = None


@attrs.define
class ConversationLabel:
    id: str
    name: str


@attrs.define
class Contact:
    id: str
    conversation_id: str
    display_name: str
    provider_user_id: str
    avatar_url: str = ""
    is_blocked: bool | None = None
    extra: dict[str, Any] | None = None


@attrs.define
class ContactBlocklist:
    """`dhash`: the platform's own hash of the list, if it has one."""

    blocklist: list[str]
    dhash: str | None = None


@attrs.define
class Group:
    id: str
    conversation_id: str
    name: str
    avatar_url: str = ""
    description: str | None = None
    created_at: str | None = None
    joined_at: str | None = None
    member_count: int | None = None
    extra: dict[str, Any] | None = None


@attrs.frozen
class Picture:
    """A picture that is to be set. `mime_type`: by its content, `image/jpeg` or `image/png`."""

    content: bytes = attrs.field(repr=False)
    mime_type: str


@attrs.define
class GroupJoinRequest:
    id: str
    phone: str | None = None
    lid: str | None = None
    requested_at: str | None = None


@attrs.define
class GroupInviteCode:
    invite_url: str
    invite_code: str


@attrs.define
class MessageTemplate:
    """A template of messages. `components`: in the platform's terms; `placeholders` are their names."""

    name: str
    language: str
    category: str = ""
    status: str = "approved"
    placeholders: list[str] = attrs.field(factory=list)
    components: list[dict[str, Any]] = attrs.field(factory=list)
