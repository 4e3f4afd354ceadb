"""Protobuf records one after the other, without building a message of them: for what is too large to be held.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from typing import Final

_MAX_VARINT: Final = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}


class MalformedRecord(ValueError):
    """Bytes are not protobuf records, or the last one is truncated."""


class NeedMore(Exception):
    """The data ends inside a record's header."""


def header(data: bytes | bytearray, at: int) -> tuple[int, int, int]:
    """The record at `at`: its field number, where its value begins, and where it ends (maybe beyond `data`).

    Raises `NeedMore` and `MalformedRecord`.
    """
    key, start = _varint(data, at)
    number, kind = key >> 3, key & 7
    if number == 0:
        raise MalformedRecord("Field number 0")
    if kind == _BYTES:
        size, start = _varint(data, start)
        return number, start, start + size
    if kind == _VARINT:
        return number, start, _varint(data, start)[1]
    if kind in _FIXED:
        return number, start, start + _FIXED[kind]
    raise MalformedRecord(f"Wire type {kind}")


def records(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Each record of `data`: field number, where it begins, where its value begins, where it ends."""
    at = 0
    while at < len(data):
        try:
            number, start, end = header(data, at)
        except NeedMore as error:
            raise MalformedRecord("The last record is truncated") from error
        if end > len(data):
            raise MalformedRecord("The last record is truncated")
        yield number, at, start, end
        at = end


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT):
        if at + index >= len(data):
            raise NeedMore
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise MalformedRecord("A number of more than ten bytes")
