"""`/qr/{token}.png` and `.svg`: a picture of the QR code of a login, behind a link that needs no key.

Never cached.
"""

from unifyport.gateway.files import LinkedFiles
from unifyport.links.qr import KINDS

from ..http.messages import Headers, Response


async def serve(files: LinkedFiles, name: str) -> Response:
    """Raises `UseCaseError`, `StoreUnavailable`."""
    token, _, kind = name.rpartition(".")
    picture = await files.draw_qr(token, kind)
    headers = {
        "content-type": KINDS[kind],
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(200, Headers(headers.items()), picture)
