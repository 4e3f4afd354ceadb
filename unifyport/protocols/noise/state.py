"""The symmetric state of a Noise handshake: chaining key, handshake hash, and the cipher of the moment.

Section 5 of https://noiseprotocol.org/noise.html (revision 34), for AESGCM and SHA256. A state is consumed by
its handshake; after an error it must not be used again, as its hash may no longer agree with the peer's.
"""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TAG_SIZE = 16  # bytes that encryption adds
MAX_NONCE = 2**64 - 2  # 2**64 - 1 is reserved (section 5.1)


class NoiseError(Exception):
    """A handshake or transport message is not what the peer must have sent: the connection cannot go on."""


class Cipher:
    """A key and the number of its next message (section 5.1, `CipherState`)."""

    __slots__ = ("_aead", "_nonce")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._nonce = 0

    def encrypt(self, plaintext: bytes, associated: bytes | None = None) -> bytes:
        """`plaintext` and its tag, 16 bytes longer. Raises `NoiseError` when the nonces are used up."""
        return self._aead.encrypt(self._next(), plaintext, associated)

    def decrypt(self, ciphertext: bytes, associated: bytes | None = None) -> bytes:
        """The plaintext. Raises `NoiseError` for what was changed, replayed, reordered or truncated."""
        try:
            return self._aead.decrypt(self._next(), ciphertext, associated)
        except InvalidTag as error:
            raise NoiseError("A message does not authenticate") from error

    def _next(self) -> bytes:
        if self._nonce > MAX_NONCE:
            raise NoiseError("The nonces of this key are used up")
        nonce = b"\0\0\0\0" + self._nonce.to_bytes(8, "big")  # section 12.4: AESGCM takes it big-endian
        self._nonce += 1
        return nonce


class SymmetricState:
    """Section 5.2, `SymmetricState`."""

    def __init__(self, protocol_name: bytes) -> None:
        self.hash = protocol_name.ljust(32, b"\0") if len(protocol_name) <= 32 else _sha256(protocol_name)
        self._chaining_key = self.hash
        self._cipher: Cipher | None = None

    def mix_hash(self, data: bytes) -> None:
        self.hash = _sha256(self.hash + data)

    def mix_key(self, secret: bytes) -> None:
        self._chaining_key, key = _hkdf(self._chaining_key, secret)
        self._cipher = Cipher(key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """The ciphertext; the plaintext itself as long as there is no key."""
        ciphertext = self._cipher.encrypt(plaintext, self.hash) if self._cipher else plaintext
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        plaintext = self._cipher.decrypt(ciphertext, self.hash) if self._cipher else ciphertext
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[Cipher, Cipher]:
        """The initiator's cipher for writing, and the responder's."""
        first, second = _hkdf(self._chaining_key, b"")
        return Cipher(first), Cipher(second)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _hkdf(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    output = HKDF(hashes.SHA256(), 64, salt=chaining_key, info=b"").derive(secret)
    return output[:32], output[32:]
