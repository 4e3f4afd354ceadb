"""Opaque cursors: `v1.` + position + MAC, bound to what they page through. Stateless, and never guessed."""

import base64
import binascii

from unifyport.storage.sealing import KeyRing

from .errors import ApiError


def write(ring: KeyRing, purpose: str, *position: int) -> str:
    data = b"".join(number.to_bytes(8, signed=True) for number in position)
    mac = ring.mac("cursor", purpose.encode() + b"\0" + data)
    return "v1." + base64.urlsafe_b64encode(data + mac).decode().rstrip("=")


def read(
    ring: KeyRing, purpose: str, cursor: str, *, name: str = "cursor", count: int = 1
) -> tuple[int, ...]:
    """The `count` numbers of a position. Raises `ApiError` for a cursor that we did not give out for this purpose."""
    try:
        raw = base64.urlsafe_b64decode(cursor.removeprefix("v1.") + "==")
    except (binascii.Error, ValueError):
        raw = b""
    data, mac = raw[: 8 * count], raw[8 * count :]
    if not cursor.startswith("v1.") or not ring.verify("cursor", purpose.encode() + b"\0" + data, mac):
        raise ApiError(400, "invalid_request", f"{name}: not a cursor of this list")
    return tuple(int.from_bytes(data[start : start + 8], signed=True) for start in range(0, len(data), 8))
