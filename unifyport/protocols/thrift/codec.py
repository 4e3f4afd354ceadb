"""Structures to bytes and back, in both encodings."""

from enum import Enum
from typing import Any, TypeVar

from unifyport.protocols.thrift import raw
from unifyport.protocols.thrift.binary import BinaryReader, BinaryWriter
from unifyport.protocols.thrift.compact import CompactReader, CompactWriter
from unifyport.protocols.thrift.errors import Malformed, NotEncodable
from unifyport.protocols.thrift.schema import Member, schema_of
from unifyport.protocols.thrift.types import BITS, LIMITS, Kind, Limits, Raw, Type

Reader = BinaryReader | CompactReader
Writer = BinaryWriter | CompactWriter

_Structure = TypeVar("_Structure")


class Encoding(Enum):
    """The two encodings of Thrift."""

    BINARY = "binary"
    COMPACT = "compact"


def reader_of(encoding: Encoding, data: bytes, limits: Limits = LIMITS) -> Reader:
    """A reader of this encoding at the start of `data`. Raises `TooLarge`."""
    return BinaryReader(data, limits) if encoding is Encoding.BINARY else CompactReader(data, limits)


def writer_of(encoding: Encoding) -> Writer:
    """An empty writer of this encoding."""
    return BinaryWriter() if encoding is Encoding.BINARY else CompactWriter()


def encode(value: object, encoding: Encoding) -> bytes:
    """The bytes of a structure. Raises `NotEncodable` for a value that is not of its declared type."""
    writer = writer_of(encoding)
    write(writer, value)
    return bytes(writer.out)


def decode(
    structure: type[_Structure],
    data: bytes,
    encoding: Encoding,
    *,
    limits: Limits = LIMITS,
    trailing: bool = False,
) -> _Structure:
    """The structure whose bytes are `data`. Bytes behind it are an error unless `trailing`.

    Raises `Malformed`, `TooLarge`.
    """
    reader = reader_of(encoding, data, limits)
    value = read(reader, structure)
    if reader.left and not trailing:
        raise Malformed(f"{reader.left} bytes behind the structure")
    return value


def read(reader: Reader, structure: type[_Structure]) -> _Structure:
    """Read one structure. Of a field that comes twice the last one counts."""
    schema = schema_of(structure)
    values: dict[str, Any] = {}
    unknown: dict[int, Raw] = {}
    reader.begin_struct()
    while (head := reader.field()) is not None:
        kind, number = head
        member = schema.members.get(number)
        if member is not None and _fits(member.kind, kind):
            value = _read_value(reader, member.kind, kind)
            if value is not None:
                values[member.name] = value
        elif schema.keeps is not None:
            unknown[number] = raw.read(reader, kind)
        else:
            raw.skip(reader, kind)
    reader.end_struct()
    if unknown and schema.keeps is not None:
        values[schema.keeps] = unknown
    return structure(**values)


def write(writer: Writer, value: object) -> None:
    """Write one structure: its fields in the order of their ids."""
    schema = schema_of(type(value))
    unknown: dict[int, Raw] = dict(getattr(value, schema.keeps)) if schema.keeps is not None else {}
    fields: dict[int, Member | Raw] = {**unknown, **schema.members}
    for number, member in schema.members.items():
        if getattr(value, member.name) is None and number in unknown:
            fields[number] = unknown[number]
    writer.begin_struct()
    for number in sorted(fields):
        entry = fields[number]
        if isinstance(entry, Raw):
            if writer.field(entry.type, number, entry.value):
                raw.write(writer, entry.type, entry)
        elif (part := getattr(value, entry.name)) is not None:
            _write_field(writer, type(value), entry, part)
    writer.end_struct()


def _write_field(writer: Writer, structure: type, member: Member, value: Any) -> None:
    try:
        if writer.field(member.kind.wire, member.number, value):
            _write_value(writer, member.kind, value)
    except (NotEncodable, UnicodeEncodeError, TypeError, AttributeError) as error:
        raise NotEncodable(f"{structure.__name__}.{member.name}: {error}") from error


def _fits(declared: Kind, found: Type) -> bool:
    return declared.wire is found or (declared.wire in BITS and found in BITS)


def _read_value(reader: Reader, declared: Kind, found: Type) -> Any:
    """The value of a field; None for a container whose elements are not of the declared type."""
    match found:
        case Type.BOOL:
            return reader.bool()
        case Type.DOUBLE:
            return reader.double()
        case Type.STRING:
            return _text(reader.string()) if declared.text else reader.string()
        case Type.STRUCT:
            assert declared.structure is not None
            return read(reader, declared.structure)
        case Type.LIST | Type.SET:
            return _read_list(reader, declared)
        case Type.MAP:
            return _read_map(reader, declared)
    return reader.integer(found)


def _read_list(reader: Reader, declared: Kind) -> Any:
    element, size = reader.begin_list()
    wanted = declared.element
    assert wanted is not None
    fits = _fits(wanted, element)
    values = []
    for _ in range(size):
        if fits:
            values.append(_read_value(reader, wanted, element))
        else:
            raw.skip(reader, element)
    reader.leave()
    if size and not fits:
        return None
    kept = [value for value in values if value is not None]
    return frozenset(kept) if declared.wire is Type.SET else tuple(kept)


def _read_map(reader: Reader, declared: Kind) -> Any:
    key, element, size = reader.begin_map()
    wanted_key, wanted = declared.key, declared.element
    assert wanted_key is not None
    assert wanted is not None
    pairs: dict[Any, Any] = {}
    fits = key is not None and element is not None and _fits(wanted_key, key) and _fits(wanted, element)
    for _ in range(size):
        assert key is not None
        assert element is not None
        if fits:
            name, value = _read_value(reader, wanted_key, key), _read_value(reader, wanted, element)
            if value is not None:
                pairs[name] = value
        else:
            raw.skip(reader, key)
            raw.skip(reader, element)
    reader.leave()
    return None if size and not fits else pairs


def _write_value(writer: Writer, kind: Kind, value: Any) -> None:
    match kind.wire:
        case Type.BOOL:
            writer.bool(value)
        case Type.DOUBLE:
            writer.double(value)
        case Type.STRING:
            writer.string(value.encode() if kind.text else value)
        case Type.STRUCT:
            write(writer, value)
        case Type.LIST | Type.SET:
            assert kind.element is not None
            writer.begin_list(kind.element.wire, len(value))
            for part in value if kind.wire is Type.LIST else sorted(value):
                _write_value(writer, kind.element, part)
        case Type.MAP:
            assert kind.key is not None
            assert kind.element is not None
            writer.begin_map(kind.key.wire, kind.element.wire, len(value))
            for name, part in value.items():
                _write_value(writer, kind.key, name)
                _write_value(writer, kind.element, part)
        case _:
            writer.integer(kind.wire, value)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
