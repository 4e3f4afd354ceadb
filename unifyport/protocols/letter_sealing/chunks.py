"""The parts of a sealed message as they travel in its field `chunks`: five byte strings.

0  salt, 16 bytes
1  ciphertext; in version 2 with the 16 bytes of the tag of GCM
2  nonce of GCM (version 2: 12 bytes from LINE's clients, 16 from some others), or the tag of version 1 (16)
3  id of the sender's key, 4 bytes, big-endian
4  id of the receiver's key: of the user, or of the group
"""

from collections.abc import Sequence

from attrs import field, frozen

from unifyport.protocols.letter_sealing.errors import Malformed

SALT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
MAX_CIPHERTEXT = 1024 * 1024


@frozen
class Sealed:
    """A sealed message. `third` is the nonce of version 2, or the tag of version 1."""

    salt: bytes
    ciphertext: bytes = field(repr=False)
    third: bytes
    sender_key_id: int
    receiver_key_id: int


def to_chunks(sealed: Sealed) -> tuple[bytes, ...]:
    """The five chunks."""
    return (
        sealed.salt,
        sealed.ciphertext,
        sealed.third,
        id_bytes(sealed.sender_key_id),
        id_bytes(sealed.receiver_key_id),
    )


def from_chunks(chunks: Sequence[bytes]) -> Sealed:
    """The parts of five chunks. Raises `Malformed`."""
    if len(chunks) != 5:
        raise Malformed(f"{len(chunks)} chunks")
    salt, ciphertext, third, sender, receiver = chunks
    if len(salt) != SALT_BYTES:
        raise Malformed(f"a salt of {len(salt)} bytes")
    if not TAG_BYTES <= len(ciphertext) <= MAX_CIPHERTEXT:
        raise Malformed(f"a ciphertext of {len(ciphertext)} bytes")
    if len(third) not in (NONCE_BYTES, TAG_BYTES):
        raise Malformed(f"a nonce or tag of {len(third)} bytes")
    return Sealed(salt, ciphertext, third, _id(sender), _id(receiver))


def id_bytes(key_id: int) -> bytes:
    """A key id, or another 32-bit number, as four bytes."""
    return key_id.to_bytes(4, "big", signed=True)


def _id(data: bytes) -> int:
    if not 1 <= len(data) <= 4:
        raise Malformed(f"a key id of {len(data)} bytes")
    value = int.from_bytes(data, "big")
    if value >> 31:
        raise Malformed(f"no key id: {value}")
    return value
