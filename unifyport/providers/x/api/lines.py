"""The activity stream as lines: bytes in, lines out. Pure.

The stream is an answer without an end: one JSON object a line, and an empty line at least every 20 seconds as
a sign of life (https://docs.x.com/x-api/fundamentals/consuming-streaming-data).
"""

MAX_LINE = 1024 * 1024


class LineReader:
    """`too_long`: lines above `MAX_LINE` bytes that were dropped, each of which costs nothing but itself."""

    def __init__(self) -> None:
        self.too_long = 0
        self._rest = bytearray()
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`, without the empty ones."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            line, self._rest = bytes(self._rest) + piece, bytearray()
            if self._dropping or len(line) > MAX_LINE:
                self.too_long, self._dropping = self.too_long + 1, False
                continue
            if line := line.strip(b"\r \t"):
                lines.append(line)
        if not self._dropping:
            self._rest += rest
            if len(self._rest) > MAX_LINE:
                self._rest, self._dropping = bytearray(), True
        return lines
