"""Uploads in chunks, and the files that have a URL afterwards.

The last chunk's answer has the addresses of a picture. Of any other file it has an id; the address comes by
the socket (`file_done`), at a time that tests choose.
"""

import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import attrs

from unifyport.protocols.zalo_frames import Command

from .calls import Asked, Rule
from .world import Session, User, World, invalid

_CHUNK_MISSING = "-1"


@attrs.define
class _Upload:
    name: str
    size: int
    chunks: dict[int, bytes]
    total: int


@attrs.define
class FileDone:
    """When `file_done` is pushed: `seconds` after the answer, `early` (before it), or `never`."""

    seconds: float = 0.05
    early: bool = False
    never: bool = False


class Uploads:
    """`later`: calls something after so many seconds."""

    def __init__(self, world: World, later: Callable[[float, Callable[[], object]], None]) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}  # name in the URL -> content, MIME type
        self.base_url = ""
        self.file_done = FileDone()
        self._later = later
        self._world = world
        self._open: dict[tuple[Session, int], _Upload] = {}
        self._ids = itertools.count(7_100_000_000_000_000_001)

    def keep(self, content: bytes, name: str, mime_type: str = "application/octet-stream") -> str:
        """The URL of a file, which opens without a credential."""
        key = f"{next(self._ids)}/{name}"
        self.files[key] = content, mime_type
        return f"{self.base_url}/files/{key}"

    def photo(self, asked: Asked) -> dict[str, Any]:
        whole = self._chunk(asked)
        answer = {"clientFileId": asked.number("clientId"), "chunkId": asked.number("chunkId")}
        if whole is None:
            return {
                **answer,
                "finished": 0,
                "photoId": _CHUNK_MISSING,
                "normalUrl": "",
                "hdUrl": "",
                "thumbUrl": "",
            }
        url = self.keep(whole, asked.text("fileName"), "image/jpeg")
        urls = {"normalUrl": url, "hdUrl": url, "thumbUrl": url}
        return {**answer, "finished": 1, "photoId": str(next(self._ids)), **urls}

    def other(self, asked: Asked) -> dict[str, Any]:
        whole = self._chunk(asked)
        answer = {"clientFileId": asked.number("clientId"), "chunkId": asked.number("chunkId")}
        if whole is None:
            return {**answer, "finished": 0, "fileId": _CHUNK_MISSING}
        file_id = str(next(self._ids))
        url = self.keep(whole, asked.text("fileName"))
        self._tell_done(
            asked.session.user, file_id, url, hashlib.md5(whole, usedforsecurity=False).hexdigest()
        )
        return {**answer, "finished": 1, "fileId": file_id}

    def thumb(self, asked: Asked) -> dict[str, Any]:
        if asked.file is None:
            raise invalid("fileContent")
        url = self.keep(asked.file, "thumb.png", "image/png")
        return {
            "url": url,
            "hdUrl": url,
            "clientFileId": asked.number("clientId"),
            "fileId": str(next(self._ids)),
        }

    def _tell_done(self, user: User, file_id: str, url: str, checksum: str) -> None:
        data = {"url": url, "fileId": file_id, "checksum": checksum}
        content = {"act_type": "file_done", "act": "file_done", "fileId": file_id, "data": data}

        def tell() -> None:
            user.push(Command.CONTROLS, {"controls": [{"content": content}]})

        if self.file_done.never:
            return
        if self.file_done.early:
            tell()
        else:
            self._later(self.file_done.seconds, tell)

    def _chunk(self, asked: Asked) -> bytes | None:
        """The whole file with its last chunk; None before. Chunks may come in any order."""
        total, number, size = asked.number("totalChunk"), asked.number("chunkId"), asked.number("totalSize")
        in_group = "grid" in asked.fields
        if asked.query.get("type") != ("11" if in_group else "2"):
            raise invalid("type")
        if asked.file is None or not 1 <= number <= total or asked.text("imei") != asked.session.imei:
            raise invalid("chunkId")
        key = (asked.session, asked.number("clientId"))
        upload = self._open.setdefault(key, _Upload(asked.text("fileName"), size, {}, total))
        if (upload.name, upload.size, upload.total) != (asked.fields["fileName"], size, total):
            raise invalid("clientId")
        upload.chunks[number] = asked.file
        if len(upload.chunks) < total:
            return None
        del self._open[key]
        whole = b"".join(upload.chunks[each] for each in range(1, total + 1))
        if len(whole) != size:
            raise invalid("totalSize")
        return whole


CALLS = {
    Rule("UPLOAD", "file", "/api/message/photo_original/upload"): Uploads.photo,
    Rule("UPLOAD", "file", "/api/group/photo_original/upload"): Uploads.photo,
    Rule("UPLOAD", "file", "/api/message/asyncfile/upload"): Uploads.other,
    Rule("UPLOAD", "file", "/api/group/asyncfile/upload"): Uploads.other,
    Rule("UPLOAD", "file", "/api/message/upthumb"): Uploads.thumb,
    Rule("UPLOAD", "file", "/api/group/upthumb"): Uploads.thumb,
}
