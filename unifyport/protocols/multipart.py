"""`multipart/form-data` as it comes (RFC 7578): bytes in, events out. No I/O, and at most `max_buffer` bytes are held.

    Part (a part begins)   bytes (of the part that has begun)   NEED_DATA   END

Clients that end lines by CR or LF alone are understood too. The boundary's line may end in white space (RFC 2046).
"""

import enum
import re

import attrs

from . import header_parameters

_BREAK = rb"(?:\r\n|\n|\r)"
_BREAK_AT_START = re.compile(_BREAK)
_BLANK_LINE = re.compile(rb"\r\n\r\n|\r\r|\n\n")
_CONTINUED = re.compile(_BREAK + rb"[ \t]")
_AFTER_BOUNDARY = re.compile(rb"-?-?[^\S\r\n]{0,64}")  # of a delimiter that has not come in whole


class FormError(ValueError):
    """The bytes are no form, or one beyond the limits."""


class Signal(enum.Enum):
    NEED_DATA = enum.auto()
    END = enum.auto()


NEED_DATA, END = Signal.NEED_DATA, Signal.END


@attrs.frozen
class Part:
    """`filename` is None for a field that is no file. `content_type` as it stands, empty when there is none."""

    filename: str | None
    content_type: str


Event = Part | bytes | Signal


class _State(enum.Enum):
    PREAMBLE = enum.auto()
    HEADERS = enum.auto()
    DATA_START = enum.auto()
    DATA = enum.auto()
    EPILOGUE = enum.auto()


class FormDecoder:
    """`receive` what has come, then take `next_event` until it is `NEED_DATA` or `END`."""

    def __init__(self, boundary: bytes, *, max_buffer: int, max_parts: int) -> None:
        after = rb"(--[^\S\n\r]*%s?|[^\S\n\r]*%s)" % (_BREAK, _BREAK)
        self._marker = b"--" + boundary
        self._first = re.compile(rb"%s?%s%s" % (_BREAK, re.escape(self._marker), after))
        self._delimiter = re.compile(rb"%s%s%s" % (_BREAK, re.escape(self._marker), after))
        self._max_buffer, self._parts_left = max_buffer, max_parts
        self._buffer = bytearray()
        self._searched = 0  # bytes at the start of the buffer that hold nothing of what is looked for
        self._complete = False
        self._state = _State.PREAMBLE

    def receive(self, data: bytes, *, last: bool = False) -> None:
        """Raises `FormError` when too much is held."""
        if self._state is not _State.EPILOGUE:
            if len(self._buffer) + len(data) > self._max_buffer:
                raise FormError("the form's parts are too long")
            self._buffer += data
        self._complete = self._complete or last

    def next_event(self) -> Event:
        """Raises `FormError`."""
        event: Event = NEED_DATA
        if self._state is _State.PREAMBLE:
            event = self._preamble()
        elif self._state is _State.HEADERS:
            event = self._headers()
        elif self._state in (_State.DATA_START, _State.DATA):
            event = self._data()
        if self._state is _State.EPILOGUE and self._complete and event is NEED_DATA:
            return END
        if event is NEED_DATA and self._complete:
            raise FormError("the form ends too early")
        return event

    def _preamble(self) -> Event:
        match = self._first.search(self._buffer, self._searched)
        if match is None or self._may_go_on(match):
            self._searched = max(0, len(self._buffer) - len(self._marker) - 8)
            return NEED_DATA
        self._pass(match)
        return self.next_event()

    def _headers(self) -> Event:
        match = _BLANK_LINE.search(self._buffer, self._searched)
        if match is None:
            self._searched = max(0, len(self._buffer) - 4)
            return NEED_DATA
        headers = _parse_headers(bytes(self._buffer[: match.start()]))
        # The second line break stays: a delimiter may begin with it, when the part is empty.
        del self._buffer[: (match.start() + match.end()) // 2]
        if "content-disposition" not in headers:
            raise FormError("a part has no Content-Disposition")
        if not self._parts_left:
            raise FormError("the form has too many parts")
        self._parts_left -= 1
        self._searched, self._state = 0, _State.DATA_START
        _, parameters = header_parameters.parse(headers["content-disposition"])
        return Part(parameters.get("filename"), headers.get("content-type", ""))

    def _data(self) -> Event:
        start = 0
        if self._state is _State.DATA_START:
            at_start = _BREAK_AT_START.match(self._buffer)
            assert at_start is not None  # `_headers` left it
            start = at_start.end()
        match = self._delimiter.search(self._buffer)
        if match is not None and not self._may_go_on(match):
            data = bytes(self._buffer[start : max(start, match.start())])
            self._pass(match)
            return data or self.next_event()
        end = self._sure()
        if end <= start:  # the line break before the data goes with the first of them
            return NEED_DATA
        data = bytes(self._buffer[start:end])
        del self._buffer[:end]
        self._state = _State.DATA
        return data

    def _may_go_on(self, match: re.Match[bytes]) -> bool:
        """A CR at the end of what has come may be the first half of a line break."""
        return not self._complete and match.end() == len(self._buffer) and self._buffer[-1:] == b"\r"

    def _pass(self, match: re.Match[bytes]) -> None:
        """Go on after a delimiter."""
        self._state = _State.EPILOGUE if match.group(1).startswith(b"--") else _State.HEADERS
        del self._buffer[: match.end()]
        self._searched = 0

    def _sure(self) -> int:
        """How many bytes of the buffer are data, whatever comes next."""
        buffer = self._buffer
        place = max(buffer.rfind(b"\n"), buffer.rfind(b"\r"))
        if place > 0 and buffer[place - 1 : place + 1] == b"\r\n":
            place -= 1
        if place < 0:
            return len(buffer)
        tail = bytes(buffer[place:])
        if (line := tail.lstrip(b"\r\n")) == b"" and place > 0:
            previous = max(buffer.rfind(b"\n", 0, place), buffer.rfind(b"\r", 0, place))
            if previous >= 0 and _is_begun(bytes(buffer[previous + 1 : place]), self._marker, whole=True):
                return previous - (buffer[previous - 1 : previous + 1] == b"\r\n")
        return place if _is_begun(line, self._marker) else len(buffer)


def _is_begun(line: bytes, marker: bytes, *, whole: bool = False) -> bool:
    """Whether a line may become the one of a boundary. `whole`: its boundary has come already."""
    if line.startswith(marker):
        return _AFTER_BOUNDARY.fullmatch(line, len(marker)) is not None
    return not whole and marker.startswith(line)


def _parse_headers(lines: bytes) -> dict[str, str]:
    """By name in lower case; the first of a name counts. Raises `FormError` for what is no UTF-8."""
    headers: dict[str, str] = {}
    for line in _CONTINUED.sub(b" ", lines).splitlines():
        try:
            name, _, value = line.strip(b" \t").decode().partition(":")
        except UnicodeDecodeError:
            raise FormError("a part's headers are no UTF-8") from None
        if name:
            headers.setdefault(name.strip(" \t").lower(), value.strip(" \t"))
    return headers
