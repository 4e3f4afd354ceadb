"""What X's server keeps of XChat, and what it reads of what clients send."""

from typing import Any

import attrs

from unifyport.protocols import thrift
from unifyport.protocols.xchat import (
    MessageEvent,
    MessageEventDetail,
    MessageEventSignature,
    decode64,
    decode_event,
)
from unifyport.providers.x.xchat.made import ActionSignature


class ChatRefusal(Exception):
    """`kind`: `not_found`, `not_member`, `no_keys`, `old_key_version`, `invalid`, `too_large`."""

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(text or kind)
        self.kind = kind


@attrs.define
class RegisteredKey:
    """A public record of a user. `in_realm`: whether its private keys are kept in the realms."""

    user: str
    version: int
    identity: str
    signing: str
    binding: str
    in_realm: bool = False


@attrs.define
class ChatEvent:
    """An event of a conversation. `encoded`: base64 of Thrift `MessageEvent`.

    `kind`: `message`, `key_change`, `group_change`, `delete`, `read`, … `previous`: the sequence id before it
    in the conversation.
    """

    sequence: int
    previous: int | None
    message_id: str
    sender: str
    conversation: str
    at: int
    kind: str
    encoded: str
    key_version: int | None = None


@attrs.define
class ChatConversation:
    """`id` as in signatures. `keys`: versions, with the event that brought each."""

    id: str
    members: set[str]
    admins: set[str] = attrs.field(factory=set)
    title: str = ""
    events: list[ChatEvent] = attrs.field(factory=list)
    keys: dict[int, ChatEvent] = attrs.field(factory=dict)
    muted: set[str] = attrs.field(factory=set)
    trusted: bool = True
    token: str = "token-of-the-conversation"  # noqa: S105 (of the sandbox)
    read: dict[str, int] = attrs.field(factory=dict)  # user -> sequence id

    @property
    def updated_at(self) -> int:
        return self.events[-1].at if self.events else 0


def decoded(structure: type[Any], text: str) -> Any:
    try:
        return decode64(structure, text)
    except thrift.ThriftError:
        raise ChatRefusal("invalid", "no Thrift structure in base64") from None


def event_of(encoded: str) -> MessageEvent:
    try:
        return decode_event(encoded)
    except thrift.ThriftError:
        raise ChatRefusal("invalid", "no event") from None


def has_key_change(action: ActionSignature) -> bool:
    detail: MessageEventDetail = decoded(MessageEventDetail, action.detail)
    return detail.key_change is not None


def signature_of(action: ActionSignature) -> MessageEventSignature:
    return MessageEventSignature(action.signature, action.public_key_version, action.signature_version)
