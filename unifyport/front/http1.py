"""HTTP/1.1 as a server speaks it (RFC 9112), without sockets: bytes in, requests out; answers to bytes.

httptools parses the fields. What it accepts and a strict server should not is refused here: request lines of
other protocols and versions, bare LF, folded fields, no or several Host fields, and lengths that two parsers
could read in two ways. `Upgrade` is ignored: a request is read as if it had no such field.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus

import attrs
import httptools

from .chunked import ChunkedDecoder, ChunkError
from .limits import LIMITS, Limits

Fields = list[tuple[bytes, bytes]]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_STATUS_LINES = {int(s): b"HTTP/1.1 %d %s\r\n" % (s, s.phrase.encode()) for s in HTTPStatus}
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(rb"[0-9A-Za-z._~!$&'()*+,;=:%\[\]-]*")  # what a name, an address and a port consist of
_ABSOLUTE = re.compile(rb"https?://([^/?]*)", re.IGNORECASE)
_CODINGS = re.compile(rb"\r\ntransfer-encoding:([^\r]*)", re.IGNORECASE)
_FRAMED_BY_US = frozenset((b"content-length", b"transfer-encoding", b"date"))


class RequestError(Exception):
    """The bytes are no request that we serve. `status`: the answer; the connection ends with it."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase.lower())
        self.status = status


@attrs.define
class Head:
    """The head of a request. `fields`: in their order, names in lower case.

    `length`: bytes of the body; None for a chunked one.
    """

    method: str
    path: bytes  # percent-encoded, as sent
    query: bytes
    fields: Fields
    keep_alive: bool
    http_1_0: bool
    length: int | None
    expects_continue: bool


class RequestReader:
    """The requests of one connection, one after the other.

    Feed bytes, then call `next_head` until there is a head, then `next_piece` until the body is over. What
    belongs to later requests waits in the buffer, so a caller feeds no more than is asked for.
    """

    __slots__ = ("_body_left", "_buffer", "_chunks", "_limits", "_may_be_blank")

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._buffer = b""
        self._body_left = 0  # of a body of known length
        self._chunks: ChunkedDecoder | None = None  # of a chunked body that is not over
        self._may_be_blank = True  # one empty line may come before a request (section 2.2)

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data

    @property
    def buffered(self) -> int:
        """How many bytes have come and were not asked for yet."""
        return len(self._buffer)

    @property
    def body_over(self) -> bool:
        """Whether all of the body has been taken."""
        return not self._body_left and self._chunks is None

    def next_head(self) -> Head | None:
        """The head of the next request; None: feed more. Raises `RequestError`."""
        buffer = self._buffer
        if self._may_be_blank and buffer.startswith(b"\r\n"):
            buffer = self._buffer = buffer[2:]
            self._may_be_blank = False
        end = buffer.find(b"\r\n\r\n", 0, self._limits.head_bytes)
        if end < 0:
            if len(buffer) >= self._limits.head_bytes:
                raise RequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            _check_begin(buffer)
            return None
        head = buffer[: end + 4]
        self._buffer = buffer[end + 4 :]
        self._may_be_blank = True
        parsed = _parse(head, self._limits.head_fields)
        if parsed.length is None:
            self._chunks = ChunkedDecoder()
        else:
            self._body_left = parsed.length
        return parsed

    def next_piece(self) -> bytes | None:
        """The next bytes of the body, empty when it is over; None: feed more. Raises `RequestError`."""
        if self._body_left:
            if not self._buffer:
                return None
            piece, self._buffer = self._buffer[: self._body_left], self._buffer[self._body_left :]
            self._body_left -= len(piece)
            return piece
        if self._chunks is None:
            return b""
        try:
            piece, self._buffer, over = self._chunks.decode(self._buffer)
        except ChunkError:
            raise RequestError(HTTPStatus.BAD_REQUEST) from None
        if over:
            self._chunks = None
        return piece if piece or over else None


