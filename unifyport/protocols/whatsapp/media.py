"""Files of messages: encrypted before they are uploaded, decrypted after they were downloaded, both as a
stream.

    file      = AES-256-CBC(file), PKCS #7 padding; then the first 10 bytes of HMAC-SHA256(iv + ciphertext)
    keys      = HKDF-SHA256(media key, info of the kind): iv 16, cipher key 32, MAC key 32, reference key 32

The message carries the media key and the SHA-256 of the plain and of the encrypted file. Facts: whatsmeow
`download.go`, `util/cbcutil` (https://github.com/tulir/whatsmeow).
"""

import enum
import hashlib
import hmac
import os
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MEDIA_KEY_SIZE: Final = 32
MAC_SIZE: Final = 10
_BLOCK: Final = 16


class MediaKind(enum.Enum):
    """What a file is: `info` separates the keys of kinds, `path` is the kind in the media server's URLs."""

    IMAGE = ("WhatsApp Image Keys", "image")
    STICKER = ("WhatsApp Image Keys", "image", "sticker")
    VIDEO = ("WhatsApp Video Keys", "video")
    AUDIO = ("WhatsApp Audio Keys", "audio")
    DOCUMENT = ("WhatsApp Document Keys", "document")
    HISTORY = ("WhatsApp History Keys", "md-msg-hist")
    APP_STATE = ("WhatsApp App State Keys", "md-app-state")

    @property
    def info(self) -> bytes:
        info: str = self.value[0]
        return info.encode()

    @property
    def path(self) -> str:
        path: str = self.value[1]
        return path


class DamagedMedia(ValueError):
    """A file is not what its message says: what was decrypted of it must not be used."""


class MediaReader(Protocol):
    """How a downloaded file is read: `update` for each piece, `finish` after the last one.

    What `update` returns is not authenticated until `finish` has returned, which raises `DamagedMedia`.
    """

    def update(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


def new_media_key() -> bytes:
    return os.urandom(MEDIA_KEY_SIZE)


class Encryptor:
    """Encrypts one file. After `finish`, the hashes and `file_length` are those of the whole file."""

    def __init__(self, key: bytes, kind: MediaKind) -> None:
        iv, cipher_key, mac_key = _keys(key, kind)
        self._cipher = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
        self._padder = padding.PKCS7(8 * _BLOCK).padder()
        self._mac = hmac.new(mac_key, iv, "sha256")
        self._plain_hash = hashlib.sha256()
        self._encrypted_hash = hashlib.sha256()
        self.file_length = 0

    def update(self, data: bytes) -> bytes:
        self.file_length += len(data)
        self._plain_hash.update(data)
        return self._note(self._cipher.update(self._padder.update(data)))

    def finish(self) -> bytes:
        """The last bytes of the encrypted file: at most one block, and the MAC."""
        end = self._note(self._cipher.update(self._padder.finalize()) + self._cipher.finalize())
        mac = self._mac.digest()[:MAC_SIZE]
        self._encrypted_hash.update(mac)
        return end + mac

    @property
    def file_sha256(self) -> bytes:
        return self._plain_hash.digest()

    @property
    def file_enc_sha256(self) -> bytes:
        return self._encrypted_hash.digest()

    def _note(self, encrypted: bytes) -> bytes:
        self._mac.update(encrypted)
        self._encrypted_hash.update(encrypted)
        return encrypted


class Decryptor:
    """Decrypts one file and checks it: `MediaReader`. An empty expected hash is not compared."""

    def __init__(
        self, key: bytes, kind: MediaKind, *, file_sha256: bytes = b"", file_enc_sha256: bytes = b""
    ) -> None:
        """Raises `DamagedMedia` for a media key of a wrong length."""
        iv, cipher_key, mac_key = _keys(key, kind)
        self._cipher = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).decryptor()
        self._unpadder = padding.PKCS7(8 * _BLOCK).unpadder()
        self._mac = hmac.new(mac_key, iv, "sha256")
        self._plain_hash = hashlib.sha256()
        self._encrypted_hash = hashlib.sha256()
        self._expected = (file_sha256, file_enc_sha256)
        self._held = b""  # the last bytes may be the MAC

    def update(self, data: bytes) -> bytes:
        self._encrypted_hash.update(data)
        data = self._held + data
        cut = max(0, len(data) - MAC_SIZE)
        self._held = data[cut:]
        encrypted = data[:cut]
        self._mac.update(encrypted)
        return self._note(self._unpadder.update(self._cipher.update(encrypted)))

    def finish(self) -> bytes:
        """The last bytes of the plain file. Raises `DamagedMedia`."""
        if not hmac.compare_digest(self._mac.digest()[:MAC_SIZE], self._held):
            raise DamagedMedia("The MAC of the file is wrong")
        try:
            end = self._unpadder.update(self._cipher.finalize()) + self._unpadder.finalize()
        except ValueError as error:
            raise DamagedMedia("The file is truncated or padded wrongly") from error
        end = self._note(end)
        _compare(self._expected[0], self._plain_hash.digest(), "plain")
        _compare(self._expected[1], self._encrypted_hash.digest(), "encrypted")
        return end

    def _note(self, plain: bytes) -> bytes:
        self._plain_hash.update(plain)
        return plain


class PlainReader:
    """Reads a file that is not encrypted, as newsletters have them: `MediaReader` that checks the hash."""

    def __init__(self, file_sha256: bytes = b"") -> None:
        self._hash = hashlib.sha256()
        self._expected = file_sha256

    def update(self, data: bytes) -> bytes:
        self._hash.update(data)
        return data

    def finish(self) -> bytes:
        _compare(self._expected, self._hash.digest(), "plain")
        return b""


def _keys(key: bytes, kind: MediaKind) -> tuple[bytes, bytes, bytes]:
    if len(key) != MEDIA_KEY_SIZE:
        raise DamagedMedia(f"A media key has {MEDIA_KEY_SIZE} bytes, not {len(key)}")
    keys = HKDF(hashes.SHA256(), 112, None, kind.info).derive(key)
    return keys[:16], keys[16:48], keys[48:80]


def _compare(expected: bytes, found: bytes, name: str) -> None:
    if expected and not hmac.compare_digest(expected, found):
        raise DamagedMedia(f"The SHA-256 of the {name} file is another one")
