"""Frames: how messages follow each other on the WebSocket, whose own messages may hold several frames or a
part of one.

    frame     = 3 bytes length (big-endian), then that many bytes
    prologue  = "WA", 6, version of the token tables; before the client's first frame only
    routing   = "ED", 0, 1, 3 bytes length, what the platform gave as <edge_routing>; may precede the prologue

As in the public clients whatsmeow (`socket/framesocket.go`) and Baileys (`Utils/noise-handler.ts`).
"""

from typing import Final

from unifyport.protocols.binary_node.tokens import DICTIONARY_VERSION

MAX_FRAME: Final = (1 << 24) - 1
MAX_ROUTING: Final = 4096
PROLOGUE: Final = b"WA" + bytes((6, DICTIONARY_VERSION))
_ROUTING: Final = b"ED\0\1"


class MalformedFrame(ValueError):
    """The peer's bytes are not frames of this protocol: the connection cannot go on."""


def to_frame(data: bytes) -> bytes:
    """Put the length before `data`. Raises `ValueError` for more than 16 MiB."""
    if len(data) > MAX_FRAME:
        raise ValueError(f"A frame has at most {MAX_FRAME} bytes, not {len(data)}")
    return len(data).to_bytes(3, "big") + data


def intro(routing: bytes = b"") -> bytes:
    """What a client writes before its first frame."""
    if not routing:
        return PROLOGUE
    return _ROUTING + len(routing).to_bytes(3, "big") + routing + PROLOGUE


class FrameReader:
    """Cuts a stream of bytes into frames. At most one unfinished frame is held: `limit` bytes."""

    def __init__(self, *, reads_prologue: bool = False, limit: int = MAX_FRAME) -> None:
        """`reads_prologue`: the server's side. `limit` may be raised later, when the peer is known."""
        self.limit = limit
        self._buffer = bytearray()
        self._awaits_prologue = reads_prologue

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises `MalformedFrame`; the reader is of no use afterwards."""
        self._buffer += data
        if self._awaits_prologue and not self._take_prologue():
            return []
        frames: list[bytes] = []
        at = 0
        while len(self._buffer) - at >= 3:
            start = at + 3
            size = int.from_bytes(self._buffer[at:start], "big")
            if size > self.limit:
                raise MalformedFrame(f"A frame of {size} bytes; {self.limit} are allowed")
            if len(self._buffer) < start + size:
                break
            at = start + size
            frames.append(bytes(self._buffer[start:at]))
        del self._buffer[:at]
        return frames

    def _take_prologue(self) -> bool:
        """Remove routing and prologue; False as long as they are not complete."""
        start = 0
        if self._buffer[: len(_ROUTING)] == _ROUTING:
            if len(self._buffer) < len(_ROUTING) + 3:
                return False
            size = int.from_bytes(self._buffer[4:7], "big")
            if size > MAX_ROUTING:
                raise MalformedFrame(f"Routing of {size} bytes")
            start = 7 + size
        found = bytes(self._buffer[start : start + len(PROLOGUE)])
        if not (PROLOGUE.startswith(found) or _ROUTING.startswith(found)):
            raise MalformedFrame("The peer does not speak this protocol")
        if found != PROLOGUE:
            return False
        del self._buffer[: start + len(PROLOGUE)]
        self._awaits_prologue = False
        return True
