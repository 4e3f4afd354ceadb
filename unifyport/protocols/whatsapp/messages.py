"""The plaintext of an encrypted message: padding, size, and kinds that `whatsapp.proto` does not have."""

import base64
import hashlib
import os
from collections.abc import Iterable
from typing import Final

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as AnyMessage
from google.protobuf.unknown_fields import UnknownFieldSet

from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message

MAX_MESSAGE: Final = 4 << 20  # bytes; thumbnails and first pieces of history are inside messages
_UNPADDED_VERSION: Final = 3  # attribute `v` of <enc>


class MalformedMessage(ValueError):
    """A decrypted plaintext is not a message; the sender's client, or the sender, is at fault."""


def pad(plaintext: bytes) -> bytes:
    """Append 1 to 16 bytes, each of which is their number, so that the length says less."""
    count = os.urandom(1)[0] % 16 + 1
    return plaintext + bytes((count,)) * count


def unpad(padded: bytes, version: int = 2) -> bytes:
    """Remove the padding. `version` is attribute `v` of <enc>. Raises `MalformedMessage`."""
    if version == _UNPADDED_VERSION:
        return padded
    count = padded[-1] if padded else 0
    if count == 0 or padded[-count:] != bytes((count,)) * count:
        raise MalformedMessage("A message is padded wrongly")
    return padded[:-count]


def read_message(plaintext: bytes) -> Message:
    """The message. Raises `MalformedMessage` for no message, text that is not UTF-8, or one too large."""
    if len(plaintext) > MAX_MESSAGE:
        raise MalformedMessage(f"A message of {len(plaintext)} bytes; {MAX_MESSAGE} are allowed")
    try:
        return Message.FromString(plaintext)
    except DecodeError as error:
        raise MalformedMessage("A message cannot be read") from error


def unknown_fields(message: AnyMessage) -> tuple[int, ...]:
    """The numbers of the fields that the message has and its definition has not, ascending.

    A `Message` with unknown fields and no known kind is of a kind that this project cannot read.
    """
    fields = UnknownFieldSet(message)
    return tuple(sorted({fields[at].field_number for at in range(len(fields))}))


def participant_hash(devices: Iterable[Jid]) -> str:
    """`phash` of the devices that a message is encrypted for; the platform answers another one if its list
    differs.

    whatsmeow `send.go` (https://github.com/tulir/whatsmeow), second version of the hash.
    """
    text = "".join(sorted(device.full for device in devices))
    return "2:" + base64.b64encode(hashlib.sha256(text.encode()).digest()[:6]).decode()
