"""Files of a content delivery network: https://core.telegram.org/cdn.

The data centre redirects to a CDN, whose copy is encrypted (AES-256 in counter mode), and tells the hashes
of its pieces, which are those of the decrypted file. A CDN has its own public key, and its clients do not
log in.
"""

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

import attrs
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import upload

from .errors import bad

if TYPE_CHECKING:
    from .files import File
    from .server import Call, Server

CDN: Final = 203
_PIECE: Final = 128 * 1024


@attrs.define(eq=False)
class Copy:
    """`loaded`: the CDN has it; otherwise it asks for it (`upload.reuploadCdnFile`)."""

    file: "File"
    token: bytes
    key: bytes = attrs.field(repr=False)
    iv: bytes = attrs.field(repr=False)
    content: bytes = attrs.field(repr=False)
    hashes: list[Any] = attrs.field(repr=False)
    loaded: bool = False


class Cdn:
    """`spoils`: so many pieces are sent with a wrong byte."""

    def __init__(self, server: "Server") -> None:
        self._copies: dict[bytes, Copy] = {}
        self.spoils = 0
        self._server = server
        server.handlers |= {
            F.upload.GetCdnFileRequest: self._get,
            F.upload.ReuploadCdnFileRequest: self._reupload,
            F.upload.GetCdnFileHashesRequest: self._hashes,
            F.help.GetCdnConfigRequest: lambda call, query: T.CdnConfig(
                [T.CdnPublicKey(CDN, server.public_key)]
            ),
        }

    def redirect(self, file: "File", offset: int) -> Any:
        """`upload.fileCdnRedirect`."""
        copy = next((each for each in self._copies.values() if each.file is file), None)
        if copy is None:
            key, iv = os.urandom(32), os.urandom(12) + bytes(4)
            content = Cipher(algorithms.AES256(key), modes.CTR(iv)).encryptor().update(file.content)
            hashes = [
                T.FileHash(at, len(piece), hashlib.sha256(piece).digest())
                for at in range(0, len(file.content), _PIECE)
                if (piece := file.content[at : at + _PIECE])
            ]
            copy = Copy(file, os.urandom(16), key, iv, content, hashes)
            self._copies[copy.token] = copy
        return upload.FileCdnRedirect(CDN, copy.token, copy.key, copy.iv, copy.hashes[:1])

    def _copy(self, query: Any) -> Copy:
        copy = self._copies.get(query.file_token)
        if copy is None:
            raise bad("FILE_TOKEN_INVALID")
        return copy

    def _get(self, call: "Call", query: Any) -> Any:
        if call.centre.dc != CDN:
            raise bad("CDN_METHOD_INVALID")
        copy = self._copy(query)
        if not copy.loaded:
            return upload.CdnFileReuploadNeeded(copy.token)
        if query.offset % 4096 or query.limit % 4096 or not 0 < query.limit <= 1 << 20:
            raise bad("LIMIT_INVALID")
        part = copy.content[query.offset : query.offset + query.limit]
        if self.spoils and part:
            self.spoils -= 1
            part = bytes([part[0] ^ 1]) + part[1:]
        return upload.CdnFile(part)

    def _reupload(self, call: "Call", query: Any) -> Any:
        call.person  # noqa: B018
        copy = self._copy(query)
        copy.loaded = True
        return copy.hashes

    def _hashes(self, call: "Call", query: Any) -> Any:
        call.person  # noqa: B018
        return [each for each in self._copy(query).hashes if each.offset >= query.offset][:10]
