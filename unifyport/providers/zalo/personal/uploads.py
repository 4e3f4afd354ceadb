"""Files that go out: chunks over HTTP; the address of a file that is no picture comes by the socket.

It may come before the answer to the last chunk. If it does not come within a minute, or the socket is lost,
nothing was sent.
"""

import hashlib
import os
from collections import OrderedDict
from pathlib import Path

import attrs
import trio

from unifyport.model.message import OutboundMedia
from unifyport.process import disk
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.http import UPLOAD_SECONDS, nothing_applied

from .calls import Session, read_answer
from .controls import Uploaded
from .files import File, Picture, chunk_call, chunk_of, is_picture, picture_of
from .login_info import Limits
from .shapes import exact
from .transport import Transport

DONE_SECONDS = 60.0
MAX_CHUNK = 4 * 1024 * 1024  # bytes that are held in memory
_EARLY = 64  # addresses that came before their upload's answer


@attrs.frozen
class Sendable:
    """`client_id`: what the platform has called the file; empty for a picture."""

    content: Picture | File
    client_id: str = ""


class Uploads:
    def __init__(self, transport: Transport, session: Session, limits: Limits) -> None:
        self._transport = transport
        self._session = session
        self._limits = limits
        self._done: OrderedDict[str, str] = OrderedDict()  # file id -> address
        self._news = trio.Event()
        self._lost = False

    def take(self, uploaded: Uploaded) -> None:
        """The platform has taken a file in."""
        self._done[uploaded.file_id] = uploaded.url
        if len(self._done) > _EARLY:
            self._done.popitem(last=False)
        self._wake()

    def fail(self) -> None:
        """The socket is lost: no address comes any more."""
        self._lost = True
        self._wake()

    async def upload(self, message: OutboundMedia, name: str, client_id: int) -> Sendable:
        """Raises `Transient`, `Rejected`. The receiver sees nothing of it yet."""
        self._refuse(name, message.size)
        size = max(min(self._limits.chunk_bytes, MAX_CHUNK), 1)
        chunks = max(-(-message.size // size), 1)
        digest, number, last = hashlib.md5(usedforsecurity=False), 0, None
        file = await disk.run(lambda: Path(message.path).open("rb"))  # noqa: SIM115 (closed below)
        try:
            for number in range(1, chunks + 1):
                content: bytes = await disk.run(file.read, size)
                digest.update(content)
                call = chunk_call(
                    self._session,
                    message.conversation_id,
                    name,
                    size=message.size,
                    chunk=number,
                    chunks=chunks,
                    client_id=client_id,
                )
                body, content_type = form(name, content)
                with nothing_applied():
                    answer = await self._transport.ask(
                        call, body=body, content_type=content_type, timeout=UPLOAD_SECONDS
                    )
                    last = chunk_of(read_answer(answer, self._session.cipher))
        finally:
            file.close()
        assert last is not None
        if is_picture(name):
            picture = picture_of(last, message.size)
            if picture is None:
                raise Transient("malformed_answer")
            return Sendable(picture)
        file_id = _id(last.fileId)
        url = await self._wait_for(file_id)
        found = File(file_id=file_id, url=url, name=name, size=message.size, md5=digest.hexdigest())
        return Sendable(found, _id(last.clientFileId) if last.clientFileId else str(client_id))

    async def _wait_for(self, file_id: str) -> str:
        with trio.move_on_after(DONE_SECONDS):
            while file_id not in self._done and not self._lost:
                await self._news.wait()
        url = self._done.pop(file_id, "")
        if not url:
            raise Transient("connection_lost" if self._lost else "upload_unfinished")
        return url

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _refuse(self, name: str, size: int) -> None:
        if size > self._limits.max_file_bytes:
            raise Rejected("too_large", f"Zalo takes files of at most {self._limits.max_file_bytes} bytes")
        if "." in name and name.rpartition(".")[2].lower() in self._limits.refused_extensions:
            raise Rejected("unsupported_file_type", "Zalo does not take files with this extension")


def _id(value: object) -> str:
    try:
        found = exact(value)
    except ValueError:
        found = ""
    if not found:
        raise Transient("malformed_answer")
    return found


def form(
    name: str, content: bytes, *, field: str = "chunkContent", mime_type: str = "application/octet-stream"
) -> tuple[bytes, str]:
    """A form (RFC 7578) with a file, and its content type."""
    boundary = os.urandom(16).hex()
    shown = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="{field}"; filename="{shown}"\r\n'
        f"content-type: {mime_type}\r\n\r\n"
    )
    return (
        head.encode() + content + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )
