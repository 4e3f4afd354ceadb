"""Bodies of requests that are read from the disk as they are sent: a file, a form with files (RFC 7578)."""

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import attrs

from unifyport.process import disk


class FileBody:
    """A file as a body for `request`, with its headers. `size`: bytes."""

    def __init__(self, path: str, size: int) -> None:
        self._path = Path(path)
        self.headers = {"content-length": str(size)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in disk.read(await disk.run(lambda: self._path.open("rb"))):
            yield chunk


@attrs.frozen
class FormFile:
    """A file of a form. `name`: of its field; `size`: bytes."""

    name: str
    path: str
    filename: str
    mime_type: str
    size: int


class Multipart:
    """A form with files as a body for `request`, with its headers."""

    def __init__(self, fields: Mapping[str, str], *files: FormFile) -> None:
        boundary = os.urandom(16).hex()
        head = "".join(
            f'--{boundary}\r\ncontent-disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        )
        self._parts: list[tuple[bytes, FileBody]] = []  # what comes before each file, and the file
        for file in files:
            head += (
                f'--{boundary}\r\ncontent-disposition: form-data; name="{file.name}";'
                f' filename="{_escape_filename(file.filename)}"\r\n'
                f"content-type: {_strip_controls(file.mime_type)}\r\n\r\n"
            )
            self._parts.append((head.encode(), FileBody(file.path, file.size)))
            head = "\r\n"
        self._tail = f"{head}--{boundary}--\r\n".encode()
        length = len(self._tail) + sum(len(before) for before, _ in self._parts)
        self.headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(length + sum(file.size for file in files)),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for before, file in self._parts:
            yield before
            async for chunk in file:
                yield chunk
        yield self._tail


def _escape_filename(filename: str) -> str:
    """Escape it as browsers do (https://html.spec.whatwg.org/#multipart-form-data)."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _strip_controls(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() and letter.isascii())
