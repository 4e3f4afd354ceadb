"""What an encoded event says of itself, before anything of it is believed."""

from typing import Literal

import attrs

from unifyport.protocols import thrift
from unifyport.protocols.xchat import MessageEvent, decode_event

from .ids import GROUP, USER, conversation_of

Kind = Literal["message", "key_change", "failure", "other"]
_MAX_ID = 64
_MAX_SEQUENCE = 2**63


@attrs.frozen
class Head:
    """Only `message_id`, `sender` and `conversation` are signed. `previous`: the sequence id before it in its
    conversation. `at`: unix ms. `signer`: the version of the sender's public key. `version`: of the
    conversation's key that it was encrypted with, or that it brings; None: it is not encrypted.
    """

    conversation: str = ""
    message_id: str = ""
    sender: str = ""
    sequence: int | None = None
    previous: int | None = None
    at: int | None = None
    kind: Kind = "other"
    signer: int | None = None
    version: int | None = None
    token: str = attrs.field(default="", repr=False)


@attrs.frozen
class Item:
    """An encoded event that could be read, as it came and in parts."""

    encoded: str
    event: MessageEvent
    head: Head


class Unreadable(Exception):
    """Why an encoded event cannot be used; the text is a word."""


def read_item(encoded: str, me: str) -> Item:
    """Raises `Unreadable`."""
    try:
        event = decode_event(encoded)
    except thrift.ThriftError:
        raise Unreadable("malformed_event") from None
    id_, sender = event.message_id or "", event.sender_id or ""
    conversation = conversation_of(me, event.conversation_id or "")
    if not 0 < len(id_) <= _MAX_ID or not id_.isascii() or not id_.isprintable():
        raise Unreadable("malformed_message_id")
    if USER.fullmatch(sender) is None:
        raise Unreadable("malformed_sender")
    if conversation is None or conversation != event.conversation_id:
        raise Unreadable("not_our_conversation")
    if GROUP.fullmatch(conversation) is None and sender not in conversation.split(":"):
        raise Unreadable("sender_not_in_conversation")
    return Item(encoded, event, _head(event, conversation, id_, sender))


def _head(event: MessageEvent, conversation: str, id_: str, sender: str) -> Head:
    detail, signature = event.detail, event.signature
    kind: Kind = "other"
    version: str | None = None
    if detail is not None and detail.message_create is not None:
        kind, version = "message", detail.message_create.conversation_key_version
    elif detail is not None and detail.key_change is not None:
        kind, version = "key_change", detail.key_change.conversation_key_version
    elif detail is not None and detail.failure is not None:
        kind = "failure"
    return Head(
        conversation,
        id_,
        sender,
        sequence=number(event.sequence_id),
        previous=number(event.previous_sequence_id),
        at=number(event.created_at_msec),
        kind=kind,
        signer=None if signature is None else number(signature.public_key_version),
        version=number(version),
        token=event.conversation_token or "",
    )


def number(text: str | None) -> int | None:
    """A decimal number below 2**63; None for anything else."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    found = int(text)
    return found if found < _MAX_SEQUENCE else None
