"""The server's RSA keys, and how the client encrypts the exchange's first secret to one of them.

    RSA_PAD    a fresh AES key masks the data and is masked by its hash: what clients send
    former     sha1(data) + data + random bytes: accepted by servers, and by this server side

https://core.telegram.org/mtproto/auth_key#41-rsa-paddata-server-public-key-mentioned-above-is-implemented-as-follows.
"""

import hashlib
import os
from typing import Final

import attrs
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from unifyport.protocols.mtproto import ige, tl
from unifyport.protocols.mtproto.encryption import Random
from unifyport.protocols.mtproto.errors import SecurityError

SIZE: Final = 256  # bytes of a modulus
MAX_DATA: Final = 144
_PADDED: Final = 192
_ATTEMPTS: Final = 64  # each fails with the chance that a random number exceeds the modulus


@attrs.frozen
class ServerKey:
    """A public key of the platform."""

    n: int = attrs.field(repr=False)
    e: int

    @classmethod
    def from_pem(cls, pem: bytes) -> "ServerKey":
        """Raises `ValueError` for what is no RSA key."""
        key = load_pem_public_key(pem)
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("The key is not an RSA key")
        numbers = key.public_numbers()
        return cls(numbers.n, numbers.e)

    @property
    def fingerprint(self) -> int:
        """The lower 64 bits of the SHA-1 of the key, unsigned."""
        data = tl.string(to_bytes(self.n)) + tl.string(to_bytes(self.e))
        return int.from_bytes(hashlib.sha1(data).digest()[12:], "little")  # noqa: S324

    def encrypt(self, data: bytes, *, random: Random = os.urandom) -> bytes:
        """`data` (at most 144 bytes) by RSA_PAD: 256 bytes."""
        if len(data) > MAX_DATA:
            raise ValueError(f"At most {MAX_DATA} bytes are encrypted")
        padded = data + random(_PADDED - len(data))
        for _ in range(_ATTEMPTS):
            key = random(32)
            block = ige.encrypt(padded[::-1] + hashlib.sha256(key + padded).digest(), key, bytes(32))
            number = int.from_bytes(_xor(key, hashlib.sha256(block).digest()) + block, "big")
            if number < self.n:
                return pow(number, self.e, self.n).to_bytes(SIZE, "big")
        raise ValueError("The modulus of the key is too small")


def decrypt(encrypted: bytes, private: rsa.RSAPrivateKey) -> bytes:
    """The data with its padding, by RSA_PAD or in the former way. Raises `SecurityError`.

    For a sandbox: not in constant time.
    """
    numbers = private.private_numbers()
    number = int.from_bytes(encrypted, "big")
    if len(encrypted) != SIZE or number >= numbers.public_numbers.n:
        raise SecurityError("The encrypted data is no number below the modulus")
    block = pow(number, numbers.d, numbers.public_numbers.n).to_bytes(SIZE, "big")
    key = _xor(block[:32], hashlib.sha256(block[32:]).digest())
    data = ige.decrypt(block[32:], key, bytes(32))
    padded = data[:_PADDED][::-1]
    if data[_PADDED:] == hashlib.sha256(key + padded).digest():
        return padded
    if block[0] == 0:
        digest, rest = block[1:21], block[21:]
        for size in range(len(rest), 0, -1):
            if hashlib.sha1(rest[:size]).digest() == digest:  # noqa: S324
                return rest[:size]
    raise SecurityError("The encrypted data does not hold its hash")


def to_bytes(number: int) -> bytes:
    """The shortest big-endian form of a positive number."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
