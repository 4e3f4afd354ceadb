"""Structures that the tests of the codec write and read."""

from collections.abc import Mapping
from typing import Annotated

from attrs import frozen

from unifyport.protocols.thrift import EMPTY, I8, I16, I32, I64, Unknown


@frozen
class Everything:
    """One field of every type, with ids that need both forms of a compact head."""

    flag: Annotated[bool | None, 1] = None
    tiny: Annotated[I8 | None, 2] = None
    small: Annotated[I16 | None, 3] = None
    number: Annotated[I32 | None, 5] = None
    large: Annotated[I64 | None, 40] = None
    real: Annotated[float | None, 41] = None
    text: Annotated[str | None, 42] = None
    data: Annotated[bytes | None, 43] = None
    inner: Annotated["Everything | None", 60] = None
    flags: Annotated[tuple[bool, ...] | None, 61] = None
    numbers: Annotated[tuple[I64, ...] | None, 62] = None
    members: Annotated[frozenset[str] | None, 63] = None
    metadata: Annotated[Mapping[str, str] | None, 64] = None
    by_number: Annotated[Mapping[I32, "Everything"] | None, 65] = None
    lists: Annotated[tuple[tuple[I32, ...], ...] | None, 32767] = None


@frozen
class Keeping:
    """Declares one field and keeps the others."""

    number: Annotated[I32 | None, 5] = None
    unknown: Unknown = EMPTY


@frozen
class Skipping:
    """Declares one field and skips the others."""

    number: Annotated[I32 | None, 5] = None


@frozen
class Long:
    """A 64-bit integer in field 1."""

    value: Annotated[I64 | None, 1] = None
