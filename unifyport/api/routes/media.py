"""`/media/{token}`: a customer's file, for whoever has the link. Always a download, never a page of ours."""

import os
from urllib.parse import quote

from unifyport.files.incoming import MediaUnavailable
from unifyport.gateway.gateway import Gateway

from ..http.errors import ApiError
from ..http.messages import FilePart, Headers, Response

# What a browser may be told that a file is; everything else is bytes. No markup, no scripts, no SVG.
_TYPES = frozenset(
    "image/jpeg image/png image/gif image/webp video/mp4 video/3gpp video/webm video/quicktime"
    " audio/aac audio/amr audio/mpeg audio/mp4 audio/ogg audio/opus audio/wav"
    " application/pdf application/zip text/plain".split()
)
_BYTES = "application/octet-stream"
_CODES = {
    404: "not_found",
    410: "media_gone",
    413: "media_too_large",
    502: "media_failed",
    503: "media_failed",
}
_LONGEST_TITLE = 150


async def serve(gateway: Gateway, token: str) -> Response:
    """The file of a link. Raises `ApiError`."""
    try:
        account_id, reference = gateway.links.read(token)
        file = await gateway.media.open(account_id, reference)
    except MediaUnavailable as missing:
        retry = 5 if missing.status in (502, 503) else None
        raise ApiError(missing.status, _CODES[missing.status], missing.reason, retry_after=retry) from None
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
