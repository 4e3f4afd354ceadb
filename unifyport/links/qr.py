"""Links to pictures of QR codes, for callers that cannot render a code.

A link is `{public_url}/qr/{account id}.{sealed}.png` or `.svg`. It names a step of a login, not the code: it
shows the stored code while the account is at that step and the code has not expired, and nothing afterwards.
"""

import io

import msgspec
import segno

from unifyport.model.account import Account
from unifyport.process.clock import Clock
from unifyport.storage.sealing import KeyRing, SealError

_SCALE = 8  # pixels for each module of the code
KINDS = {"png": "image/png", "svg": "image/svg+xml"}


class NoPicture(Exception):
    """The link is not valid, or its code has expired or was replaced."""


class _Shown(msgspec.Struct, array_like=True):
    sequence: int
    expires_at: int  # unix ms


class QrPictures:
    """Makes links and reads them."""

    def __init__(self, ring: KeyRing, base_url: str, clock: Clock) -> None:
        self._ring = ring
        self._base_url = base_url.rstrip("/")
        self._clock = clock

    def url(self, account_id: str, sequence: int, expires_at: int) -> str:
        token = self._ring.seal_text(
            "qr", msgspec.json.encode(_Shown(sequence, expires_at)), context=account_id
        )
        return f"{self._base_url}/qr/{account_id}.{token}.png"

    def read(self, token: str) -> tuple[str, int]:
        """(account id, sequence) of a link's `{account id}.{sealed}`. Raises `NoPicture`."""
        account_id, _, text = token.partition(".")
        try:
            plain = self._ring.open_text("qr", text, context=account_id)
        except SealError:
            raise NoPicture from None
        shown = msgspec.json.decode(plain, type=_Shown)
        if self._clock.has_passed(shown.expires_at):
            raise NoPicture
        return account_id, shown.sequence


def code_of(account: Account | None, sequence: int) -> str:
    """The QR code of a step. Raises `NoPicture` if the account is at another step, or shows no QR code."""
    if account is None or account.auth_sequence != sequence or "qr_code" not in account.auth_payload:
        raise NoPicture
    return str(account.auth_payload["qr_code"])


def draw(code: str, kind: str) -> bytes:
    """A picture of a QR code; `kind` is one of `KINDS`. Raises `NoPicture` if the code is too long."""
    picture = io.BytesIO()
    try:
        segno.make(code, error="m", micro=False).save(picture, kind=kind, scale=_SCALE)
    except segno.DataOverflowError:
        raise NoPicture from None
    return picture.getvalue()
