"""CBOR as the realms use it (RFC 8949): integers, bytes, texts, lists, maps, booleans and null."""

from typing import Any

_SIMPLE = {20: False, 21: True, 22: None}


class Malformed(ValueError):
    """The bytes are not of this subset."""


def load(data: bytes) -> Any:
    """Raises `Malformed`."""
    value, end = _read(data, 0, 8)
    if end != len(data):
        raise Malformed("bytes behind the item")
    return value


def dump(value: Any) -> bytes:
    match value:
        case bool() | None:
            return bytes([0xE0 | next(number for number, each in _SIMPLE.items() if each is value)])
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            text = value.encode()
            return _head(3, len(text)) + text
        case list():
            return _head(4, len(value)) + b"".join(map(dump, value))
        case dict():
            return _head(5, len(value)) + b"".join(dump(k) + dump(v) for k, v in value.items())
    raise TypeError(type(value).__name__)


def _head(major: int, number: int) -> bytes:
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 1 << (8 * width):
            return bytes([major << 5 | code]) + number.to_bytes(width)
    raise ValueError("a number above 64 bits")


def _read(data: bytes, place: int, depth: int) -> tuple[Any, int]:
    if place >= len(data) or not depth:
        raise Malformed("cut short, or too deep")
    major, number = data[place] >> 5, data[place] & 31
    place += 1
    if major == 7:
        if number not in _SIMPLE:
            raise Malformed("no simple value")
        return _SIMPLE[number], place
    if number >= 24:
        if number > 27:
            raise Malformed("no length")
        width = 1 << (number - 24)
        number = int.from_bytes(data[place : place + width])
        place += width
    if major < 2:
        return number if major == 0 else -1 - number, place
    if number > len(data) - place:
        raise Malformed("cut short")
    if major in (2, 3):
        part = data[place : place + number]
        return (part if major == 2 else part.decode("utf-8", "replace")), place + number
    if major == 4:
        items = []
        for _ in range(number):
            item, place = _read(data, place, depth - 1)
            items.append(item)
        return items, place
    if major != 5:
        raise Malformed("a tag")
    pairs = {}
    for _ in range(number):
        name, place = _read(data, place, depth - 1)
        pairs[name], place = _read(data, place, depth - 1)
    return pairs, place
