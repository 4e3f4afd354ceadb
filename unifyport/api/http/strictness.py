"""Fields of a request that no class of the API has, and whether it is strict (`gateway/remarks.py`)."""

from collections.abc import Mapping
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs

from unifyport.gateway.errors import invalid
from unifyport.gateway.remarks import Remarks
from unifyport.model.structuring import MOST_ITEMS

from .messages import Headers
from .routing import Query, Route

HEADER = "X-Strict"
STRICT = Query(
    HEADER,
    description="`true`: what the answer would warn of is refused with 400, and nothing is done",
    more={"enum": ["true", "false"]},
)


def read_remarks(headers: Headers, *, always: bool) -> Remarks:
    """`always`: the operator wants every request to be strict. Raises `UseCaseError`."""
    values = [value.strip().lower() for value in headers.get_all(HEADER)]
    if any(value not in ("true", "false") for value in values):
        raise invalid(HEADER, "must be true or false")
    return Remarks(strict=always or "true" in values)


def note_unknown(remarks: Remarks, route: Route, query: Mapping[str, str], body: Any) -> None:
    """Remark on each query parameter and each field of the body that the route does not know.

    `body` may be of any shape: only objects where the route has some are looked into.
    """
    known = [parameter.name for parameter in route.query]
    for name in query:
        if name not in known:
            remarks.unknown(f"query.{name}", known)
    if route.body is not None and attrs.has(route.body):
        _note(remarks, body, route.body, "")


def _note(remarks: Remarks, value: Any, kind: type, place: str) -> None:
    """`kind` is an attrs class; a value that is no object, as the class may allow, has no fields."""
    if not isinstance(value, dict):
        return
    fields = _fields(kind)
    for name, inner in value.items():
        path = f"{place}{name}"
        if name not in fields:
            remarks.unknown(path, fields.keys())
        elif (each := fields[name]) is not None:
            if isinstance(inner, list):
                for number, item in enumerate(inner[:MOST_ITEMS]):  # a longer list is refused
                    _note(remarks, item, each, f"{path}[{number}].")
            else:
                _note(remarks, inner, each, f"{path}.")


@lru_cache
def _fields(kind: type) -> dict[str, type | None]:
    """The fields of a class, with the class of the objects in each; None where that is not known."""
    return {field.name: _class_in(field.type) for field in attrs.fields(attrs.resolve_types(kind))}


def _class_in(kind: Any) -> type | None:
    """The attrs class in `Class`, `Class | None`, `list[Class]`, `Annotated[...]` of these."""
    if isinstance(kind, type) and attrs.has(kind):
        return kind
    if get_origin(kind) in (Annotated, Union, UnionType, list):
        found = [each for arm in get_args(kind) if (each := _class_in(arm)) is not None]
        return found[0] if found else None
    return None
