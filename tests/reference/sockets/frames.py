"""The wire format, without I/O: JSON objects, over TCP each behind its length in four bytes (big endian).

WebSocket, one object per message:
    client {"token"}   server {"user": {"id", "name"}} or {"error"}
    then server {"message": {"number", "id", "chat", "from", "text"}}   client {"confirm": number}
TCP, one request and one answer per connection:
    client {"token", "chat", "text"}   server {"id"} or {"error"}
What a client has not confirmed is sent again on its next connection.
"""

from typing import Any

import msgspec

MAX_FRAME = 64 * 1024
_PREFIX = 4


class MalformedFrame(Exception):
    """Bytes that are no frame of this protocol."""


def encode(value: dict[str, Any]) -> bytes:
    """A message for WebSocket, which has lengths of its own."""
    return msgspec.json.encode(value)


def pack(value: dict[str, Any]) -> bytes:
    """A frame for TCP."""
    body = encode(value)
    return len(body).to_bytes(_PREFIX) + body


def decode(body: bytes) -> dict[str, Any]:
    """The object in a message. Raises `MalformedFrame`."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedFrame("no JSON object") from None


class FrameReader:
    """Collects the bytes of a TCP stream and gives back whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The frames that `data` completes. Raises `MalformedFrame`."""
        self._buffer += data
        found = []
        while len(self._buffer) >= _PREFIX:
            end = _PREFIX + int.from_bytes(self._buffer[:_PREFIX])
            if end > MAX_FRAME:
                raise MalformedFrame("too long")
            if len(self._buffer) < end:
                break
            found.append(decode(bytes(self._buffer[_PREFIX:end])))
            del self._buffer[:end]
        return found
