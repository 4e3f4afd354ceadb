"""AES-256 in infinite garble extension mode (IGE), which no general library offers.

    c[i] = E(m[i] ^ c[i-1]) ^ m[i-1]        iv = c[-1] + m[-1]

https://core.telegram.org/mtproto/AES-IGE. `cryptg` is used where it is installed. Without it, encryption is
CBC over m[i] ^ m[i-2], since c[i] ^ m[i-1] = E(m[i] ^ m[i-2] ^ (c[i-1] ^ m[i-2])); decryption has no such
form and goes block by block. IGE does not authenticate: what is decrypted is not to be used before its hash
is checked.
"""

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

try:
    import cryptg
except ImportError:
    cryptg = None

BLOCK: Final = 16  # bytes


def encrypt(plaintext: bytes, key: bytes, iv: bytes) -> bytes:
    """The ciphertext, as long as `plaintext`. `key`, `iv`: 32 bytes. Raises `ValueError` for lengths."""
    _check(plaintext, key, iv)
    if cryptg is not None:
        return bytes(cryptg.encrypt_ige(plaintext, key, iv))
    return encrypt_by_cbc(plaintext, key, iv)


def decrypt(ciphertext: bytes, key: bytes, iv: bytes) -> bytes:
    """The plaintext, as long as `ciphertext`. Raises as `encrypt`."""
    _check(ciphertext, key, iv)
    if cryptg is not None:
        return bytes(cryptg.decrypt_ige(ciphertext, key, iv))
    return decrypt_by_block(ciphertext, key, iv)


def encrypt_by_cbc(plaintext: bytes, key: bytes, iv: bytes) -> bytes:
    size = len(plaintext)
    before = (iv[BLOCK:] + plaintext)[:size]
    two_before = (bytes(BLOCK) + iv[BLOCK:] + plaintext)[:size]
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv[:BLOCK])).encryptor()
    return _xor(encryptor.update(_xor(plaintext, two_before)), before)


def decrypt_by_block(ciphertext: bytes, key: bytes, iv: bytes) -> bytes:
    decrypt_block = Cipher(algorithms.AES256(key), modes.ECB()).decryptor().update  # noqa: S305
    previous = int.from_bytes(iv[:BLOCK], "big")
    plain = int.from_bytes(iv[BLOCK:], "big")
    blocks = []
    for at in range(0, len(ciphertext), BLOCK):
        block = int.from_bytes(ciphertext[at : at + BLOCK], "big")
        plain = int.from_bytes(decrypt_block((block ^ plain).to_bytes(BLOCK, "big")), "big") ^ previous
        previous = block
        blocks.append(plain.to_bytes(BLOCK, "big"))
    return b"".join(blocks)


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def _check(data: bytes, key: bytes, iv: bytes) -> None:
    if len(data) % BLOCK or len(key) != 2 * BLOCK or len(iv) != 2 * BLOCK:
        raise ValueError("IGE takes whole blocks of 16 bytes, a key and a vector of 32 bytes")
