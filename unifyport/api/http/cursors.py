"""Opaque cursors: `v1.` + position + MAC, bound to what they page through. Stateless, and never guessed."""

import base64
import binascii

from unifyport.storage.sealing import KeyRing

from .errors import ApiError

_MAC = 16  # bytes


def write(ring: KeyRing, purpose: str, *position: int) -> str:
    return _signed(ring, purpose, b"".join(number.to_bytes(8, signed=True) for number in position))


def write_text(ring: KeyRing, purpose: str, position: str) -> str:
    """Of a list that somebody else pages through, by his own word for a place in it."""
    return _signed(ring, purpose, position.encode())


def read(
    ring: KeyRing, purpose: str, cursor: str, *, name: str = "cursor", count: int = 1
) -> tuple[int, ...]:
    """The `count` numbers of a position. Raises `ApiError` for a cursor that we did not give out for this purpose."""
    data = _verified(ring, purpose, cursor, name)
    if len(data) != 8 * count:
        raise _refused(name)
    return tuple(int.from_bytes(data[start : start + 8], signed=True) for start in range(0, len(data), 8))


def read_text(ring: KeyRing, purpose: str, cursor: str, *, name: str = "cursor") -> str:
    """Raises `ApiError`, as `read` does."""
    return _verified(ring, purpose, cursor, name).decode()


def _signed(ring: KeyRing, purpose: str, data: bytes) -> str:
    mac = ring.mac("cursor", purpose.encode() + b"\0" + data)
    return "v1." + base64.urlsafe_b64encode(data + mac).decode().rstrip("=")


def _verified(ring: KeyRing, purpose: str, cursor: str, name: str) -> bytes:
    encoded = cursor.removeprefix("v1.")
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    data, mac = raw[:-_MAC], raw[-_MAC:]
    if not cursor.startswith("v1.") or not ring.verify("cursor", purpose.encode() + b"\0" + data, mac):
        raise _refused(name)
    return data


def _refused(name: str) -> ApiError:
    return ApiError(400, "invalid_request", f"{name}: not a cursor of this list")
