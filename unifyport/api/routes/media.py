"""`/media/{token}`: a customer's file, behind a link that needs no key. Always a download, never a page."""

import os
from urllib.parse import quote

from unifyport.gateway.files import LinkedFiles

from ..http.messages import FilePart, Headers, Response

# Media types that are sent as they are; any other file is sent as bytes. No markup, no scripts, no SVG.
_TYPES = frozenset(
    "image/jpeg image/png image/gif image/webp video/mp4 video/3gpp video/webm video/quicktime"
    " audio/aac audio/amr audio/mpeg audio/mp4 audio/ogg audio/opus audio/wav"
    " application/pdf application/zip text/plain".split()
)
_BYTES = "application/octet-stream"
_LONGEST_TITLE = 150


async def serve(files: LinkedFiles, token: str) -> Response:
    """The file of a link. Raises `UseCaseError`."""
    reference, file = await files.open_media(token)
    kind = reference.mime_type.partition(";")[0].strip().lower()
    length = os.fstat(file.fileno()).st_size
    headers = {
        "content-type": kind if kind in _TYPES else _BYTES,
        "content-length": str(length),
        "content-disposition": _disposition(reference.title),
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "private, no-store",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(200, Headers(headers.items()), FilePart(file, 0, length))


def _disposition(title: str) -> str:
    """RFC 6266, with the name in the form that needs no guessing (RFC 8187)."""
    name = "".join(letter for letter in title if letter.isprintable() and letter not in '/\\"')
    name = name[:_LONGEST_TITLE].strip(". ")
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}" if name else "attachment"
