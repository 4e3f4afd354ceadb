"""One packet: a message under an authorization key (MTProto 2.0), or in the clear before there is a key.

    encrypted   auth_key_id (8), msg_key (16), IGE(salt, session_id, msg_id, seq_no, length, body, padding)
    in clear    zero (8), msg_id (8), length (4), body

https://core.telegram.org/mtproto/description; the checks are those of
https://core.telegram.org/mtproto/security_guidelines. A sender pads with 12 to 1024 bytes; `msg_key` covers
them.
"""

import enum
import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Final

import attrs

from unifyport.protocols.mtproto import ige, tl
from unifyport.protocols.mtproto.errors import Malformed, SecurityError

KEY_SIZE: Final = 256
MIN_PADDING: Final = 12
MAX_PADDING: Final = 1024
_HEADER: Final = 32  # salt, session_id, msg_id, seq_no, length
_PLAIN_HEADER: Final = 20

Random = Callable[[int], bytes]


class Role(enum.Enum):
    """Who sends. The value is `x` of the specification: the part of the key that its messages use."""

    CLIENT = 0
    SERVER = 8


@attrs.frozen
class AuthKey:
    """An authorization key of 256 bytes; leading zeros are part of it."""

    value: bytes = attrs.field(repr=False)
    id: bytes = attrs.field(init=False, repr=False)
    aux_hash: bytes = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if len(self.value) != KEY_SIZE:
            raise ValueError(f"An authorization key has {KEY_SIZE} bytes")
        digest = hashlib.sha1(self.value).digest()  # noqa: S324
        object.__setattr__(self, "id", digest[12:])
        object.__setattr__(self, "aux_hash", digest[:8])


@attrs.frozen
class Envelope:
    """What a packet holds. 64-bit numbers are unsigned here; `body` is one TL object."""

    salt: int
    session_id: int
    msg_id: int
    seq_no: int
    body: bytes


def seal(key: AuthKey, envelope: Envelope, sender: Role, *, random: Random = os.urandom) -> bytes:
    """The packet. Each call draws new padding from `random`."""
    data = (
        tl.int64(envelope.salt)
        + tl.int64(envelope.session_id)
        + tl.int64(envelope.msg_id)
        + tl.int32(envelope.seq_no)
        + tl.int32(len(envelope.body))
        + envelope.body
    )
    return seal_data(key, data, sender, random=random)


def seal_data(key: AuthKey, data: bytes, sender: Role, *, random: Random = os.urandom) -> bytes:
    """Pad `data` and encrypt it."""
    data += random(MIN_PADDING + -(len(data) + MIN_PADDING) % ige.BLOCK)
    msg_key = _msg_key(key, data, sender)
    return key.id + msg_key + ige.encrypt(data, *_derive(key, msg_key, sender))


def open_data(key: AuthKey, packet: bytes, sender: Role) -> bytes:
    """Decrypt and authenticate; the padding stays. Raises `SecurityError` for another key or a wrong hash."""
    ciphertext = packet[24:]
    if len(ciphertext) < _HEADER + MIN_PADDING or len(ciphertext) % ige.BLOCK:
        raise Malformed("An encrypted packet ends within a block")
    if not hmac.compare_digest(packet[:8], key.id):
        raise SecurityError("The packet is for another authorization key")
    msg_key = packet[8:24]
    data = ige.decrypt(ciphertext, *_derive(key, msg_key, sender))
    if not hmac.compare_digest(msg_key, _msg_key(key, data, sender)):
        raise SecurityError("The msg_key does not match the message")
    return data


def open_packet(key: AuthKey, packet: bytes, sender: Role) -> Envelope:
    """The message of `packet`, which `sender` must have sent. Raises `SecurityError` and `Malformed`."""
    reader = tl.Reader(open_data(key, packet, sender))
    salt, session_id, msg_id = reader.int64(), reader.int64(), reader.int64()
    seq_no, length = reader.int32(), reader.int32()
    if length < 4 or length % 4 or not MIN_PADDING <= reader.left - length <= MAX_PADDING:
        raise SecurityError("The length of the message does not agree with its padding")
    return Envelope(salt, session_id, msg_id, seq_no, reader.take(length))


def seal_plain(msg_id: int, body: bytes) -> bytes:
    return bytes(8) + tl.int64(msg_id) + tl.int32(len(body)) + body


def open_plain(packet: bytes) -> tuple[int, bytes]:
    """Message identifier and body of a packet in the clear. Raises `Malformed`."""
    reader = tl.Reader(packet)
    if reader.take(8) != bytes(8):
        raise Malformed("An encrypted packet before there is a key")
    msg_id, length = reader.int64(), reader.int32()
    if length < 4 or length % 4 or length != reader.left:
        raise Malformed("The length of a packet in the clear is wrong")
    return msg_id, reader.rest()


def is_plain(packet: bytes) -> bool:
    return packet[:8] == bytes(8)


def without_transport_padding(packet: bytes) -> bytes:
    """A packet without the up to 15 bytes that the padded transport put behind it."""
    if is_plain(packet):
        length = int.from_bytes(packet[16:_PLAIN_HEADER], "little", signed=True)
        return packet[: _PLAIN_HEADER + length] if length >= 0 else packet
    return packet[: len(packet) - (len(packet) - 24) % ige.BLOCK] if len(packet) >= 24 else packet


def _msg_key(key: AuthKey, data: bytes, sender: Role) -> bytes:
    at = 88 + sender.value
    return hashlib.sha256(key.value[at : at + 32] + data).digest()[8:24]


def _derive(key: AuthKey, msg_key: bytes, sender: Role) -> tuple[bytes, bytes]:
    """AES key and vector of one message."""
    at = sender.value
    one = hashlib.sha256(msg_key + key.value[at : at + 36]).digest()
    two = hashlib.sha256(key.value[at + 40 : at + 76] + msg_key).digest()
    return one[:8] + two[8:24] + one[24:], two[:8] + one[8:24] + two[24:]
