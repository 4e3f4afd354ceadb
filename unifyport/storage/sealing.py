"""Sealing at rest: AES-256-GCM with a ring of master keys.

The newest key of the ring seals, and any key of it opens. The header names the key, so the ring can be
rotated while old rows stay readable. Each purpose, and each context (an account) within it, has its own
subkey by HKDF. The place of a value (table, row, column) is authenticated with it: a value that was moved to
another place does not open. Subkeys are cached, within bounds, but not for a value from outside that does not
open: a caller that makes up contexts fills no memory.

Layout of a sealed value: version (1 byte, 1) | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag.
"""

import base64
import binascii
import hashlib
import hmac
import os
import sys
import threading
from collections.abc import Sequence
from typing import Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = 1
_KEY_BYTES, _ID_BYTES, _NONCE_BYTES = 32, 4, 12
_CACHE_BYTES = 32 * 1024**2  # about 20,000 subkeys
_ENTRY_BYTES = 1600  # of a cached cipher, its name and its place in the table; without the context
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_Name = tuple[bytes, str, str]  # id of the master key, purpose, context
T = TypeVar("T")
WHAT_TO_DO = (
    "restore the key that sealed it; a key that was rotated stays in the list, one key on each line and the"
    " newest last"
)


class SealError(Exception):
    """A sealed value does not open: wrong key, wrong place, or damage."""


class KeyRing:
    """Master keys, oldest first. Text form: one base64 key of 32 bytes a line; `#` starts a comment."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise ValueError(f"a master key is {_KEY_BYTES} bytes in base64, one key on each line")
        self._keys = {hashlib.sha256(b"unifyport key id" + key).digest()[:_ID_BYTES]: key for key in keys}
        self._newest = list(self._keys)[-1]
        self._subkeys = _Cache[bytes]()
        self._ciphers = _Cache[AESGCM]()

    @property
    def newest(self) -> bytes:
        """The id of the key that seals."""
        return self._newest

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read the text form. Raises `ValueError`, whose message never holds the text."""
        lines = [line.strip() for line in text.splitlines()]
        try:
            return cls([base64.b64decode(line, validate=True) for line in lines if line and line[0] != "#"])
        except binascii.Error:
            raise ValueError(f"a master key is {_KEY_BYTES} bytes in base64, one key on each line") from None

    @staticmethod
    def new_key() -> str:
        return base64.b64encode(os.urandom(_KEY_BYTES)).decode()

    def seal(
        self,
        purpose: str,
        place: Sequence[str | bytes],
        plain: bytes,
        *,
        context: str = "",
        repeatable: bool = False,
    ) -> bytes:
        """`repeatable`: equal values are sealed equally. The nonce is then a MAC of the value."""
        if repeatable:
            key = self._subkey(self._newest, f"{purpose} nonce", context)
            nonce = hashlib.blake2b(plain, key=key, digest_size=_NONCE_BYTES).digest()
        else:
            nonce = os.urandom(_NONCE_BYTES)
        cipher = self._cipher(self._newest, purpose, context)
        return b"%c%b%b%b" % (_VERSION, self._newest, nonce, cipher.encrypt(nonce, plain, _place(place)))

    def open(self, purpose: str, place: Sequence[str | bytes], sealed: bytes, *, context: str = "") -> bytes:
        """Raises `SealError`; its text does not give the cause, as an attacker could learn from it."""
        key_id, nonce = key_id_of(sealed), sealed[1 + _ID_BYTES : 1 + _ID_BYTES + _NONCE_BYTES]
        if sealed[:1] != bytes([_VERSION]) or key_id not in self._keys:
            raise SealError(f"security.master_key does not open a sealed value ({purpose}): {WHAT_TO_DO}")
        name, ciphertext = (key_id, purpose, context), sealed[1 + _ID_BYTES + _NONCE_BYTES :]
        known = self._ciphers.get(name)
        cipher = known if known is not None else self._new_cipher(*name)
        try:
            plain = cipher.decrypt(nonce, ciphertext, _place(place))
        except InvalidTag:
            raise SealError(f"sealed value does not open: {purpose}") from None
        if known is None:
            self._ciphers.add(name, cipher)
        return plain

    def seal_text(self, purpose: str, plain: bytes, *, context: str, repeatable: bool = False) -> str:
        """A sealed value for callers, in unpadded URL-safe base64, which URLs and headers can hold."""
        sealed = self.seal(purpose, [purpose], plain, context=context, repeatable=repeatable)
        return binascii.b2a_base64(sealed, newline=False).translate(_URL_SAFE, b"=").decode()

    def open_text(self, purpose: str, text: str, *, context: str) -> bytes:
        """Open a text of `seal_text`. Raises `SealError`, also for one of another purpose or context."""
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise SealError(f"not a sealed text: {purpose}") from None
        return self.open(purpose, [purpose], sealed, context=context)

    def mac(self, purpose: str, message: bytes) -> bytes:
        """A 16-byte MAC (HMAC-SHA256, truncated) with the newest key."""
        return self._mac(self._newest, purpose, message)

    def verify(self, purpose: str, message: bytes, mac: bytes) -> bool:
        """Whether `mac` was made with any key of the ring."""
        return any(hmac.compare_digest(self._mac(key_id, purpose, message), mac) for key_id in self._keys)

    def _mac(self, key_id: bytes, purpose: str, message: bytes) -> bytes:
        return hmac.digest(self._subkey(key_id, purpose, ""), message, "sha256")[:16]

    def _cipher(self, key_id: bytes, purpose: str, context: str) -> AESGCM:
        name = (key_id, purpose, context)
        if (cipher := self._ciphers.get(name)) is None:
            cipher = self._new_cipher(*name)
            self._ciphers.add(name, cipher)
        return cipher

    def _subkey(self, key_id: bytes, purpose: str, context: str) -> bytes:
        name = (key_id, purpose, context)
        if (key := self._subkeys.get(name)) is None:
            key = self._derive(*name)
            self._subkeys.add(name, key)
        return key

    def _new_cipher(self, key_id: bytes, purpose: str, context: str) -> AESGCM:
        return AESGCM(self._derive(key_id, purpose, context))

    def _derive(self, key_id: bytes, purpose: str, context: str) -> bytes:
        info = b"unifyport v1\0" + purpose.encode() + b"\0" + context.encode()
        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=info).derive(self._keys[key_id])


class _Cache(Generic[T]):
    """What was derived for a name; emptied when it is full. Threads of the store use it, too."""

    def __init__(self) -> None:
        self._entries: dict[_Name, T] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, name: _Name) -> T | None:
        return self._entries.get(name)

    def add(self, name: _Name, value: T) -> None:
        size = _ENTRY_BYTES + sys.getsizeof(name[2])
        with self._lock:
            if name in self._entries:
                return
            if self._bytes + size > _CACHE_BYTES:
                self._entries.clear()
                self._bytes = 0
            self._entries[name] = value
            self._bytes += size


def key_id_of(sealed: bytes) -> bytes:
    """Which key has sealed a value."""
    return sealed[1 : 1 + _ID_BYTES]


def _place(parts: Sequence[str | bytes]) -> bytes:
    encoded = bytearray()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        encoded += len(data).to_bytes(4)
        encoded += data
    return bytes(encoded)
