"""AES in the forms that Letter Sealing uses beside GCM, and its key derivation: SHA-256 with a label."""

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from unifyport.protocols.letter_sealing.errors import BadSeal, Malformed

BLOCK = 16


def derive(*parts: bytes) -> bytes:
    """SHA-256 of the concatenated parts: 32 bytes."""
    return hashlib.sha256(b"".join(parts)).digest()


def cbc_key(*parts: bytes) -> tuple[bytes, bytes]:
    """Key and initialisation vector of AES-CBC, from a shared secret and perhaps a salt."""
    return derive(*parts, b"Key"), fold(derive(*parts, b"IV"))


def fold(digest: bytes) -> bytes:
    """The first half of 32 bytes XOR the second: 16 bytes."""
    return bytes(left ^ right for left, right in zip(digest[:BLOCK], digest[BLOCK:], strict=True))


def encrypt_cbc(key: bytes, iv: bytes, plain: bytes) -> bytes:
    """AES-CBC of whole blocks."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def decrypt_cbc(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    """AES-CBC of whole blocks, padding included. Raises `Malformed`."""
    if not sealed or len(sealed) % BLOCK:
        raise Malformed(f"{len(sealed)} bytes are no whole blocks")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """AES of one block, as the message tag of version 1 is made."""
    # One block that is a hash: the mode has no repetition to show.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()


def pad(plain: bytes) -> bytes:
    """PKCS #7 padding."""
    padder = PKCS7(BLOCK * 8).padder()
    return padder.update(plain) + padder.finalize()


def unpad(padded: bytes) -> bytes:
    """Without PKCS #7 padding. Raises `BadSeal`: the padding is the first thing that a wrong key spoils."""
    unpadder = PKCS7(BLOCK * 8).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise BadSeal("the padding does not fit") from error
