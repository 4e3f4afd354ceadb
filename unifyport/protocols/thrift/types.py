"""Types on the wire, how structures name them, and the limits of a reader.

A structure is a frozen attrs class. Each field is `Annotated` with its field id and has a default, which
stands for a field that is not on the wire; `None` is never written, every other value is:

    @frozen
    class Location:
        title: Annotated[str | None, 1] = None
        latitude: Annotated[float | None, 3] = None
        provider: Annotated[I32 | None, 7] = None
        unknown: Unknown = EMPTY

    annotation                    wire type
    --------------------------    ---------------------------------------------------------------------
    bool, float, bytes, str       BOOL, DOUBLE, STRING, STRING
    I8, I16, I32, I64             the integer of that width; a reader takes any width, a writer this one
    tuple[X, ...]                 LIST
    frozenset[X]                  SET; X is a scalar
    Mapping[K, V]                 MAP; K is a scalar
    a structure                   STRUCT; also unions and exceptions

Enumerations are plain I32, so a member that is unknown here survives. Text that is not UTF-8 is read with
U+FFFD in place of what cannot be decoded: one bad name does not cost the answer that holds it. A structure
that has a field of type `Unknown` keeps the fields that it does not declare and writes them again; others
skip them. A field whose wire type is not the declared one is treated as unknown.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, Any

from attrs import field, frozen

from unifyport.protocols.thrift.errors import Malformed


class Type(IntEnum):
    """Wire types with the numbers of the binary encoding.

    https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md
    """

    BOOL = 2
    I8 = 3
    DOUBLE = 4
    I16 = 6
    I32 = 8
    I64 = 10
    STRING = 11
    STRUCT = 12
    MAP = 13
    SET = 14
    LIST = 15
    UUID = 16


BITS = {Type.I8: 8, Type.I16: 16, Type.I32: 32, Type.I64: 64}

I8 = Annotated[int, Type.I8]
I16 = Annotated[int, Type.I16]
I32 = Annotated[int, Type.I32]
I64 = Annotated[int, Type.I64]


@frozen
class Raw:
    """A value as it was read, without a declaration.

    `value` is a bool, int, float or bytes (STRING, UUID), a dict of field ids to `Raw` (STRUCT), a tuple of
    values (LIST, SET), or a tuple of pairs of values (MAP). `element` is the type of the elements, or of a
    map's values; `key` that of a map's keys. Both are None for an empty map, of which the compact encoding
    names no types and the binary one is written with STRING. Elements are not wrapped in `Raw` unless they
    are containers or structures.
    """

    type: Type
    value: Any
    element: Type | None = None
    key: Type | None = None


Unknown = Mapping[int, Raw]
"""Type of the field in which a structure keeps what it does not declare, by field id."""

EMPTY: Unknown = MappingProxyType({})


@frozen
class Limits:
    """What a reader accepts. Sizes that bytes only claim never allocate memory: each item takes at least one
    byte.
    """

    bytes: int = 16 * 1024 * 1024
    string: int = 4 * 1024 * 1024
    depth: int = 32
    items: int = 250_000


LIMITS = Limits()


@frozen
class Kind:
    """One declared type, resolved. `structure` is set for STRUCT, `element` and `key` for containers."""

    wire: Type
    text: bool = False
    structure: type | None = None
    element: "Kind | None" = field(default=None, repr=False)
    key: "Kind | None" = None


def wire_type(number: int) -> Type:
    """The type of this number of the binary encoding. Raises `Malformed`."""
    try:
        return Type(number)
    except ValueError:
        raise Malformed(f"no wire type {number}") from None
