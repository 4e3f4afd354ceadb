"""The compact encoding (TCompactProtocol): variable lengths, field ids as differences, booleans in their
field heads.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md

Where writers in use differ, both forms are read: elements of type boolean are announced as 1 or 2, and a
false element is 0 or 2. What is written follows the specification.
"""

import struct

from unifyport.protocols.thrift.errors import Malformed, NotEncodable
from unifyport.protocols.thrift.source import Source
from unifyport.protocols.thrift.types import BITS, LIMITS, Limits, Type

_STOP, _TRUE, _FALSE = 0, 1, 2
_PROTOCOL, _VERSION = 0x82, 1

_NUMBERS = {
    Type.BOOL: _FALSE,
    Type.I8: 3,
    Type.I16: 4,
    Type.I32: 5,
    Type.I64: 6,
    Type.DOUBLE: 7,
    Type.STRING: 8,
    Type.LIST: 9,
    Type.SET: 10,
    Type.MAP: 11,
    Type.STRUCT: 12,
    Type.UUID: 13,
}
_TYPES = {number: kind for kind, number in _NUMBERS.items()} | {_TRUE: Type.BOOL}


def zigzag(value: int) -> int:
    """Fold a signed integer into the non-negative ones: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """The integer that `zigzag` folded."""
    return (value >> 1) ^ -(value & 1)


class CompactReader(Source):
    """Reads values from `data`, from its start. Raises `Malformed` for what is not there, `TooLarge` beyond
    limits.
    """

    def __init__(self, data: bytes, limits: Limits = LIMITS) -> None:
        super().__init__(data, limits)
        self._last = 0
        self._outer: list[int] = []
        self._bool: bool | None = None

    def begin_struct(self) -> None:
        self.enter()
        self._outer.append(self._last)
        self._last = 0

    def end_struct(self) -> None:
        self._last = self._outer.pop()
        self.leave()

    def field(self) -> tuple[Type, int] | None:
        """Type and id of the next field; None at the end of the structure. The value of a boolean is read
        with it.
        """
        head = self.byte()
        if head == _STOP:
            return None
        self.count(1)
        step, number = head >> 4, head & 15
        self._last = self._last + step if step else self.integer(Type.I16)
        if self._last > 0x7FFF:
            raise Malformed(f"no field id: {self._last}")
        kind = _type(number)
        if kind is Type.BOOL:
            self._bool = number == _TRUE
        return kind, self._last

    def bool(self) -> bool:
        if (known := self._bool) is not None:
            self._bool = None
            return known
        return self.byte() == _TRUE

    def integer(self, kind: Type) -> int:
        if kind is Type.I8:
            return int.from_bytes(self.take(1), "big", signed=True)
        return unzigzag(self.varint(BITS[kind]))

    def varint(self, bits: int) -> int:
        """A non-negative integer of at most `bits` bits."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift >= bits:
                raise Malformed(f"an integer of more than {bits} bits")
        if value >> bits:
            raise Malformed(f"an integer of more than {bits} bits")
        return value

    def double(self) -> float:
        value: float = struct.unpack("<d", self.take(8))[0]
        return value

    def string(self) -> bytes:
        return self.text_of(self.varint(32))

    def begin_list(self) -> tuple[Type, int]:
        """Type and number of the elements; the caller ends with `leave`."""
        head = self.byte()
        size = head >> 4
        if size == 15:
            size = self.varint(32)
        self.enter()
        self.count(size)
        return _type(head & 15), size

    def begin_map(self) -> tuple[Type | None, Type | None, int]:
        """Types of keys and values (None for an empty map), number of pairs; the caller ends with `leave`."""
        size = self.varint(32)
        self.enter()
        if size == 0:
            return None, None, 0
        self.count(size, at_least=2)
        kinds = self.byte()
        return _type(kinds >> 4), _type(kinds & 15), size


class CompactWriter:
    """Collects the bytes of values in `out`."""

    def __init__(self) -> None:
        self.out = bytearray()
        self._last = 0
        self._outer: list[int] = []

    def begin_struct(self) -> None:
        self._outer.append(self._last)
        self._last = 0

    def end_struct(self) -> None:
        self.out.append(_STOP)
        self._last = self._outer.pop()

    def field(self, kind: Type, number: int, value: object) -> bool:
        """Write the head of a field. False: the head holds the whole value, as it does for a boolean."""
        wire = (_TRUE if value else _FALSE) if kind is Type.BOOL else _NUMBERS[kind]
        step = number - self._last
        if 0 < step < 16:
            self.out.append(step << 4 | wire)
        else:
            self.out.append(wire)
            self.integer(Type.I16, number)
        self._last = number
        return kind is not Type.BOOL

    def bool(self, value: bool) -> None:
        self.out.append(_TRUE if value else 0)

    def integer(self, kind: Type, value: int) -> None:
        bits = BITS[kind]
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise NotEncodable(f"{value} is no {kind.name}")
        if kind is Type.I8:
            self.out.append(value & 0xFF)
        else:
            self.varint(zigzag(value))

    def varint(self, value: int) -> None:
        """Write a non-negative integer."""
        while value > 127:
            self.out.append(value & 127 | 128)
            value >>= 7
        self.out.append(value)

    def double(self, value: float) -> None:
        self.out += struct.pack("<d", value)

    def string(self, value: bytes) -> None:
        self.varint(len(value))
        self.out += value

    def raw(self, value: bytes) -> None:
        self.out += value

    def begin_list(self, element: Type, size: int) -> None:
        if size < 15:
            self.out.append(size << 4 | _NUMBERS[element])
        else:
            self.out.append(0xF0 | _NUMBERS[element])
            self.varint(size)

    def begin_map(self, key: Type, value: Type, size: int) -> None:
        self.varint(size)
        if size:
            self.out.append(_NUMBERS[key] << 4 | _NUMBERS[value])


def read_head(reader: CompactReader) -> tuple[int, str, int]:
    """Type, name and sequence id of a message."""
    if reader.byte() != _PROTOCOL:
        raise Malformed("no message of the compact encoding")
    head = reader.byte()
    if head & 31 != _VERSION:
        raise Malformed(f"no version of the compact encoding: {head & 31}")
    sequence = reader.varint(32)
    return head >> 5, reader.string().decode("utf-8", "replace"), sequence


def write_head(writer: CompactWriter, kind: int, name: str, sequence: int) -> None:
    """Write the head of a message."""
    writer.out += bytes((_PROTOCOL, kind << 5 | _VERSION))
    writer.varint(sequence & 0xFFFFFFFF)
    writer.string(name.encode())


def _type(number: int) -> Type:
    if (kind := _TYPES.get(number)) is None:
        raise Malformed(f"no compact type {number}")
    return kind
