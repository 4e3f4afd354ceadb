"""Files: parts that clients upload, and what they download, also from another data centre or a CDN.

https://core.telegram.org/api/files, https://core.telegram.org/cdn.
"""

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

import attrs
from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import storage, upload

from .cdn import Cdn
from .errors import Refused, bad

if TYPE_CHECKING:
    from .server import Call, Server

_PART: Final = 512 * 1024
_BIG: Final = 10 << 20
_MAX_PARTS: Final = 4000
_CHUNK: Final = 1 << 20


@attrs.define(eq=False)
class File:
    """`dc`: where it is stored. `reference` changes when it expires."""

    id: int
    content: bytes = attrs.field(repr=False)
    dc: int
    reference: bytes = attrs.field(factory=lambda: os.urandom(16), repr=False)
    access_hash: int = attrs.field(factory=lambda: int.from_bytes(os.urandom(7), "little"), repr=False)
    media: Any = attrs.field(default=None, repr=False)  # `messageMedia`, the same in every message

    def expire(self) -> None:
        """References so far are refused; messages that are read again have the new one."""
        self.reference = os.urandom(16)
        shown = getattr(self.media, "document", None) or getattr(self.media, "photo", None)
        if shown is not None:
            shown.file_reference = self.reference


class Files:
    """`dc`: where what is uploaded is stored. `on_cdn`: clients that
    support it are sent to the CDN."""

    def __init__(self, server: "Server", cdn: Cdn) -> None:
        self._server = server
        self._cdn = cdn
        self.on_cdn = False
        self.files: dict[int, File] = {}
        self.dc: int | None = None  # None: where it was uploaded
        self._parts: dict[tuple[int, int], dict[int, bytes]] = {}  # by (key, file_id)
        self._next = 5_000_000_000_000
        server.handlers |= {
            F.upload.SaveFilePartRequest: self._save,
            F.upload.SaveBigFilePartRequest: self._save_big,
            F.upload.GetFileRequest: self._get,
        }

    def expire(self) -> None:
        """All file references so far are refused; messages that are asked for again have new ones."""
        for file in self.files.values():
            file.expire()

    def add(self, content: bytes, dc: int) -> File:
        self._next += 1
        file = File(self._next, content, self.dc or dc)
        self.files[file.id] = file
        return file

    # -- uploads ---------------------------------------------------------------------------------------------

    def _save(self, call: "Call", query: Any) -> bool:
        return self._take(call, query.file_id, query.file_part, query.bytes)

    def _save_big(self, call: "Call", query: Any) -> bool:
        if query.file_part >= query.file_total_parts > 0:
            raise bad("FILE_PART_INVALID")
        return self._take(call, query.file_id, query.file_part, query.bytes)

    def _take(self, call: "Call", file_id: int, number: int, content: bytes) -> bool:
        call.person  # noqa: B018
        if not 0 <= number < _MAX_PARTS:
            raise bad("FILE_PART_INVALID")
        if not content:
            raise bad("FILE_PART_EMPTY")
        if len(content) > _PART:
            raise bad("FILE_PART_TOO_BIG")
        self._parts.setdefault((call.person.id, file_id), {})[number] = content
        return True

    def uploaded(self, call: "Call", named: Any) -> File:
        """The file of an `InputFile`. Raises `Refused`."""
        parts = self._parts.pop((call.person.id, named.id), {})
        for number in range(named.parts):
            if number not in parts:
                raise bad(f"FILE_PART_{number}_MISSING")
        if not parts:
            raise bad("FILE_PARTS_INVALID")
        sizes = [len(parts[number]) for number in range(named.parts)]
        if any(size != sizes[0] for size in sizes[:-1]) or (sizes[0] % 1024 and len(sizes) > 1):
            raise bad("FILE_PART_SIZE_INVALID")
        content = b"".join(parts[number] for number in range(named.parts))
        big = isinstance(named, T.InputFileBig)
        if big != (len(content) > _BIG):
            raise bad("FILE_PARTS_INVALID")
        if not big and named.md5_checksum and named.md5_checksum != hashlib.md5(content).hexdigest():  # noqa: S324
            raise bad("MD5_CHECKSUM_INVALID")
        return self.add(content, call.centre.dc)

    # -- downloads -------------------------------------------------------------------------------------------

    def _get(self, call: "Call", query: Any) -> Any:
        call.person  # noqa: B018
        file = self.files.get(getattr(query.location, "id", 0))
        if file is None or query.location.access_hash != file.access_hash:
            raise bad("LOCATION_INVALID")
        if query.location.file_reference != file.reference:
            raise bad("FILE_REFERENCE_EXPIRED")
        if file.dc != call.centre.dc:
            raise Refused(303, f"FILE_MIGRATE_{file.dc}")
        if self.on_cdn and query.cdn_supported:
            return self._cdn.redirect(file, query.offset)
        offset, limit = query.offset, query.limit
        step = 1024 if query.precise else 4096
        if offset % step:
            raise bad("OFFSET_INVALID")
        if limit % step or not 0 < limit <= _CHUNK or (not query.precise and _CHUNK % limit):
            raise bad("LIMIT_INVALID")
        if offset // _CHUNK != (offset + limit - 1) // _CHUNK:
            raise bad("LIMIT_INVALID")
        return upload.File(storage.FileUnknown(), self._server.now, file.content[offset : offset + limit])

    # -- media of messages -----------------------------------------------------------------------------------

    def media(self, call: "Call", named: Any, server: "Server") -> Any:
        """`messageMedia` of an `InputMedia`. Raises `Refused`."""
        match named:
            case T.InputMediaUploadedPhoto():
                return self.photo(self.uploaded(call, named.file))
            case T.InputMediaUploadedDocument():
                file = self.uploaded(call, named.file)
                return self.document(file, named.mime_type, named.attributes)
            case T.InputMediaPhoto() | T.InputMediaDocument():
                return self._known(named)
            case T.InputMediaGeoPoint() if isinstance(named.geo_point, T.InputGeoPoint):
                return T.MessageMediaGeo(_point(named.geo_point))
            case T.InputMediaGeoLive():
                return T.MessageMediaGeoLive(_point(named.geo_point), named.period or 3600)
            case T.InputMediaVenue():
                return T.MessageMediaVenue(
                    _point(named.geo_point),
                    named.title,
                    named.address,
                    named.provider,
                    named.venue_id,
                    named.venue_type,
                )
            case T.InputMediaContact():
                person = server.directory.by_phone(named.phone_number)
                return T.MessageMediaContact(
                    named.phone_number,
                    named.first_name,
                    named.last_name,
                    named.vcard,
                    person.id if person is not None else 0,
                )
            case T.InputMediaPoll():
                named.poll.id = self._number()
                return T.MessageMediaPoll(named.poll, T.PollResults())
            case T.InputMediaDice():
                return T.MessageMediaDice(4, named.emoticon)
        raise bad("MEDIA_INVALID")

    def _number(self) -> int:
        self._next += 1
        return self._next

    def photo(self, file: File) -> Any:
        sizes = [
            T.PhotoSize("m", 320, 240, len(file.content) // 4),
            T.PhotoSize("y", 1280, 960, len(file.content)),
        ]
        photo = T.Photo(
            id=file.id,
            access_hash=file.access_hash,
            file_reference=file.reference,
            date=self._server.now,
            sizes=sizes,
            dc_id=file.dc,
        )
        file.media = T.MessageMediaPhoto(photo=photo)
        return file.media

    def document(self, file: File, mime_type: str, attributes: list[Any]) -> Any:
        document = T.Document(
            id=file.id,
            access_hash=file.access_hash,
            file_reference=file.reference,
            date=self._server.now,
            mime_type=mime_type,
            size=len(file.content),
            dc_id=file.dc,
            attributes=attributes,
        )
        voice = any(isinstance(each, T.DocumentAttributeAudio) and each.voice for each in attributes)
        video = any(isinstance(each, T.DocumentAttributeVideo) for each in attributes)
        file.media = T.MessageMediaDocument(document=document, voice=voice or None, video=video or None)
        return file.media

    def _known(self, named: Any) -> Any:
        file = self.files.get(named.id.id)
        if file is None or file.access_hash != named.id.access_hash:
            raise bad("MEDIA_INVALID")
        if file.reference != named.id.file_reference:
            raise bad("FILE_REFERENCE_EXPIRED")
        return file.media


def _point(named: Any) -> Any:
    return T.GeoPoint(long=named.long, lat=named.lat, access_hash=1, accuracy_radius=named.accuracy_radius)
