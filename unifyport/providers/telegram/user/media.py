"""Files of messages, both ways, streamed in parts: nothing is held whole.

https://core.telegram.org/api/files. A file lies at one data centre and is fetched there. A reference that has
expired is replaced by asking for the message that the file came with.
"""

import io
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import trio
from telethon.tl import functions, types

from unifyport.model.directory import Picture
from unifyport.model.message import OutboundMessage
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected, Transient

from ..bot.render import Request
from .cdn import CdnReader
from .files import Handle, read_handle
from .peer import peer_of_id
from .render_files import FileFacts, external, kept, uploaded
from .shapes import Shaper

if TYPE_CHECKING:
    from .link import UserLink

PART: Final = 512 * 1024
_SMALL_PART: Final = 64 * 1024
_BIG: Final = 10 * 1024 * 1024  # from here on a file is saved as a big one
_MOST_PARTS: Final = 4000
_AT_ONCE: Final = 4
_SMALL: Final = 1024 * 1024
_REFRESHES: Final = 2
_PICTURES: Final = {"image/jpeg": "picture.jpg", "image/png": "picture.png"}
_KINDS = {"photo": "photo", "video": "video", "audio": "audio", "document": "document"}


class Media:
    """The files of one account."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    # -- upload ----------------------------------------------------------------------------------------------

    async def upload(self, path: str, size: int, name: str) -> Any:
        """Save the file at `path` in parts; an `InputFile...`. Raises a failure class."""
        async with await trio.open_file(path, "rb") as file:
            return await self._save(file.read, size, name or "file")

    async def upload_picture(self, picture: Picture) -> Any:
        """As `upload`. The name must end as one of a picture does (`PHOTO_EXT_INVALID`).

        https://core.telegram.org/method/messages.editChatPhoto
        """
        content = io.BytesIO(picture.content)

        async def read(size: int) -> bytes:
            return content.read(size)

        return await self._save(read, len(picture.content), _PICTURES[picture.mime_type])

    async def _save(self, read: Callable[[int], Awaitable[bytes]], size: int, name: str) -> Any:
        part = _SMALL_PART if size <= _SMALL else PART
        count = -(-size // part)
        if not 0 < count <= _MOST_PARTS:
            raise Rejected("empty_file" if not size else "too_large")
        file_id, is_big = secrets.randbits(63), size > _BIG

        async def save(number: int, body: bytes) -> None:
            request = (
                functions.upload.SaveBigFilePartRequest(file_id, number, count, body)
                if is_big
                else functions.upload.SaveFilePartRequest(file_id, number, body)
            )
            if not await self._parts.rpc.call(request):
                raise Transient("part_not_saved")

        await _in_parallel(count, lambda: read(part), save)
        if is_big:
            return types.InputFileBig(file_id, count, name)
        return types.InputFile(file_id, count, name, "")

    async def album(self, made: Request, message: OutboundMessage, peer: Any) -> list[Any]:
        """The files of an album, which are at the platform when this returns."""
        found = []
        for item in made.fields["media"]:
            media = await self._album_item(item, message)
            request = functions.messages.UploadMediaRequest(peer, media)
            found.append(kept(await self._parts.rpc.call(request)))
        return found

    async def _album_item(self, item: dict[str, Any], message: OutboundMessage) -> Any:
        source = item["media"]
        if not source.startswith("attach://"):
            return external(source, item["type"], item.get("has_spoiler"))
        file = message.files[source.removeprefix("attach://")]
        saved = await self.upload(file.path, file.size, file.name)
        return uploaded(saved, FileFacts(_KINDS[item["type"]], file.name, file.mime_type, item))

    # -- download --------------------------------------------------------------------------------------------

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        """As `DownloadsMedia.download`."""
        file = read_handle(handle)
        if file.size > limit:
            raise Rejected("too_large")
        reader = _Reader(self._parts, file)
        got = 0
        while got < file.size or not file.size:
            part = await reader.read(got)
            got += len(part)
            if got > limit or (file.size and got > file.size):
                raise Rejected("too_large" if got > limit else "media_damaged")
            await sink(part)
            if len(part) < PART:
                break
        if file.size and got < file.size:
            raise Transient("media_damaged")


async def _in_parallel(
    count: int, read: Callable[[], Awaitable[bytes]], save: Callable[[int, bytes], Awaitable[None]]
) -> None:
    """Save `count` parts, a few at a time; at most so many are held."""
    limiter = trio.Semaphore(_AT_ONCE)
    failures: list[Exception] = []

    async def save_one(number: int, body: bytes) -> None:
        try:
            await save(number, body)
        except Exception as error:
            failures.append(error)
        finally:
            limiter.release()

    async with trio.open_nursery() as nursery:
        for number in range(count):
            await limiter.acquire()
            if failures:
                break
            nursery.start_soon(save_one, number, await read())
    if failures:
        raise failures[0]


class _Reader:
    """Reads one file part by part."""

    def __init__(self, parts: "UserLink", file: Handle) -> None:
        self._parts = parts
        self._file = file
        self._cdn: CdnReader | None = None
        self._refreshes = 0

    async def read(self, offset: int) -> bytes:
        """The part at `offset`, a multiple of `PART`. Raises a failure class."""
        while True:
            if self._cdn is not None:
                part = await self._cdn.read(offset, PART)
                if part is not None:
                    return part
                self._cdn = None  # its token is void: the file's own data centre gives another one
            request = functions.upload.GetFileRequest(
                self._file.location(), offset, PART, cdn_supported=self._parts.has_cdn or None
            )
            try:
                found = await self._parts.rpc.call(request, dc=self._file.dc)
            except Rejected as error:
                await self._refused(error)
                continue
            if isinstance(found, types.upload.FileCdnRedirect):
                self._cdn = CdnReader(self._parts.rpc, found, self._file.dc)
                continue
            return bytes(found.bytes)

    async def _refused(self, error: Rejected) -> None:
        """Have another reference of the file, or raise."""
        if not error.code.startswith("FILE_REFERENCE_") or self._refreshes >= _REFRESHES:
            gone = error.code.startswith(("FILE_", "LOCATION_", "MEDIA_"))
            raise Rejected("media_not_found" if gone else error.reason, code=error.code) from None
        self._refreshes += 1
        self._file = await self._seen_again()

    async def _seen_again(self) -> Handle:
        """The handle that the message has now. Raises `Rejected` if it has the file no more."""
        file = self._file
        wanted = [types.InputMessageID(file.message)]
        request: Any = functions.messages.GetMessagesRequest(wanted)
        if isinstance(peer_of_id(file.conversation), types.PeerChannel):
            channel = await self._parts.peers.input_channel(file.conversation)
            request = functions.channels.GetMessagesRequest(channel, wanted)
        found = await self._parts.rpc.call(request)
        for message in found.messages:
            if not isinstance(message, types.Message) or message.media is None:
                continue
            fresh = _handles(message).get(f"{file.kind}:{file.id}")
            if fresh is not None:
                return _renewed(read_handle(fresh), file)
        raise Rejected("media_not_found")


def _renewed(fresh: Handle, file: Handle) -> Handle:
    """The fresh reference of the same size of the file."""
    return Handle(
        file.kind,
        file.id,
        fresh.access_hash,
        fresh.file_reference,
        fresh.dc,
        file.size,
        file.thumb,
        file.conversation,
        file.message,
    )


def _handles(message: Any) -> dict[str, bytes]:
    """The files of a message, wherever they are in it."""
    shaper = Shaper(message, {}, 0)
    shaper.fields()
    return shaper.files.handles
