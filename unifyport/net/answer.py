"""Parses the answers of one connection piece by piece, and keeps status, head and the beginning of the body.

The status of a complete head counts whatever follows it. There are limits on the head, and on all that is
read of an answer. A body that is too long, never ends or breaks off is not `done`, and costs the connection.

Headers are parsed a second time when they are asked for (`Headers`), as most answers are never asked.

A head that the strict parser refuses is rewritten (`lenient.py`) and parsed anew: receivers are read as curl
reads them.

Pure: bytes in, values out. The parser is llhttp (https://llhttp.org).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httptools

from .lenient import may_be_answer, split_head

MAX_HEAD = 32 * 1024  # bytes of status lines and headers, interim answers included


class InvalidAnswer(Exception):
    """The received bytes are not an HTTP answer; the text is a machine-readable reason."""


class Answer:
    """The answers of one connection, one after another. `begin` starts the next one.

    `most`: bytes of an answer that are read; `keep`: bytes of its body that are kept. `enough`: the answer is
    complete, or the rest of it is not needed.
    """

    __slots__ = (
        *("_body", "_broken", "_interim", "_lenient", "_parser", "_reusable", "done", "enough", "head"),
        *("heard", "keep", "most", "size", "status"),
    )

    def __init__(self, most: int, keep: int) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._lenient = False  # the strict parser has refused the head; `head` is to be rewritten
        self.most = most
        self.keep = keep
        self.begin()

    def begin(self) -> None:
        if self._lenient:
            self._parser, self._lenient = httptools.HttpResponseParser(self), False
        self.status = 0  # until the head is complete
        self.done = self.enough = False
        self.heard = self.size = 0  # bytes, and of them those of the body
        self.head = b""  # what came until the status was known; more than the head, if it came with it
        self._body: list[bytes] = []
        self._interim = False
        self._broken = False  # nothing after this can be read
        self._reusable = False

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Raises `InvalidAnswer` if there is no status yet and none can follow."""
        self.heard += len(data)
        if not self.status:
            self.head += data
        if not self._lenient or self.status:
            self._parse(data)
        if self._lenient and not self.status and b"\n" in data:
            self._parse_leniently()
        if self.done or self._broken or self.heard > self.most:
            self.enough = True
        if not self.status and self.heard > MAX_HEAD:
            raise InvalidAnswer("response_headers_too_large")

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken = True  # a 101 that the request did not ask for: a status, but not success
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            if self.status:
                self._broken = True
            elif self._lenient or not may_be_answer(self.head):
                raise InvalidAnswer("invalid_response") from None
            else:
                self._parser, self._lenient = httptools.HttpResponseParser(self), True

    def _parse_leniently(self) -> None:
        """Parse what came, when it holds a complete head. Interim answers are left out of `head`."""
        while not self.status and (found := split_head(self.head)) is not None:
            head, rest = found
            self._parse(head)
            self.head = rest
            if self.status:
                self.head = head
                if rest and not self._broken:
                    self._parse(rest)

    def finish(self) -> None:
        """The connection has ended, and so has a body of no announced length (RFC 9112, section 6.3)."""
        if self.status and not self._broken and not self.done:
            headers = Headers(self.head)
            self.done = "content-length" not in headers and "transfer-encoding" not in headers

    @property
    def body(self) -> bytes:
        """What was kept of the body."""
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self._reusable and not self._broken

    def close(self) -> None:
        """Nothing more is to be parsed. Breaks the cycle with the parser: no garbage collection."""
        self._parser = None

    # -- callbacks of the parser; raising stops it ----------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.done:
            raise InvalidAnswer("a second answer to one request")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 100:
            raise InvalidAnswer("no status")
        self._interim = status < 200 and status != 101
        if not self._interim:
            self.status = status

    def on_body(self, data: bytes) -> None:
        if self.size < self.keep:
            self._body.append(data[: self.keep - self.size])
        self.size += len(data)

    def on_message_complete(self) -> None:
        if not self._interim:
            self.done = True
            self._reusable = self._parser.should_keep_alive()  # must be read before the headers are dropped


class Headers(Mapping[str, str]):
    """The headers of the answer in `head`: names in lower case, the values of one name joined by commas.

    Values of `set-cookie`, which have commas of their own, are joined by line ends (RFC 9110, section 5.3).
    """

    __slots__ = ("_fields", "_head")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._fields: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        if self._fields is None:
            self._fields = _Fields(self._head).found
            self._head = b""
        return self._fields

    def __getitem__(self, name: str) -> str:
        return self._read()[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


class _Fields:
    """Reads the headers of the first answer that is not an interim one."""

    def __init__(self, head: bytes) -> None:
        self.found: dict[str, str] = {}
        self._complete = False
        parser = self._parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, httptools.HttpParserCallbackError):
            pass  # of what follows the head
        finally:
            del self._parser

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            between = "\n" if key == "set-cookie" else ", "
            self.found[key] = f"{self.found[key]}{between}{text}" if key in self.found else text

    def on_headers_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200 and self._parser.get_status_code() != 101:
            self.found.clear()
        else:
            self._complete = True
