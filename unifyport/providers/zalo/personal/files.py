"""Files and stickers -> requests. Pure.

A file is uploaded in chunks. Of a picture the last answer has the addresses; of any other file it has an id,
and the address comes by the socket (`controls.Uploaded`), before or after that answer. Then the message is
sent.
As in https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/apis/uploadAttachment.ts`, `sendMessage.ts`).
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from unifyport.providers.contract.errors import Transient

from .calls import Call, Session
from .people import is_group, receiver
from .shapes import Id, exact

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")


@attrs.frozen(kw_only=True)
class Picture:
    """What the upload of an image has returned."""

    photo_id: str
    normal_url: str = attrs.field(repr=False)
    hd_url: str = attrs.field(repr=False)
    thumb_url: str = attrs.field(repr=False)
    size: int
    width: int = 0
    height: int = 0


@attrs.frozen(kw_only=True)
class File:
    """What the upload of another file has returned, and the URL that came by the socket. `md5`: hex."""

    file_id: str
    url: str = attrs.field(repr=False)
    name: str
    size: int
    md5: str


class Chunk(msgspec.Struct):
    """The answer to the upload of a chunk; ids are -1 until the last one."""

    fileId: Id = ""
    photoId: Id = ""
    clientFileId: Id = ""
    normalUrl: str = ""
    hdUrl: str = ""
    thumbUrl: str = ""


def is_picture(name: str) -> bool:
    """Whether Zalo takes a file of this name as a picture."""
    return name.lower().endswith(_PICTURES)


def chunk_of(data: Any) -> Chunk:
    """The decrypted `data` of an answer. Raises `Transient`; an upload has applied nothing."""
    try:
        return msgspec.convert(data, Chunk)
    except msgspec.ValidationError:
        raise Transient("malformed_answer") from None


def picture_of(chunk: Chunk, size: int) -> Picture | None:
    """None: it is not the last chunk. Raises `Transient`."""
    photo_id = exact(chunk.photoId)
    if not photo_id:
        return None
    if not chunk.normalUrl:
        raise Transient("malformed_answer")
    hd = chunk.hdUrl or chunk.normalUrl
    thumb = chunk.thumbUrl or chunk.normalUrl
    return Picture(photo_id=photo_id, normal_url=chunk.normalUrl, hd_url=hd, thumb_url=thumb, size=size)


def picture_call(
    session: Session, conversation_id: str, picture: Picture, text: str, *, client_id: int
) -> Call:
    """An image that has been uploaded, with its caption."""
    in_group = is_group(conversation_id)
    fields: dict[str, Any] = {
        "photoId": picture.photo_id,
        "clientId": str(client_id),
        "desc": text,
        "width": picture.width,
        "height": picture.height,
        "rawUrl": picture.normal_url,
        "hdUrl": picture.hd_url,
        "thumbUrl": picture.thumb_url,
        "oriUrl" if in_group else "normalUrl": picture.normal_url,
        "hdSize": str(picture.size),
        "zsource": -1,
        "ttl": 0,
        "jcp": '{"convertible":"jxl"}',
        **receiver(conversation_id),
    }
    return session.call("file", f"{_room(conversation_id)}photo_original/send", fields, nretry="0")


def file_call(session: Session, conversation_id: str, file: File, client_id: str) -> Call:
    """Any other file that has been uploaded. `client_id`: what the upload has returned as `clientFileId`."""
    fields: dict[str, Any] = {
        "fileId": file.file_id,
        "checksum": file.md5,
        "checksumSha": "",
        "extention": file.name.rpartition(".")[2] if "." in file.name else "",
        "totalSize": file.size,
        "fileName": file.name,
        "clientId": client_id,
        "fType": 1,
        "fileCount": 0,
        "fdata": "{}",
        "fileUrl": file.url,
        "zsource": -1,
        "ttl": 0,
        **receiver(conversation_id),
    }
    return session.call("file", f"{_room(conversation_id)}asyncfile/msg", fields, nretry="0")


def chunk_call(
    session: Session, conversation_id: str, name: str, *, size: int, chunk: int, chunks: int, client_id: int
) -> Call:
    """The upload of the chunk with the number `chunk`, from 1, as `chunkContent` of a multipart body."""
    fields: dict[str, Any] = {
        "totalChunk": chunks,
        "fileName": name,
        "clientId": client_id,
        "totalSize": size,
        "imei": session.device.imei,
        "isE2EE": 0,
        "jxl": 0,
        "chunkId": chunk,
        **receiver(conversation_id),
    }
    path = f"{_room(conversation_id)}{'photo_original' if is_picture(name) else 'asyncfile'}/upload"
    return session.upload("file", path, fields, type="11" if is_group(conversation_id) else "2")


def sticker_call(session: Session, conversation_id: str, sticker: Mapping[str, int], client_id: int) -> Call:
    """`sticker`: `id`, `cateId`, `type` of Zalo's catalogue."""
    fields: dict[str, Any] = {
        "stickerId": sticker["id"],
        "cateId": sticker["cateId"],
        "type": sticker["type"],
        "clientId": client_id,
        "imei": session.device.imei,
        "zsource": 101,
        **receiver(conversation_id),
    }
    service, room = ("group", "group") if is_group(conversation_id) else ("chat", "message")
    return session.call(service, f"/api/{room}/sticker", fields, nretry="0")


def _room(conversation_id: str) -> str:
    return "/api/group/" if is_group(conversation_id) else "/api/message/"
