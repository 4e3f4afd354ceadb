"""`/qr/{token}.png` and `.svg`: a picture of the QR code of a login, for whoever has the link.

Never cached.
"""

from unifyport.gateway.gateway import Gateway
from unifyport.links.qr import KINDS, NoPicture, code_of, draw

from ..http.errors import not_found
from ..http.messages import Headers, Response


async def serve(gateway: Gateway, name: str) -> Response:
    """Raises `ApiError`."""
    token, _, kind = name.rpartition(".")
    try:
        if kind not in KINDS:
            raise NoPicture
        account_id, sequence = gateway.qr_pictures.read(token)
        picture = draw(code_of(await gateway.store.account(account_id), sequence), kind)
    except NoPicture:
        raise not_found("QR code, or no more") from None
    headers = {
        "content-type": KINDS[kind],
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(200, Headers(headers.items()), picture)
