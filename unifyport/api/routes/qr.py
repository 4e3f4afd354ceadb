"""`/qr/{token}.png` and `.svg`: a picture of the QR code of a login, for whoever has the link.

Never cached.
"""

from quart import Response

from unifyport.gateway.gateway import Gateway
from unifyport.links.qr import KINDS, NoPicture, code_of, draw

from ..http.errors import not_found


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
    response = Response(picture, 200, content_type=KINDS[kind])
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
