"""Upload of a file in chunks (https://docs.x.com/x-api/media/quickstart/media-upload-chunked).

    initialize  ->  append, one chunk after another  ->  finalize  ->  status, until X has processed it

What is uploaded and not sent disappears at X after a day, so a failure has applied nothing.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import trio
from msgspec import Struct

from unifyport.model.message import OutboundMedia
from unifyport.process import disk
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.http import UPLOAD_SECONDS, nothing_applied

from .calls import XApi, with_query
from .limits import MAX_IMAGE, MEBIBYTE
from .render import GIF, category_of

CHUNK = 2 * MEBIBYTE  # 5 MiB have been refused with 431: github.com/abraham/twitteroauth/issues/1257
PROCESSING_SECONDS = 60.0  # the command's own deadline is shorter
_SHORTEST, _LONGEST = 1.0, 10.0
_PATH = "/2/media/upload"


class _Processing(Struct):
    state: str = ""
    check_after_secs: float | None = None


class _Media(Struct):
    id: str = ""
    processing_info: _Processing | None = None


async def upload(api: XApi, message: OutboundMedia) -> str:
    """The id of the uploaded file. Raises `Rejected` for a file that X does not take, or a failure class
    without `maybe_applied`.
    """
    category, kind = category_of(message), message.mime_type.partition(";")[0].strip().lower()
    if message.type == "image" and kind != GIF and message.size > MAX_IMAGE:
        raise Rejected("too_large", f"X takes images of at most {MAX_IMAGE} bytes")
    body = {"media_type": kind, "total_bytes": message.size, "media_category": category}
    with nothing_applied():
        begun: _Media = await api.call("POST", f"{_PATH}/initialize", _Media, json=body)
        if not begun.id.isascii() or not begun.id.isdigit():
            raise Transient("malformed_answer")
        await _append(api, begun.id, message)
        done: _Media = await api.call("POST", f"{_PATH}/{begun.id}/finalize", _Media)
        await _processed(api, begun.id, done)
    return begun.id


async def _append(api: XApi, media_id: str, message: OutboundMedia) -> None:
    file: BinaryIO = await disk.run(Path(message.path).open, "rb")
    try:
        number = 0
        while chunk := await disk.run(file.read, CHUNK):
            form, content_type = chunk_form(chunk, number)
            await api.call(
                "POST",
                f"{_PATH}/{media_id}/append",
                dict[str, Any] | None,
                body=form,
                headers={"content-type": content_type},
                timeout=UPLOAD_SECONDS,
            )
            number += 1
    finally:
        file.close()


def chunk_form(chunk: bytes, number: int, named: Mapping[str, str] | None = None) -> tuple[bytes, str]:
    """A form with one chunk of a file (RFC 7578) and further fields, and its content type."""
    boundary = os.urandom(16).hex()
    fields = {"segment_index": str(number), **(named or {})}
    head = "".join(
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ) + (
        f'--{boundary}\r\ncontent-disposition: form-data; name="media"; filename="chunk"\r\n'
        "content-type: application/octet-stream\r\n\r\n"
    )
    body = b"".join((head.encode(), chunk, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


async def _processed(api: XApi, media_id: str, media: _Media) -> None:
    """Wait until X has processed the file, if it has to."""
    with trio.move_on_after(PROCESSING_SECONDS):
        while (processing := media.processing_info) is not None and processing.state != "succeeded":
            if processing.state == "failed":
                raise Rejected("media_not_processed", "X could not process the file")
            await trio.sleep(min(max(processing.check_after_secs or 0.0, _SHORTEST), _LONGEST))
            query = {"command": "STATUS", "media_id": media_id}
            media = await api.call("GET", with_query(_PATH, query), _Media)
        return
    raise Transient("media_still_processing")
