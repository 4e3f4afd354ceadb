"""Sealed files: AES-256-CTR with a tag of 32 bytes behind it.

32 random bytes, the key material, travel in the sealed message as `keyMaterial` (base64). HKDF-SHA-256
without a salt, info `FileEncryption`, makes 76 bytes of them: cipher key (32), key of the tag (32), first 12
bytes of the counter block. The tag is HMAC-SHA-256, of the ciphertext for images, audio, files and previews;
for videos, of the concatenated SHA-256 digests of its 128 KiB pieces. A reader takes either form, as the
message does not say which one it is.

A preview is sealed with the key material of its picture, as LINE's clients read it. Both use the same key
stream: both ciphertexts together reveal the XOR of their first bytes, which a sender avoids by sending no
preview.

Source: `base/e2ee` of https://github.com/evex-dev/linejs, `pkg/connector/media.go` of
https://github.com/beeper/line.
"""

import hashlib
import hmac
from enum import Enum

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from unifyport.protocols.letter_sealing.errors import BadSeal, Malformed

KEY_MATERIAL_BYTES = 32
TAG_BYTES = 32
PIECE_BYTES = 128 * 1024
_INFO = b"FileEncryption"


class TagForm(Enum):
    """What the tag is computed of."""

    WHOLE = "whole"
    PIECES = "pieces"


class _Tags:
    """Both forms of the tag of a ciphertext that comes in parts."""

    def __init__(self, key: bytes) -> None:
        self._whole = hmac.new(key, digestmod=hashlib.sha256)
        self._pieces = hmac.new(key, digestmod=hashlib.sha256)
        self._piece = hashlib.sha256()
        self._in_piece = 0

    def update(self, part: bytes) -> None:
        self._whole.update(part)
        start = 0
        while start < len(part):
            end = start + min(PIECE_BYTES - self._in_piece, len(part) - start)
            self._piece.update(part[start:end])
            self._in_piece += end - start
            start = end
            if self._in_piece == PIECE_BYTES:
                self._end_piece()

    def digest(self, form: TagForm) -> bytes:
        """The tag; nothing is added afterwards."""
        if form is TagForm.WHOLE:
            return self._whole.digest()
        if self._in_piece:
            self._end_piece()
        return self._pieces.digest()

    def _end_piece(self) -> None:
        self._pieces.update(self._piece.digest())
        self._piece = hashlib.sha256()
        self._in_piece = 0


class FileSealer:
    """Seals one file part by part: the results of `update` in order, then that of `finish`."""

    def __init__(self, key_material: bytes, form: TagForm = TagForm.WHOLE) -> None:
        key, tag_key, counter = _derive(key_material)
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
        self._tags = _Tags(tag_key)
        self._form = form

    def update(self, part: bytes) -> bytes:
        """The ciphertext of the next part, of the same length."""
        sealed = self._encryptor.update(part)
        self._tags.update(sealed)
        return sealed

    def finish(self) -> bytes:
        """The tag, which ends the file."""
        return self._tags.digest(self._form)


class FileOpener:
    """Opens one file part by part.

    What `update` returns is not authenticated before `finish` has returned: keep it back, or be able to take
    it back.
    """

    def __init__(self, key_material: bytes) -> None:
        key, tag_key, counter = _derive(key_material)
        self._decryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
        self._tags = _Tags(tag_key)
        self._held = b""

    def update(self, part: bytes) -> bytes:
        """The plain bytes that are known so far: all but the last 32, which may be the tag."""
        held = self._held + part
        body, self._held = held[:-TAG_BYTES], held[-TAG_BYTES:]
        self._tags.update(body)
        return self._decryptor.update(body)

    def finish(self) -> TagForm:
        """Check the tag and say which form it has. Raises `BadSeal`, `Malformed` for a file that is too
        short.
        """
        if len(self._held) != TAG_BYTES:
            raise Malformed("a sealed file that is shorter than its tag")
        for form in TagForm:
            if hmac.compare_digest(self._tags.digest(form), self._held):
                return form
        raise BadSeal("the tag of the file does not fit")


def seal_file(plain: bytes, key_material: bytes, form: TagForm = TagForm.WHOLE) -> bytes:
    """A whole file in one go."""
    sealer = FileSealer(key_material, form)
    return sealer.update(plain) + sealer.finish()


def open_file(sealed: bytes, key_material: bytes) -> bytes:
    """A whole file in one go. Raises `BadSeal`, `Malformed`."""
    opener = FileOpener(key_material)
    plain = opener.update(sealed)
    opener.finish()
    return plain


def _derive(key_material: bytes) -> tuple[bytes, bytes, bytes]:
    if len(key_material) != KEY_MATERIAL_BYTES:
        raise Malformed(f"key material of {len(key_material)} bytes")
    derived = HKDF(SHA256(), 76, salt=None, info=_INFO).derive(key_material)
    return derived[:32], derived[32:64], derived[64:] + bytes(4)
