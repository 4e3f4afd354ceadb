"""TL objects of Telegram's API to bytes and back, by Telethon's generated classes (one layer)."""

import gzip
from collections.abc import Iterator
from typing import Any, Final

from telethon.extensions import BinaryReader
from telethon.tl import alltlobjects
from telethon.tl.tlobject import TLObject

from unifyport.protocols.mtproto import tl
from unifyport.protocols.mtproto.messages import GZIP_PACKED

LAYER: Final[int] = alltlobjects.LAYER
_VECTOR: Final = 0x1CB5C415
_TRUE: Final = 0x997275B5
_FALSE: Final = 0xBC799737
_GZIP_FROM: Final = 1024  # bytes; Telegram packs large answers


class Unreadable(Exception):
    """The bytes are no query of this layer."""


def read(body: bytes) -> Any:
    """The query. Raises `Unreadable`."""
    try:
        reader = BinaryReader(body)
        query = reader.tgread_object()
        left = len(body) - reader.tell_position()
    except Exception as error:  # Telethon raises what its generated code happens to meet
        raise Unreadable(repr(error)) from error
    if left:
        raise Unreadable(f"{left} bytes follow the query")
    return query


def write(value: Any) -> bytes:
    """An object, a truth value, or a list of objects."""
    if isinstance(value, bool):
        return tl.constructor(_TRUE if value else _FALSE)
    if isinstance(value, list):
        return tl.constructor(_VECTOR) + tl.int32(len(value)) + b"".join(map(write, value))
    return bytes(value)


def write_answer(value: Any) -> bytes:
    """As `write`, packed if it is large."""
    body = write(value)
    if len(body) < _GZIP_FROM:
        return body
    return tl.constructor(GZIP_PACKED) + tl.string(gzip.compress(body, 1))


def walk(value: Any) -> Iterator[TLObject]:
    """`value` and every object in it."""
    if isinstance(value, TLObject):
        yield value
        for each in vars(value).values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)
