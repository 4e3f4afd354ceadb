"""The binary encoding (TBinaryProtocol): fixed widths, big-endian.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md
"""

import struct

from unifyport.protocols.thrift.errors import Malformed, NotEncodable
from unifyport.protocols.thrift.source import Source
from unifyport.protocols.thrift.types import BITS, LIMITS, Limits, Type, wire_type

_STOP = 0


class BinaryReader(Source):
    """Reads values from `data`, from its start. Raises `Malformed` for what is not there, `TooLarge` beyond
    limits.
    """

    def __init__(self, data: bytes, limits: Limits = LIMITS) -> None:
        super().__init__(data, limits)

    def begin_struct(self) -> None:
        self.enter()

    def end_struct(self) -> None:
        self.leave()

    def field(self) -> tuple[Type, int] | None:
        """Type and id of the next field; None at the end of the structure."""
        number = self.byte()
        if number == _STOP:
            return None
        self.count(1)
        return wire_type(number), self._integer(2)

    def bool(self) -> bool:
        return self.byte() != 0

    def integer(self, kind: Type) -> int:
        return self._integer(BITS[kind] // 8)

    def double(self) -> float:
        value: float = struct.unpack(">d", self.take(8))[0]
        return value

    def string(self) -> bytes:
        return self.text_of(self._integer(4))

    def begin_list(self) -> tuple[Type, int]:
        """Type and number of the elements; the caller ends with `leave`."""
        element = wire_type(self.byte())
        size = self._integer(4)
        self.enter()
        self.count(size)
        return element, size

    def begin_map(self) -> tuple[Type | None, Type | None, int]:
        """Types of keys and values (None for an empty map), number of pairs; the caller ends with `leave`."""
        key, value = self.byte(), self.byte()
        size = self._integer(4)
        self.enter()
        if size == 0:
            return None, None, 0
        self.count(size, at_least=2)
        return wire_type(key), wire_type(value), size

    def _integer(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big", signed=True)


class BinaryWriter:
    """Collects the bytes of values in `out`."""

    def __init__(self) -> None:
        self.out = bytearray()

    def begin_struct(self) -> None:
        pass

    def end_struct(self) -> None:
        self.out.append(_STOP)

    def field(self, kind: Type, number: int, value: object) -> bool:
        """Write the head of a field. False: the head holds the whole value (never here)."""
        self.out.append(kind)
        self.integer(Type.I16, number)
        return True

    def bool(self, value: bool) -> None:
        self.out.append(1 if value else 0)

    def integer(self, kind: Type, value: int) -> None:
        try:
            self.out += value.to_bytes(BITS[kind] // 8, "big", signed=True)
        except OverflowError:
            raise NotEncodable(f"{value} is no {kind.name}") from None

    def double(self, value: float) -> None:
        self.out += struct.pack(">d", value)

    def string(self, value: bytes) -> None:
        self.integer(Type.I32, len(value))
        self.out += value

    def raw(self, value: bytes) -> None:
        self.out += value

    def begin_list(self, element: Type, size: int) -> None:
        self.out.append(element)
        self.integer(Type.I32, size)

    def begin_map(self, key: Type, value: Type, size: int) -> None:
        self.out += bytes((key, value))
        self.integer(Type.I32, size)


def read_head(reader: BinaryReader) -> tuple[int, str, int]:
    """Type, name and sequence id of a message, in the strict form and in the older one without a version."""
    first = reader.integer(Type.I32)
    if first < 0:
        if (first >> 16) & 0xFFFF != 0x8001:
            raise Malformed(f"no version of the binary encoding: {first & 0xFFFFFFFF:#x}")
        name = reader.string()
        return first & 0xFF, _name(name), reader.integer(Type.I32)
    name = reader.text_of(first)
    return reader.byte(), _name(name), reader.integer(Type.I32)


def write_head(writer: BinaryWriter, kind: int, name: str, sequence: int) -> None:
    """Write the head of a message in the strict form."""
    writer.out += (0x80010000 | kind).to_bytes(4, "big")
    writer.string(name.encode())
    writer.integer(Type.I32, sequence)


def _name(data: bytes) -> str:
    return data.decode("utf-8", "replace")
