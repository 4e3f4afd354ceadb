"""The symmetric part: HMAC steps of a chain, key derivation and AES-CBC. All keys are 32 bytes.

Constants and labels: https://signal.org/docs/specifications/doubleratchet/ (section 5.2 for the steps) and
the labels of protocol version 3, https://github.com/signalapp/libsignal-protocol-java (`RootKey`, `ChainKey`,
`SenderMessageKey`).
"""

import hmac

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from unifyport.protocols.signal.errors import Malformed

_NO_SALT = bytes(32)
_SHA256 = SHA256()
MAC_BYTES = 8


def derive(secret: bytes, info: bytes, length: int, salt: bytes = _NO_SALT) -> bytes:
    """HKDF with SHA-256 (RFC 5869)."""
    return HKDF(_SHA256, length, salt, info).derive(secret)


def derive_pair(secret: bytes, info: bytes, salt: bytes = _NO_SALT) -> tuple[bytes, bytes]:
    """Two keys of 32 bytes: the root key and the chain key that follow from `secret`."""
    both = derive(secret, info, 64, salt)
    return both[:32], both[32:]


def message_seed(chain_key: bytes) -> bytes:
    """What the keys of the message at this place of a chain are derived from."""
    return hmac.digest(chain_key, b"\x01", "sha256")


def next_chain_key(chain_key: bytes) -> bytes:
    return hmac.digest(chain_key, b"\x02", "sha256")


def pairwise_keys(seed: bytes) -> tuple[bytes, bytes, bytes]:
    """Cipher key, MAC key (32 bytes each) and IV (16 bytes) of a message of a session."""
    keys = derive(seed, b"WhisperMessageKeys", 80)
    return keys[:32], keys[32:64], keys[64:]


def group_keys(seed: bytes) -> tuple[bytes, bytes]:
    """Cipher key (32 bytes) and IV (16 bytes) of a message under a sender key."""
    keys = derive(seed, b"WhisperGroup", 48)
    return keys[16:], keys[:16]


def mac(key: bytes, *parts: bytes) -> bytes:
    """The first 8 bytes of HMAC-SHA256 over the parts."""
    return hmac.digest(key, b"".join(parts), "sha256")[:MAC_BYTES]


def encrypt_cbc(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """AES-256-CBC with PKCS #7."""
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def decrypt_cbc(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """The reverse. Raises `Malformed` for a length or padding that no sender makes."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as exc:
        raise Malformed("ciphertext is not whole blocks with their padding") from exc
