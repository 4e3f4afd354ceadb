"""Bodies of requests that are read from the disk while they are sent: a file, a form with one (RFC 7578)."""

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from unifyport.process import disk


class FileBody:
    """A file as a body for `request`, with its headers. `size`: bytes."""

    def __init__(self, path: str, size: int) -> None:
        self._path = Path(path)
        self.headers = {"content-length": str(size)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in disk.read(await disk.run(lambda: self._path.open("rb"))):
            yield chunk


class Multipart:
    """A form with one file as a body for `request`, with its headers. `name`: the field of the file."""

    def __init__(
        self, fields: Mapping[str, str], name: str, path: str, *, filename: str, mime_type: str, size: int
    ) -> None:
        boundary = os.urandom(16).hex()
        parts = [
            f'--{boundary}\r\ncontent-disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\ncontent-disposition: form-data; name="{name}";'
            f' filename="{_escape_filename(filename)}"\r\n'
            f"content-type: {_strip_controls(mime_type)}\r\n\r\n"
        )
        self._head = "".join(parts).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._file = FileBody(path, size)
        self.headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(self._head) + size + len(self._tail)),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._head
        async for chunk in self._file:
            yield chunk
        yield self._tail


def _escape_filename(filename: str) -> str:
    """Escape it as browsers do (https://html.spec.whatwg.org/#multipart-form-data)."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _strip_controls(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() and letter.isascii())
