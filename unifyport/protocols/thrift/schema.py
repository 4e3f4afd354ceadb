"""Structures as tables: ids and types of their fields, read once from the annotations of an attrs class."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import frozen

from unifyport.protocols.thrift.types import Kind, Raw, Type

_SCALARS = {bool: Type.BOOL, float: Type.DOUBLE, bytes: Type.STRING}


@frozen
class Member:
    """One declared field: its attribute's name, its id and its type."""

    name: str
    number: int
    kind: Kind


@frozen
class Schema:
    """The declared fields of a structure, in the order of their ids, and the attribute that keeps others."""

    members: Mapping[int, Member]
    keeps: str | None


_schemas: dict[type, Schema] = {}


def schema_of(structure: type) -> Schema:
    """The table of an attrs class. Raises `TypeError` for a declaration that no wire type fits."""
    if (schema := _schemas.get(structure)) is None:
        schema = _schemas[structure] = _read_schema(structure)
    return schema


def _read_schema(structure: type) -> Schema:
    hints = get_type_hints(structure, include_extras=True)
    members: dict[int, Member] = {}
    keeps = None
    for attribute in attrs.fields(structure):
        hint = hints[attribute.name]
        if _is_unknown(hint):
            keeps = attribute.name
            continue
        number = _number_of(hint)
        if number is None:
            raise TypeError(f"{structure.__name__}.{attribute.name} has no field id")
        if number in members:
            raise TypeError(f"{structure.__name__} has two fields {number}")
        members[number] = Member(attribute.name, number, _kind_of(hint))
    return Schema(dict(sorted(members.items())), keeps)


def _is_unknown(hint: Any) -> bool:
    return get_origin(hint) is Mapping and get_args(hint) == (int, Raw)


def _number_of(hint: Any) -> int | None:
    if get_origin(hint) is not Annotated:
        return None
    numbers = [
        extra for extra in get_args(hint)[1:] if isinstance(extra, int) and not isinstance(extra, Type)
    ]
    return numbers[0] if len(numbers) == 1 else None


def _kind_of(hint: Any) -> Kind:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        declared = [extra for extra in arguments[1:] if isinstance(extra, Type)]
        return Kind(declared[0]) if declared else _kind_of(arguments[0])
    if origin in (Union, types.UnionType):
        (only,) = [argument for argument in arguments if argument is not type(None)]
        return _kind_of(only)
    if hint is str:
        return Kind(Type.STRING, text=True)
    if hint in _SCALARS:
        return Kind(_SCALARS[hint])
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return Kind(Type.LIST, element=_kind_of(arguments[0]))
    if origin is frozenset:
        return Kind(Type.SET, element=_kind_of(arguments[0]))
    if origin is Mapping:
        return Kind(Type.MAP, key=_kind_of(arguments[0]), element=_kind_of(arguments[1]))
    if _is_structure(hint):
        return Kind(Type.STRUCT, structure=hint)
    raise TypeError(f"no wire type for {hint!r}")


def _is_structure(hint: Any) -> TypeGuard[type]:
    return isinstance(hint, type) and attrs.has(hint)