class _FieldParser:
    """What httptools calls. A head must be fed whole, so that each field comes in one call."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: Fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name != b"upgrade":
            self.fields.append((name, value.strip(b" \t")))


def _count_lines(head: bytes) -> int:
    """Refuses a line that ends with a bare LF. A bare CR is refused by httptools."""
    lines = head.count(b"\r\n")
    if lines != head.count(b"\n"):
        raise RequestError(HTTPStatus.BAD_REQUEST)
    return lines


def _check_begin(begin: bytes) -> None:
    """Refuse at once what cannot become a head: its sender may wait for an answer."""
    _count_lines(begin)
    if begin and begin[0] <= 0x20 and begin[0] != 0x0D:
        raise RequestError(HTTPStatus.BAD_REQUEST)  # a handshake of TLS, for example
    if (end := begin.find(b"\r\n")) >= 0:
        _request_line(begin[:end])


def _parse(head: bytes, max_fields: int) -> Head:
    if _count_lines(head) > max_fields + 2:
        raise RequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    method, target, http_1_0 = _request_line(head[: head.index(b"\r\n")])
    if b"\r\n " in head or b"\r\n\t" in head:
        raise RequestError(HTTPStatus.BAD_REQUEST)  # a folded field
    parser = _FieldParser()
    try:
        httptools.HttpRequestParser(parser).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # all fields have been read
    except httptools.HttpParserInvalidMethodError:
        raise RequestError(HTTPStatus.NOT_IMPLEMENTED) from None
    except httptools.HttpParserError:
        raise RequestError(_why_refused(head, http_1_0=http_1_0)) from None
    authority, target = _split_target(target)
    path, _, query = target.partition(b"?")
    return _judge(Head(method, path, query, parser.fields, not http_1_0, http_1_0, 0, False), authority)


def _why_refused(head: bytes, *, http_1_0: bool) -> HTTPStatus:
    """httptools refuses most codings other than `chunked` itself, as any other mistake."""
    codings = b",".join(_CODINGS.findall(head)).lower().split(b",")
    names = {coding.strip(b" \t") for coding in codings}
    unknown = all(map(_TOKEN.fullmatch, names)) and names != {b"chunked"}
    if unknown and not http_1_0 and b"\r\ncontent-length:" not in head.lower():
        return HTTPStatus.NOT_IMPLEMENTED
    return HTTPStatus.BAD_REQUEST


def _request_line(line: bytes) -> tuple[str, bytes, bool]:
    """(method, target, whether it is HTTP/1.0)."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise RequestError(HTTPStatus.BAD_REQUEST)
    method, target, version = parts
    if not _TOKEN.fullmatch(method):
        raise RequestError(HTTPStatus.BAD_REQUEST)
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        known = version.startswith(b"HTTP/") and len(version) == len(b"HTTP/1.1")
        raise RequestError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED if known else HTTPStatus.BAD_REQUEST)
    if method == b"CONNECT":
        raise RequestError(HTTPStatus.NOT_IMPLEMENTED)
    return method.decode("latin-1"), target, version == b"HTTP/1.0"


def _split_target(target: bytes) -> tuple[bytes | None, bytes]:
    """(authority of the absolute form, path and query); `*` is taken as a path, and no route has it."""
    if b"#" in target:
        raise RequestError(HTTPStatus.BAD_REQUEST)
    if target.startswith(b"/") or target == b"*":
        return None, target
    absolute = _ABSOLUTE.match(target)
    if absolute is None or not absolute[1] or not _HOST.fullmatch(absolute[1]):
        raise RequestError(HTTPStatus.BAD_REQUEST)
    rest = target[absolute.end() :]
    return absolute[1], rest if rest.startswith(b"/") else b"/" + rest


def _judge(head: Head, authority: bytes | None) -> Head:
    """Read the fields that frame the message, and refuse what is ambiguous.

    An `authority` of the target replaces the Host field (section 3.2.2).
    """
    hosts, codings, connection = 0, list[bytes](), b""
    length: bytes | None = None
    for name, value in head.fields:
        if name == b"host":
            hosts += 1
            if not _HOST.fullmatch(value):
                raise RequestError(HTTPStatus.BAD_REQUEST)
        elif name == b"content-length":
            if length is not None:
                raise RequestError(HTTPStatus.BAD_REQUEST)
            length = value
        elif name == b"transfer-encoding":
            codings.append(value.lower())
        elif name == b"connection":
            connection += b"," + value.lower()
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise RequestError(HTTPStatus.EXPECTATION_FAILED)
            head.expects_continue = not head.http_1_0
    if hosts > 1 or (hosts == 0 and not head.http_1_0):
        raise RequestError(HTTPStatus.BAD_REQUEST)
    if authority is not None:
        head.fields = [(name, authority if name == b"host" else value) for name, value in head.fields]
    if connection:
        tokens = {token.strip(b" \t") for token in connection.split(b",")}
        head.keep_alive = b"close" not in tokens and (not head.http_1_0 or b"keep-alive" in tokens)
    if codings:
        if length is not None or head.http_1_0:
            raise RequestError(HTTPStatus.BAD_REQUEST)
        if codings != [b"chunked"]:
            raise RequestError(HTTPStatus.NOT_IMPLEMENTED)
        head.length = None
    elif length is not None:
        if not length.isdigit():
            raise RequestError(HTTPStatus.BAD_REQUEST)
        head.length = int(length)  # httptools has refused what does not fit into 64 bits
    return head


def encode_head(status: int, fields: Iterable[tuple[bytes, bytes]], framing: bytes) -> bytes:
    """The head of an answer. `framing`: whole lines about length, date and connection, which are the
    server's; fields of that kind are left out.
    """
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    lines = [b"%b: %b\r\n" % (name, value) for name, value in fields if name not in _FRAMED_BY_US]
    return b"%b%b%b\r\n" % (line, b"".join(lines), framing)


def encode_chunk(piece: bytes) -> bytes:
    """One chunk; `piece` is not empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)
