"""The media server: what clients upload and download, encrypted, and who may.

https://github.com/tulir/whatsmeow (`upload.go`, `download.go`). An upload names its SHA-256 as token and the
`auth` of `<media_conn>`; its answer has the path under which every client can get it until it expires.
"""

import base64
import hashlib
import os
import time

import attrs
from quart import Response, request

from ...http import HttpPlatform, as_json

LIFE_SECONDS = 14 * 86_400


@attrs.define
class Stored:
    content: bytes
    kind: str
    expires: float


class MediaServer:
    """`auth`: what an upload has to show. `files`: by their token, the URL-safe base64 of their SHA-256."""

    def __init__(self, platform: HttpPlatform) -> None:
        self.auth = base64.urlsafe_b64encode(os.urandom(24)).decode()
        self.files: dict[str, Stored] = {}
        self.base_url = ""
        self._platform = platform
        add = platform.app.add_url_rule
        add("/mms/<kind>/<token>", "upload", self._upload, methods=["POST"])
        add("/mms/<kind>/<token>", "delete", self._delete, methods=["DELETE"])
        add("/v/<kind>/<token>", "download", self._download, methods=["GET"])

    def host(self) -> str:
        """`host:port`, as a media connection names it."""
        return self.base_url.partition("//")[2]

    def put(self, content: bytes, kind: str) -> str:
        """Keep an encrypted file; its path."""
        token = _token_of(content)
        self.files[token] = Stored(content, kind, time.time() + LIFE_SECONDS)
        return f"/v/{kind}/{token}?ccb=1&oe={int(self.files[token].expires):x}"

    def get(self, path: str) -> bytes | None:
        """The encrypted file at a path, None if there is none or it has expired."""
        stored = self.files.get(path.partition("?")[0].rpartition("/")[2])
        return stored.content if stored is not None and stored.expires > time.time() else None

    def expire(self) -> None:
        """Let everything that is kept expire."""
        for stored in self.files.values():
            stored.expires = 0

    async def _upload(self, kind: str, token: str) -> Response:
        async def keep() -> Response:
            if request.args.get("auth") != self.auth:
                return as_json({"error": "unauthorized"}, 401)
            content = await request.get_data(cache=False)
            assert isinstance(content, bytes)
            if _digest_in(token) != hashlib.sha256(content).digest():
                return as_json({"error": "the token is not the hash of the file"}, 400)
            path = self.put(content, kind)
            return as_json({"url": self.base_url.replace("http:", "https:") + path, "direct_path": path})

        return await self._platform.answer("", "upload", keep)

    async def _download(self, kind: str, token: str) -> Response:
        async def give() -> Response:
            stored = self.files.get(token)
            if stored is None or stored.kind != kind:
                return Response(b"", 404)
            if stored.expires <= time.time():
                return Response(b"", 410)
            return Response(stored.content, 200, content_type="application/octet-stream")

        return await self._platform.answer("", "download", give)

    async def _delete(self, kind: str, token: str) -> Response:
        async def drop() -> Response:
            if request.args.get("auth") != self.auth:
                return as_json({"error": "unauthorized"}, 401)
            self.files.pop(token, None)
            return as_json({})

        return await self._platform.answer("", "delete", drop)


def _token_of(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _digest_in(token: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(token.rstrip("=") + "=")
    except ValueError:
        return b""
