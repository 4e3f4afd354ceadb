"""Values without a declaration: skipped, or kept as `Raw` and written again."""

from typing import Any, Protocol

from unifyport.protocols.thrift.types import Raw, Type

UUID_BYTES = 16


class Reader(Protocol):
    """What the readers of both encodings have in common."""

    def begin_struct(self) -> None: ...
    def end_struct(self) -> None: ...
    def field(self) -> tuple[Type, int] | None: ...
    def bool(self) -> bool: ...
    def integer(self, kind: Type) -> int: ...
    def double(self) -> float: ...
    def string(self) -> bytes: ...
    def take(self, size: int) -> bytes: ...
    def begin_list(self) -> tuple[Type, int]: ...
    def begin_map(self) -> tuple[Type | None, Type | None, int]: ...
    def leave(self) -> None: ...


class Writer(Protocol):
    """What the writers of both encodings have in common."""

    def begin_struct(self) -> None: ...
    def end_struct(self) -> None: ...
    def field(self, kind: Type, number: int, value: object) -> bool: ...
    def bool(self, value: bool) -> None: ...
    def integer(self, kind: Type, value: int) -> None: ...
    def double(self, value: float) -> None: ...
    def string(self, value: bytes) -> None: ...
    def raw(self, value: bytes) -> None: ...
    def begin_list(self, element: Type, size: int) -> None: ...
    def begin_map(self, key: Type, value: Type, size: int) -> None: ...


def read(reader: Reader, kind: Type) -> Raw:
    """The value that is next, of this type, as `Raw`."""
    match kind:
        case Type.STRUCT:
            fields: dict[int, Raw] = {}
            reader.begin_struct()
            while (head := reader.field()) is not None:
                fields[head[1]] = read(reader, head[0])
            reader.end_struct()
            return Raw(kind, fields)
        case Type.LIST | Type.SET:
            element, size = reader.begin_list()
            values = tuple(_element(reader, element) for _ in range(size))
            reader.leave()
            return Raw(kind, values, element)
        case Type.MAP:
            key, value, size = reader.begin_map()
            pairs = tuple(
                (_element(reader, key), _element(reader, value)) for _ in range(size) if key and value
            )
            reader.leave()
            return Raw(kind, pairs, value, key)
    return Raw(kind, _scalar(reader, kind))


def skip(reader: Reader, kind: Type) -> None:
    """Read past the value that is next, of this type."""
    match kind:
        case Type.STRUCT:
            reader.begin_struct()
            while (head := reader.field()) is not None:
                skip(reader, head[0])
            reader.end_struct()
        case Type.LIST | Type.SET:
            element, size = reader.begin_list()
            for _ in range(size):
                skip(reader, element)
            reader.leave()
        case Type.MAP:
            key, value, size = reader.begin_map()
            for _ in range(size):
                assert key is not None
                assert value is not None
                skip(reader, key)
                skip(reader, value)
            reader.leave()
        case _:
            _scalar(reader, kind)


def write(writer: Writer, kind: Type, value: Any) -> None:
    """Write a value as `read` returned it: a `Raw`, or a plain scalar that is an element."""
    inner = value.value if isinstance(value, Raw) else value
    match kind:
        case Type.STRUCT:
            writer.begin_struct()
            for number in sorted(inner):
                field = inner[number]
                if writer.field(field.type, number, field.value):
                    write(writer, field.type, field)
            writer.end_struct()
        case Type.LIST | Type.SET:
            writer.begin_list(value.element, len(inner))
            for part in inner:
                write(writer, value.element, part)
        case Type.MAP:
            writer.begin_map(value.key or Type.STRING, value.element or Type.STRING, len(inner))
            for name, part in inner:
                write(writer, value.key, name)
                write(writer, value.element, part)
        case _:
            _write_scalar(writer, kind, inner)


def _element(reader: Reader, kind: Type | None) -> Any:
    assert kind is not None
    value = read(reader, kind)
    return value if kind in (Type.STRUCT, Type.LIST, Type.SET, Type.MAP) else value.value


def _scalar(reader: Reader, kind: Type) -> Any:
    match kind:
        case Type.BOOL:
            return reader.bool()
        case Type.DOUBLE:
            return reader.double()
        case Type.STRING:
            return reader.string()
        case Type.UUID:
            return reader.take(UUID_BYTES)
    return reader.integer(kind)


def _write_scalar(writer: Writer, kind: Type, value: Any) -> None:
    match kind:
        case Type.BOOL:
            writer.bool(value)
        case Type.DOUBLE:
            writer.double(value)
        case Type.STRING:
            writer.string(value)
        case Type.UUID:
            writer.raw(value)
        case _:
            writer.integer(kind, value)
