"""Keys of users and groups: X25519 pairs with ids that the server gives when a public key is registered.

A user registers a new public key with each login of a device that brings no key chain, and the primary device
with each renewal; a message names the ids of both keys that seal it, so former private keys are kept to read
with. A group has a key pair of its own, whose private half every member gets, sealed for each of them. The
server gives it a new id with each renewal, which a change of members asks for.
"""

import hmac

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from unifyport.protocols.letter_sealing.errors import Malformed

KEY_BYTES = 32
MAX_KEY_ID = 2**31 - 1


def key_id_of(value: int) -> int:
    """A key id, which is a non-negative 32-bit integer. Raises `Malformed`."""
    if not 0 <= value <= MAX_KEY_ID:
        raise Malformed(f"no key id: {value}")
    return value


@frozen
class PublicKey:
    """A public key as the server hands it out."""

    key_id: int = field(converter=key_id_of)
    data: bytes = field()

    @data.validator
    def _check_data(self, _attribute: object, value: bytes) -> None:
        _check(value)


@frozen
class KeyPair:
    """A private key with its id. `repr` does not show it."""

    key_id: int = field(converter=key_id_of)
    private: bytes = field(repr=False)

    @private.validator
    def _check_private(self, _attribute: object, value: bytes) -> None:
        _check(value)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        key = X25519PrivateKey.from_private_bytes(self.private).public_key()
        return PublicKey(self.key_id, key.public_bytes_raw())

    def belongs_to(self, registered: PublicKey) -> bool:
        """Whether the server has registered the public half of this pair under its id.

        A pair for which this is false is not stored: it is of another account, or the server has replaced it.
        """
        return self.key_id == registered.key_id and hmac.compare_digest(self.public.data, registered.data)


def generate(key_id: int = 0) -> KeyPair:
    """A fresh pair. Before registration its id is 0."""
    return KeyPair(key_id, X25519PrivateKey.generate().private_bytes_raw())


def agree(private: bytes, public: bytes) -> bytes:
    """The shared secret of a private and a public key. Raises `Malformed` for a point of low order."""
    _check(private)
    _check(public)
    try:
        ours = X25519PrivateKey.from_private_bytes(private)
        return ours.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise Malformed("a public key that agrees on no secret") from error


def _check(value: bytes) -> None:
    if len(value) != KEY_BYTES:
        raise Malformed(f"a key of {len(value)} bytes")
