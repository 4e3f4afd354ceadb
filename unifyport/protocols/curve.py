"""Curve25519: key pairs, X25519 agreement, and XEdDSA signatures made with the same keys.

Keys are 32 raw bytes. The prefix byte 0x05 that Signal puts before public keys belongs to those messages, not
to this module. Specification: https://signal.org/docs/specifications/xeddsa/ and RFC 7748.
"""

import os
from typing import Self

import attrs
import xeddsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

KEY_SIZE = 32
SIGNATURE_SIZE = 64
_SIGN_BIT = 0x80


class InvalidKey(ValueError):
    """A key has the wrong length, or is a point of low order: no secret can be agreed upon with it."""


@attrs.frozen
class KeyPair:
    """A Curve25519 key pair; `private` never appears in a `repr`."""

    private: bytes = attrs.field(repr=False)
    public: bytes

    @classmethod
    def generate(cls) -> Self:
        return cls.from_private(os.urandom(KEY_SIZE))

    @classmethod
    def from_private(cls, private: bytes) -> Self:
        """The pair of this private key. Raises `InvalidKey` unless it is 32 bytes long."""
        clamped = _clamp(private)
        return cls(clamped, X25519PrivateKey.from_private_bytes(clamped).public_key().public_bytes_raw())


def agree(private: bytes, public: bytes) -> bytes:
    """The 32 bytes of X25519. Raises `InvalidKey` for a wrong length or a public key of low order."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
    except ValueError as error:
        raise InvalidKey(str(error)) from error


def sign(private: bytes, message: bytes) -> bytes:
    """The XEdDSA signature of `message`: 64 bytes, made with 64 fresh random bytes."""
    return xeddsa.ed25519_priv_sign(xeddsa.priv_force_sign(_clamp(private), False), message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True if `signature` is the XEdDSA signature of `message` under `public`; False for every malformed
    input.

    Older Signal libraries keep the sign of the Edwards point in the highest bit of the signature; XEdDSA as
    specified leaves it 0. Both are accepted, as libsignal does.
    """
    if len(public) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    point = xeddsa.curve25519_pub_to_ed25519_pub(public, bool(signature[-1] & _SIGN_BIT))
    plain = signature[:-1] + bytes((signature[-1] & ~_SIGN_BIT,))
    try:
        return xeddsa.ed25519_verify(plain, point, message)
    except xeddsa.XEdDSAException:
        return False


def _clamp(private: bytes) -> bytes:
    """RFC 7748, section 5: the scalar that X25519 uses; XEdDSA needs it spelled out."""
    if len(private) != KEY_SIZE:
        raise InvalidKey(f"A private key is {KEY_SIZE} bytes long, not {len(private)}")
    scalar = bytearray(private)
    scalar[0] &= 248
    scalar[31] = (scalar[31] & 127) | 64
    return bytes(scalar)
