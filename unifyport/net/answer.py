"""Parses the answer to a delivery piece by piece, and keeps its status and the beginning of its body.

The status of a complete head counts whatever follows it. A body that is too long, never ends or breaks off
only decides whether the connection can be used again.

Pure: bytes in, values out. The parser is llhttp (https://llhttp.org).
"""

import httptools

MAX_HEAD = 32 * 1024  # bytes of status lines and headers, interim answers included
MAX_ANSWER = 96 * 1024  # bytes of the whole answer; after a longer one the connection is closed
EXCERPT = 1024  # bytes of the body that the history keeps


class InvalidAnswer(Exception):
    """The received bytes are not an HTTP answer; the text is a machine-readable reason."""


class Answer:
    """The answers of one connection, one after another. `begin` starts the next one."""

    __slots__ = (
        *("_broken", "_interim", "_keep", "_parser", "done", "excerpt"),
        *("heard", "retry_after", "size", "status"),
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        self.status = 0  # until the head is complete
        self.done = False
        self.heard = 0  # bytes
        self.size = 0  # of the body, as far as it was read
        self.retry_after: str | None = None
        self.excerpt = b""
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
        if not self.status and self.heard > MAX_HEAD:
            raise InvalidAnswer("response_headers_too_large")

    @property
    def enough(self) -> bool:
        """Whether the answer is complete, or the rest of it is not needed."""
        return self.done or self._broken or self.heard > MAX_ANSWER

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self._keep and not self._broken

    # -- callbacks of the parser; raising stops it ----------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.done:
            raise InvalidAnswer("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 11 and not self.status and name.lower() == b"retry-after":
            self.retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 100:
            raise InvalidAnswer("no status")
        self._interim = status < 200 and status != 101
        if self._interim:
            self.retry_after = None
        else:
            self.status = status

    def on_body(self, data: bytes) -> None:
        if len(self.excerpt) < EXCERPT:
            self.excerpt += data[: EXCERPT - len(self.excerpt)]
        self.size += len(data)

    def on_message_complete(self) -> None:
        if not self._interim:
            self.done = True
            self._keep = self._parser.should_keep_alive()  # must be read before the parser drops the headers
