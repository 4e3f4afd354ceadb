"""The chunked transfer coding (RFC 9112, section 7.1), as a request's body comes in.

It is stricter than the grammar for recipients where leniency makes request smuggling possible: lines end with
CRLF, and a size is 1 to 16 hexadecimal digits. Extensions and trailers are dropped, within bounds.
"""

import enum
import re

MAX_LINE = 256  # bytes of a size with its extensions, and of one trailer's line
MAX_TRAILERS = 4096  # bytes of all trailers
MAX_CHUNKS = 256  # decoded in one call, so that a body of tiny chunks does not stop everything else

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class ChunkError(ValueError):
    """The bytes are not in the chunked coding, or exceed a bound of it."""


class _Want(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILER = enum.auto()


class ChunkedDecoder:
    """Takes the bytes of a body from the front of a buffer."""

    def __init__(self) -> None:
        self._want = _Want.SIZE
        self._left = 0  # of the chunk
        self._trailers = 0

    def decode(self, buffer: bytes) -> tuple[bytes, bytes, bool]:
        """(bytes of the body, bytes that are not used yet, whether the body is over). Raises `ChunkError`.

        Where it gives bytes of the body, what is not used yet may hold more of them.
        """
        pieces: list[bytes] = []
        at, over = 0, False
        while not over and len(pieces) < MAX_CHUNKS:
            if self._want is _Want.DATA:
                piece = buffer[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._want = _Want.DATA_END
            end = buffer.find(b"\n", at, at + MAX_LINE + 2)
            if end < 0:
                if len(buffer) - at > MAX_LINE + 1:  # a CR may end it
                    raise ChunkError("a line is too long")
                if self._want is _Want.DATA_END and buffer[at:] not in (b"", b"\r"):
                    raise ChunkError("a chunk is longer than its size")
                break
            if end == at or buffer[end - 1] != 0x0D:
                raise ChunkError("a line ends with a bare LF")
            over = self._take_line(buffer[at : end - 1])
            at = end + 1
        return b"".join(pieces), buffer[at:], over

    def _take_line(self, line: bytes) -> bool:
        """Whether this line ends the body."""
        if self._want is _Want.DATA_END:
            if line:
                raise ChunkError("a chunk is longer than its size")
            self._want = _Want.SIZE
        elif self._want is _Want.SIZE:
            found = _SIZE.fullmatch(line)
            if found is None:
                raise ChunkError("a chunk has no valid size")
            self._left = int(found[1], 16)
            self._want = _Want.DATA if self._left else _Want.TRAILER
        elif not line:
            return True
        else:
            self._trailers += len(line)
            if self._trailers > MAX_TRAILERS or _TRAILER.fullmatch(line) is None:
                raise ChunkError("the trailers are not valid")
        return False
