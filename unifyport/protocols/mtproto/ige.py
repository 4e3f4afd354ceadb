"""AES-256 in infinite garble extension mode (IGE), which no general library offers.

    c[i] = E(m[i] ^ c[i-1]) ^ m[i-1]        iv = c[-1] + m[-1]

https://core.telegram.org/mtproto/AES-IGE. `cryptg` computes it. IGE does not authenticate: what is decrypted
is not to be used before its hash is checked.
"""

from typing import Final

import cryptg

BLOCK: Final = 16  # bytes


def encrypt(plaintext: bytes, key: bytes, iv: bytes) -> bytes:
    """The ciphertext, as long as `plaintext`. `key`, `iv`: 32 bytes. Raises `ValueError` for lengths."""
    _check(plaintext, key, iv)
    return bytes(cryptg.encrypt_ige(plaintext, key, iv))


def decrypt(ciphertext: bytes, key: bytes, iv: bytes) -> bytes:
    """The plaintext, as long as `ciphertext`. Raises as `encrypt`."""
    _check(ciphertext, key, iv)
    return bytes(cryptg.decrypt_ige(ciphertext, key, iv))


def _check(data: bytes, key: bytes, iv: bytes) -> None:
    if len(data) % BLOCK or len(key) != 2 * BLOCK or len(iv) != 2 * BLOCK:
        raise ValueError("IGE takes whole blocks of 16 bytes, a key and a vector of 32 bytes")
