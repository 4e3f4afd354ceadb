"""`/media/{token}`: a customer's file, behind a link that needs no key. Always a download, never a page."""

import os

from unifyport.gateway.files import LinkedFiles
from unifyport.model.file_names import safe_name
from unifyport.net.disposition import attachment

from ..http.messages import FilePart, Headers, Response

# Media types that are sent as they are; any other file is sent as bytes. No markup, no scripts, no SVG.
_TYPES = frozenset(
    "image/jpeg image/png image/gif image/webp video/mp4 video/3gpp video/webm video/quicktime"
    " audio/aac audio/amr audio/mpeg audio/mp4 audio/ogg audio/opus audio/wav"
    " application/pdf application/zip text/plain".split()
)
_BYTES = "application/octet-stream"


async def serve(files: LinkedFiles, token: str) -> Response:
    """The file of a link. Raises `UseCaseError`."""
    reference, file = await files.open_media(token)
    kind = reference.mime_type.partition(";")[0].strip().lower()
    length = os.fstat(file.fileno()).st_size
    headers = {
        "content-type": kind if kind in _TYPES else _BYTES,
        "content-length": str(length),
        "content-disposition": attachment(safe_name(reference.title)),
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "private, no-store",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(200, Headers(headers.items()), FilePart(file, 0, length))
