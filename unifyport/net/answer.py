"""Parses the answers of one connection piece by piece: to a delivery (`Excerpt`), or to a call (`Whole`).

The status of a complete head counts whatever follows it. There are limits on the head, and on all that is
read of an answer. A body that is too long, never ends or breaks off is not `done`, and costs the connection.

Pure: bytes in, values out. The parser is llhttp (https://llhttp.org).
"""

from typing import Any

import httptools

MAX_HEAD = 32 * 1024  # bytes of status lines and headers, interim answers included
MAX_ANSWER = 96 * 1024  # bytes of an answer to a delivery; after a longer one the connection is closed
EXCERPT = 1024  # bytes of the body that the history of a delivery keeps
_ENDS = frozenset({b"content-length", b"transfer-encoding"})


class InvalidAnswer(Exception):
    """The received bytes are not an HTTP answer; the text is a machine-readable reason."""


class Answer:
    """The answers of one connection, one after another. `begin` starts the next one.

    `enough`: the answer is complete, or the rest of it is not needed.
    """

    __slots__ = ("_broken", "_interim", "_keep", "_parser", "done", "enough", "heard", "most", "status")

    def __init__(self, most: int) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self.most = most  # bytes of a whole answer
        self.begin()

    def begin(self) -> None:
        self.status = 0  # until the head is complete
        self.done = False
        self.enough = False
        self.heard = 0  # bytes
        self._interim = False
        self._broken = False  # nothing after this can be read
        self._keep = False

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Raises `InvalidAnswer` if there is no status yet and none can follow."""
        self.heard += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken = True  # a 101 that the request did not ask for: a status, but not success
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            if not self.status:
                raise InvalidAnswer("invalid_response") from None
            self._broken = True
        if self.done or self._broken or self.heard > self.most:
            self.enough = True
        if not self.status and self.heard > MAX_HEAD:
            raise InvalidAnswer("response_headers_too_large")

    def finish(self) -> None:
        """The connection has ended."""

    def close(self) -> None:
        """Nothing more is to be parsed. Breaks the cycle with the parser: no garbage collection."""
        self._parser = None

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self._keep and not self._broken

    # -- callbacks of the parser; raising stops it ----------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.done:
            raise InvalidAnswer("a second answer to one request")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 or status == 101:
            self.status = status
        elif status >= 100:
            self._interim = True
            self.forget_headers()
            return
        else:
            raise InvalidAnswer("no status")
        self._interim = False

    def forget_headers(self) -> None:
        """The headers so far were those of an interim answer."""

    def on_message_complete(self) -> None:
        if not self._interim:
            self.done = True
            self._keep = self._parser.should_keep_alive()  # must be read before the parser drops the headers


class Excerpt(Answer):
    """Keeps `Retry-After`, the beginning of the body, and the length of what was read of it."""

    __slots__ = ("excerpt", "retry_after", "size")

    def __init__(self) -> None:
        super().__init__(MAX_ANSWER)

    def begin(self) -> None:
        super().begin()
        self.size = 0
        self.retry_after: str | None = None
        self.excerpt = b""

    def forget_headers(self) -> None:
        self.retry_after = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 11 and not self.status and name.lower() == b"retry-after":
            self.retry_after = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        if len(self.excerpt) < EXCERPT:
            self.excerpt += data[: EXCERPT - len(self.excerpt)]
        self.size += len(data)


class Whole(Answer):
    """Keeps all headers and the whole body, up to `most` bytes, which each request sets."""

    __slots__ = ("_body", "_headers")

    def __init__(self) -> None:
        super().__init__(MAX_ANSWER)

    def begin(self) -> None:
        super().begin()
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    def forget_headers(self) -> None:
        self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # a trailer says nothing
            self._headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def finish(self) -> None:
        """The connection has ended, and so has a body of no announced length (RFC 9112, section 6.3)."""
        announced = any(name.lower() in _ENDS for name, _ in self._headers)
        if self.status and not self._broken and not announced:
            self.done = True

    def take(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case, values of the same name joined) and body; drops them here."""
        headers: dict[str, str] = {}
        for name, value in self._headers:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._headers, self._body = [], []
        return self.status, headers, body
