"""Photos and documents of messages -> files as the Bot API shows them, and what it takes to fetch them.

A file is fetched by a location with a `file_reference`, which expires; then the message that it came with
is asked for again (https://core.telegram.org/api/file_reference). The handle of an attachment holds both.
"""

import contextlib
from typing import Any, Literal

import msgspec
from telethon.tl import types

from unifyport.providers.contract.errors import Rejected


class Handle(msgspec.Struct, array_like=True, frozen=True):
    """Where a file lies. `thumb`: which size of a photo. `conversation`, `message`: where it was seen."""

    kind: Literal["photo", "document"]
    id: int
    access_hash: int
    file_reference: bytes
    dc: int
    size: int
    thumb: str = ""
    conversation: int = 0
    message: int = 0

    def location(self) -> Any:
        make = types.InputPhotoFileLocation if self.kind == "photo" else types.InputDocumentFileLocation
        return make(self.id, self.access_hash, self.file_reference, self.thumb)


def read_handle(handle: bytes) -> Handle:
    """Raises `Rejected` for what is none."""
    try:
        return msgspec.msgpack.decode(handle, type=Handle)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Rejected("media_not_found") from None


class Files:
    """Collects the files of one message, with their handles."""

    def __init__(self, conversation: int, message: int) -> None:
        self._place = (conversation, message)
        self.handles: dict[str, bytes] = {}

    def _add(self, kind: Literal["photo", "document"], file: Any, size: int, thumb: str = "") -> str:
        file_id = f"{kind}:{file.id}"
        handle = Handle(
            kind, file.id, file.access_hash, file.file_reference, file.dc_id, size, thumb, *self._place
        )
        self.handles[file_id] = msgspec.msgpack.encode(handle)
        return file_id

    def photo(self, photo: Any) -> list[dict[str, Any]]:
        """The largest size of a photo; nothing of one that is gone."""
        if not isinstance(photo, types.Photo):
            return []
        sizes = [(size, thumb) for each in photo.sizes if (size := _bytes_of(each)) and (thumb := each.type)]
        if not sizes:
            return []
        size, thumb = max(sizes)
        return [{"file_id": self._add("photo", photo, size, thumb), "file_size": size}]

    def document(self, document: Any) -> tuple[str, dict[str, Any]]:
        """(field of the Bot API, its file). Of one that is gone: a document without a file."""
        if not isinstance(document, types.Document):
            return "document", {}
        file: dict[str, Any] = {
            "file_id": self._add("document", document, document.size),
            "file_size": document.size,
            "mime_type": document.mime_type or "",
        }
        kind = "document"
        for attribute in document.attributes:
            kind = _read_attribute(attribute, file, kind)
        return kind, file


# The later one counts: a video without sound also says that it is animated, a sticker that it is an image.
_RANKS = ("document", "audio", "voice", "video", "video_note", "animation", "sticker")


def _read_attribute(attribute: Any, file: dict[str, Any], kind: str) -> str:
    found = "document"
    match attribute:
        case types.DocumentAttributeFilename(file_name=name):
            file["file_name"] = name
        case types.DocumentAttributeVideo():
            found = "video_note" if attribute.round_message else "video"
            file["duration"] = _seconds(attribute.duration)
        case types.DocumentAttributeAudio():
            found = "voice" if attribute.voice else "audio"
            file["duration"] = _seconds(attribute.duration)
            if attribute.title:
                file["title"] = attribute.title
        case types.DocumentAttributeAnimated():
            found = "animation"
        case types.DocumentAttributeSticker(alt=emoji):
            found, file["emoji"] = "sticker", emoji or ""
        case types.DocumentAttributeCustomEmoji(alt=emoji):
            found, file["emoji"] = "sticker", emoji or ""
    return max(kind, found, key=_RANKS.index)


def _seconds(duration: float) -> int:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return max(0, round(duration))
    return 0


def _bytes_of(size: Any) -> int:
    if isinstance(size, types.PhotoSizeProgressive):
        return max(size.sizes, default=0)
    return int(size.size) if isinstance(size, types.PhotoSize) else 0
