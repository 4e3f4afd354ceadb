"""Linking by a code of eight characters that the owner types on the phone, both sides.

    who       stage               does
    device    companion_hello     makes a code and an ephemeral key; sends the key, encrypted under the code
    phone     primary_hello       has the code from its owner; sends its ephemeral key, encrypted alike
    device    companion_finish    sends both identity keys and 32 random bytes under the agreed secret
    both                          derive the secret that authenticates pair-success (`pairing.accept_pairing`)

The key of a code takes 131,072 rounds of PBKDF2, about 50 ms: call from a thread. Facts: whatsmeow
`pair-code.go` (https://github.com/tulir/whatsmeow).
"""

import os
from typing import Final, Self

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from unifyport.protocols.curve import KEY_SIZE, InvalidKey, KeyPair, agree

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"  # no 0, I, O, U
_ROUNDS: Final = 2 << 16
_SALT_SIZE: Final = 32
_WRAPPED_SIZE: Final = _SALT_SIZE + 16 + KEY_SIZE
_BUNDLE_INFO: Final = b"link_code_pairing_key_bundle_encryption_key"


class LinkCodeError(ValueError):
    """The peer's part of the exchange is malformed, or was made with another code."""


def new_code() -> str:
    """40 random bits as eight characters; shown as `ABCD-EFGH`."""
    number = int.from_bytes(os.urandom(5), "big")
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(35, -1, -5))


@attrs.frozen
class Companion:
    """The device's side; `hello` is <link_code_pairing_wrapped_companion_ephemeral_pub>."""

    code: str = attrs.field(repr=False)
    hello: bytes
    _ephemeral: KeyPair

    @classmethod
    def start(cls) -> Self:
        code, ephemeral = new_code(), KeyPair.generate()
        return cls(code, _wrap(code, ephemeral.public), ephemeral)

    def finish(self, hello: bytes, primary_identity: bytes, identity: KeyPair) -> tuple[bytes, bytes]:
        """<link_code_pairing_wrapped_key_bundle> and the secret for `accept_pairing`.

        `hello` is the phone's wrapped ephemeral key, `primary_identity` its public identity key. Raises
        `LinkCodeError`.
        """
        shared = _agree(self._ephemeral, _unwrap(self.code, hello))
        random, salt, nonce = os.urandom(32), os.urandom(_SALT_SIZE), os.urandom(12)
        bundle = identity.public + primary_identity + random
        sealed = AESGCM(_hkdf(shared, _BUNDLE_INFO, salt)).encrypt(nonce, bundle, None)
        secret = _adv_secret(shared, _agree(identity, primary_identity), random)
        return salt + nonce + sealed, secret


@attrs.frozen
class Primary:
    """The phone's side, for the sandbox; `hello` is <link_code_pairing_wrapped_primary_ephemeral_pub>."""

    hello: bytes
    _ephemeral: KeyPair
    _shared: bytes = attrs.field(repr=False)
    _identity: KeyPair

    @classmethod
    def answer(cls, code: str, hello: bytes, identity: KeyPair) -> Self:
        """Answer a device's hello with the code that the owner typed. Raises `LinkCodeError`."""
        ephemeral = KeyPair.generate()
        shared = _agree(ephemeral, _unwrap(code, hello))
        return cls(_wrap(code, ephemeral.public), ephemeral, shared, identity)

    def finish(self, bundle: bytes, companion_identity: bytes) -> bytes:
        """The secret for `offer_pairing`. Raises `LinkCodeError` if the device used another code."""
        salt, nonce, sealed = bundle[:32], bundle[32:44], bundle[44:]
        try:
            plain = AESGCM(_hkdf(self._shared, _BUNDLE_INFO, salt)).decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError) as error:
            raise LinkCodeError("The key bundle does not open: another code was typed") from error
        if len(plain) != 3 * KEY_SIZE or plain[:64] != companion_identity + self._identity.public:
            raise LinkCodeError("The key bundle holds other identity keys")
        return _adv_secret(self._shared, _agree(self._identity, companion_identity), plain[64:])


def _wrap(code: str, public: bytes) -> bytes:
    salt, start = os.urandom(_SALT_SIZE), os.urandom(16)
    return salt + start + _counter_mode(code, salt, start, public)


def _unwrap(code: str, wrapped: bytes) -> bytes:
    if len(wrapped) != _WRAPPED_SIZE:
        raise LinkCodeError(f"A wrapped key has {_WRAPPED_SIZE} bytes, not {len(wrapped)}")
    return _counter_mode(code, wrapped[:32], wrapped[32:48], wrapped[48:])


def _counter_mode(code: str, salt: bytes, start: bytes, data: bytes) -> bytes:
    """AES-CTR under the key of the code; encrypts and decrypts. Unauthenticated: a wrong code shows later."""
    key = PBKDF2HMAC(hashes.SHA256(), 32, salt, _ROUNDS).derive(code.encode())
    cipher = Cipher(algorithms.AES(key), modes.CTR(start)).encryptor()
    return cipher.update(data) + cipher.finalize()


def _agree(mine: KeyPair, public: bytes) -> bytes:
    try:
        return agree(mine.private, public)
    except InvalidKey as error:
        raise LinkCodeError("The peer's key cannot be used") from error


def _adv_secret(shared: bytes, identities: bytes, random: bytes) -> bytes:
    return _hkdf(shared + identities + random, b"adv_secret", None)


def _hkdf(secret: bytes, info: bytes, salt: bytes | None) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)
