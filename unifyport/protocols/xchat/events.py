"""An event of a conversation: who did what, and the signature of it.

Field ids as in https://github.com/mautrix/twitter (`data/payload/thrift.go`), a client of the web
application; https://docs.x.com/xchat/cryptography-primer says what is signed. `sequence_id`,
`previous_sequence_id`, `created_at_msec`, `conversation_token` and `is_trusted` are the server's and are not
signed.
"""

from typing import Annotated

from attrs import frozen

from unifyport.protocols.thrift import EMPTY, I32, I64, Unknown
from unifyport.protocols.xchat.encoding import decode64, encode64


@frozen
class MessageEventSignature:
    """`signature`: base64 of 64 bytes. `public_key_version`: of the signer. `signing_public_key`: never
    trusted.
    """

    signature: Annotated[str | None, 1] = None
    public_key_version: Annotated[str | None, 2] = None
    signature_version: Annotated[str | None, 3] = None
    signing_public_key: Annotated[str | None, 4] = None
    unknown: Unknown = EMPTY


@frozen
class MessageCreate:
    """`contents`: encrypted if there is a key version, else plain `Holder`."""

    contents: Annotated[bytes | None, 100] = None
    conversation_key_version: Annotated[str | None, 101] = None
    should_notify: Annotated[bool | None, 102] = None
    ttl_msec: Annotated[I64 | None, 103] = None
    delivered_at_msec: Annotated[I64 | None, 104] = None
    unknown: Unknown = EMPTY


@frozen
class ParticipantKey:
    """The key of a conversation, wrapped for one member."""

    user_id: Annotated[str | None, 1] = None
    encrypted_conversation_key: Annotated[str | None, 2] = None
    public_key_version: Annotated[str | None, 3] = None


@frozen
class KeyChange:
    conversation_key_version: Annotated[str | None, 1] = None
    participant_keys: Annotated[tuple[ParticipantKey, ...] | None, 2] = None
    unknown: Unknown = EMPTY


@frozen
class Failure:
    """The server says to the sender why it did not take an event."""

    failure_type: Annotated[I32 | None, 1] = None
    unknown: Unknown = EMPTY


@frozen
class MessageDelete:
    """`action`: 1 from the sender's view, 2 for all."""

    sequence_ids: Annotated[tuple[str, ...] | None, 1] = None
    action: Annotated[I32 | None, 2] = None
    unknown: Unknown = EMPTY


@frozen
class ConversationDelete:
    conversation_id: Annotated[str | None, 1] = None
    unknown: Unknown = EMPTY


@frozen
class ReadMark:
    """A conversation is read up to an event, or unread from it."""

    seen_until_sequence_id: Annotated[str | None, 1] = None
    seen_at_millis: Annotated[I64 | None, 2] = None
    unknown: Unknown = EMPTY


@frozen
class MessageEventDetail:
    """A union: one of its fields."""

    message_create: Annotated[MessageCreate | None, 1] = None
    key_change: Annotated[KeyChange | None, 3] = None
    failure: Annotated[Failure | None, 5] = None
    message_delete: Annotated[MessageDelete | None, 7] = None
    conversation_delete: Annotated[ConversationDelete | None, 8] = None
    read: Annotated[ReadMark | None, 12] = None
    unread: Annotated[ReadMark | None, 13] = None
    unknown: Unknown = EMPTY


@frozen
class MessageEvent:
    """Numbers are decimal texts."""

    sequence_id: Annotated[str | None, 1] = None
    message_id: Annotated[str | None, 2] = None
    sender_id: Annotated[str | None, 3] = None
    conversation_id: Annotated[str | None, 4] = None
    conversation_token: Annotated[str | None, 5] = None
    created_at_msec: Annotated[str | None, 6] = None
    detail: Annotated[MessageEventDetail | None, 7] = None
    relay_source: Annotated[I32 | None, 8] = None
    signature: Annotated[MessageEventSignature | None, 9] = None
    previous_sequence_id: Annotated[str | None, 10] = None
    is_trusted: Annotated[bool | None, 11] = None
    unknown: Unknown = EMPTY


def decode_event(text: str) -> MessageEvent:
    """The event in base64. Raises `thrift.Malformed`."""
    return decode64(MessageEvent, text)


def encode_event(event: MessageEvent) -> str:
    return encode64(event)
