"""Opaque cursors: `v1.` + position + MAC, bound to what they page through. Stateless, not to be guessed."""

import base64
import binascii

import attrs

from unifyport.gateway.errors import UseCaseError, invalid
from unifyport.storage.sealing import KeyRing

_MAC = 16  # bytes


@attrs.frozen
class Cursors:
    """Writes and reads cursors. `purpose` names the list and everything that selects its items.

    Reading raises `UseCaseError` for a cursor that was not written for the purpose; `name` is the parameter.
    """

    _ring: KeyRing

    def write(self, purpose: str, *position: int) -> str:
        return self._signed(purpose, b"".join(number.to_bytes(8, signed=True) for number in position))

    def write_text(self, purpose: str, position: str) -> str:
        """The cursor of a list that a platform pages through; `position` is the platform's own text."""
        return self._signed(purpose, position.encode())

    def read(self, purpose: str, cursor: str, *, name: str = "cursor", count: int = 1) -> tuple[int, ...]:
        """The `count` numbers of a position."""
        data = self._verified(purpose, cursor, name)
        if len(data) != 8 * count:
            raise _refused(name)
        return tuple(int.from_bytes(data[start : start + 8], signed=True) for start in range(0, len(data), 8))

    def read_text(self, purpose: str, cursor: str, *, name: str = "cursor") -> str:
        return self._verified(purpose, cursor, name).decode()

    def _signed(self, purpose: str, data: bytes) -> str:
        mac = self._ring.mac("cursor", purpose.encode() + b"\0" + data)
        return "v1." + base64.urlsafe_b64encode(data + mac).decode().rstrip("=")

    def _verified(self, purpose: str, cursor: str, name: str) -> bytes:
        encoded = cursor.removeprefix("v1.")
        try:
            raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        data, mac = raw[:-_MAC], raw[-_MAC:]
        signed = purpose.encode() + b"\0" + data
        if not cursor.startswith("v1.") or not self._ring.verify("cursor", signed, mac):
            raise _refused(name)
        return data


def _refused(name: str) -> UseCaseError:
    return invalid(name, "not a cursor of this list")
