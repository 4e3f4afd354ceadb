"""Strict structuring at the edges: a JSON or TOML value becomes an attrs value, or every problem is named.

cattrs converts by default: `int("3")` would let a string pass for a number. Here a value has the type that is
asked for or is a problem, and all problems of a document are found in one pass, each with its path.
"""

from collections.abc import Callable
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import ForbiddenExtraKeysError

T = TypeVar("T")

_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


class Problems(Exception):
    """What is wrong with a document: one sentence each, with the path of the value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Wrong(ValueError):
    """Raised by hooks; the text is shown as it is."""


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not fits:
            raise Wrong(f"must be {_NAMES[kind]}")
        return value

    return check


def _is_optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType) and type(None) in get_args(annotation)


def strict_converter(*, forbid_extra_keys: bool) -> Converter:
    """A converter that coerces nothing. The API ignores unknown keys, the configuration file refuses them."""
    converter = Converter(forbid_extra_keys=forbid_extra_keys, detailed_validation=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    is_dict = _exactly(dict)
    converter.register_structure_hook_func(
        lambda annotation: annotation is dict or annotation == dict[str, Any],
        lambda value, _: is_dict(value, dict),
    )
    return converter


def structure(converter: Converter, value: Any, into: type[T]) -> T:
    """`value` as `into`. Raises `Problems`."""
    if not isinstance(value, dict):
        raise Problems(["must be an object"])
    lists = [
        f"{field.alias}: must be a list"
        for field in attrs.fields(into)  # type: ignore[arg-type]
        if get_origin(_inner(field.type)) in (list, tuple)
        and value.get(field.alias) is not None
        and not isinstance(value[field.alias], list)
    ]
    try:
        if not lists:
            return converter.structure(value, into)
        clean = {k: v for k, v in value.items() if f"{k}: must be a list" not in lists}
        converter.structure(clean, into)
    except Exception as error:
        raise Problems(
            lists + [_readable(line) for line in transform_error(error, path="$", format_exception=_say)]
        ) from None
    raise Problems(lists)


def _inner(annotation: Any) -> Any:
    if _is_optional(annotation):
        return next(arm for arm in get_args(annotation) if arm is not type(None))
    return annotation


def _say(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return "is required"
    if isinstance(error, ForbiddenExtraKeysError):
        return "unknown key: " + ", ".join(sorted(error.extra_fields))
    if isinstance(error, Wrong):
        return str(error)
    if isinstance(error, TypeError | AttributeError):
        return "must be an object" if kind is not None and attrs.has(kind) else "has the wrong type"
    return str(error) or type(error).__name__


def _readable(line: str) -> str:
    """cattrs writes `what @ $.path`; people read `path: what`."""
    what, _, path = line.rpartition(" @ ")
    path = path.removeprefix("$").removeprefix(".")
    return f"{path}: {what}" if path else what
