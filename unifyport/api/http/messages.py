"""Requests and responses as values that depend on no server and no framework.

An adapter turns what its server gives into a `Request`, calls the dispatcher, and sends the `Response`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import cached_property
from typing import BinaryIO, Protocol

import attrs

from unifyport.process import disk

from .doors import Door
from .paths import decode_path


class Headers:
    """Header fields in their order. Names are in lower case, are found in any case, and may be repeated."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str]] = []
        for name, value in fields:
            self.add(name, value)

    @classmethod
    def from_wire(cls, fields: Iterable[tuple[bytes, bytes]]) -> "Headers":
        """Of a request: what the server has checked already."""
        headers = cls()
        headers._fields = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in fields
        ]
        return headers

    def get(self, name: str, default: str = "") -> str:
        """The first value of a name."""
        name = name.lower()
        return next((value for known, value in self._fields if known == name), default)

    def get_all(self, name: str) -> list[str]:
        name = name.lower()
        return [value for known, value in self._fields if known == name]

    def add(self, name: str, value: str) -> None:
        """Raises `ValueError` for a value that would end the field."""
        if "\n" in value or "\r" in value:
            raise ValueError(f"the value of {name} has a line break")
        self._fields.append((name.lower(), value))

    def set(self, name: str, value: str) -> None:
        """In place of every value that the name has. Raises `ValueError`, as `add` does."""
        name = name.lower()
        self._fields = [field for field in self._fields if field[0] != name]
        self.add(name, value)

    def __contains__(self, name: str) -> bool:
        name = name.lower()
        return any(known == name for known, _ in self._fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)


def declared_length(content_length: str) -> int:
    """The bytes of a body, by its Content-Length; 0 if there is none, as for a chunked body."""
    return int(content_length) if content_length.isascii() and content_length.isdigit() else 0


class BodyTooLong(Exception):
    """`limit`: the bytes that a body may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


class BodyTooSlow(Exception):
    """The body did not come in time."""


class Body(Protocol):
    """The body of a request, read when the dispatcher asks for it."""

    async def read(self, limit: int, seconds: float) -> bytes:
        """The whole body. Raises `BodyTooLong` (at once when its declared length says so), `BodyTooSlow`."""


@attrs.frozen
class BytesBody:
    """A body that is in memory already."""

    data: bytes = b""

    async def read(self, limit: int, seconds: float) -> bytes:
        if len(self.data) > limit:
            raise BodyTooLong(limit)
        return self.data


@attrs.frozen(slots=False)  # `cached_property` needs a dict
class Request:
    """`target`: path as sent, still percent-encoded. `peer`: the caller's address, None on a local socket."""

    method: str  # in upper case
    target: str
    door: Door
    headers: Headers = attrs.field(factory=Headers)
    query: bytes = b""
    body: Body = BytesBody()
    peer: str | None = None

    @cached_property
    def path(self) -> str:
        """The path as the router and the doors see it."""
        return decode_path(self.target)


@attrs.frozen
class FilePart:
    """`length` bytes of an open file from `offset`. It is closed when it has been sent."""

    file: BinaryIO
    offset: int
    length: int

    def chunks(self) -> AsyncIterator[bytes]:
        """Raises `OSError`."""
        return disk.read(self.file, offset=self.offset, length=self.length)


@attrs.frozen
class Response:
    """A body that is an iterator is closed by the adapter, and has no time limit.

    `write_seconds`: in which the caller must take each piece; None: as long as the server allows.
    """

    status: int
    headers: Headers = attrs.field(factory=Headers)
    body: bytes | FilePart | AsyncIterator[bytes] = b""
    write_seconds: float | None = None


Dispatch = Callable[[Request], Awaitable[Response]]
