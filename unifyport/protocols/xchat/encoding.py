"""Structures as base64 of Thrift's binary encoding, as they stand in JSON."""

import base64
import binascii
from typing import TypeVar

from unifyport.protocols import thrift

MAX_EVENT = 1024 * 1024  # bytes of an event
LIMITS = thrift.Limits(bytes=MAX_EVENT, string=MAX_EVENT, depth=24, items=50_000)
_Structure = TypeVar("_Structure")


def decode64(structure: type[_Structure], text: str) -> _Structure:
    """The structure in base64, with or without padding. Raises `thrift.Malformed`, `thrift.TooLarge`."""
    if len(text) > MAX_EVENT * 4 // 3 + 4:
        raise thrift.TooLarge("base64 of more bytes than an event has")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise thrift.Malformed("no base64") from None
    return thrift.decode(structure, data, thrift.Encoding.BINARY, limits=LIMITS)


def encode64(value: object) -> str:
    """Raises `thrift.NotEncodable`."""
    return base64.b64encode(thrift.encode(value, thrift.Encoding.BINARY)).decode()
