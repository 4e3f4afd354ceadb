"""Files of customers, which both of Zalo's platforms give a URL to."""

import base64
import itertools
from typing import Any

import trio
from quart import Response, request

from ..http import HttpPlatform


class FilesAtUrls(HttpPlatform):
    """Serves files at `/files/<name>` to all who have the URL. A request that brings a credential fails."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, tuple[bytes, str]] = {}
        self.base_url = ""
        self._numbers = itertools.count(1)
        self.app.add_url_rule("/files/<name>", "file", self._file, methods=["GET"])

    def keep_file(self, media: Any, kinds: tuple[str, ...]) -> tuple[str, str, bytes]:
        """(kind, URL, content) of an order's `{type, content (base64), mime_type}`. Raises `ValueError`."""
        if not isinstance(media, dict) or media.get("type") not in kinds:
            raise ValueError(f"media.type: must be one of {', '.join(kinds)}")
        try:
            content = base64.b64decode(media["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        name = f"{next(self._numbers)}.bin"
        self.files[name] = content, str(media.get("mime_type", "application/octet-stream"))
        return str(media["type"]), f"{self.base_url}/files/{name}", content

    async def _file(self, name: str) -> Response:
        await trio.lowlevel.checkpoint()
        if any(header in request.headers for header in ("Authorization", "access_token", "secret_key")):
            return Response(b"", 400)
        content, mime_type = self.files.get(name, (None, ""))
        return Response(b"", 404) if content is None else Response(content, 200, content_type=mime_type)
