"""Strict structuring of JSON and TOML documents: an attrs value, or a list of every problem.

cattrs converts by default: `int("3")` would accept a string for a number. Here a value of another type is a
problem, and all problems of a document are found in one pass, each with its path.
"""

import contextlib
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter, transform_error
from cattrs.cols import list_structure_factory
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

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
    """The mistakes in a document: one sentence each, with the path of the value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Wrong(ValueError):
    """Raised by structuring hooks; its text becomes the problem's text."""


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)  # JSON Schema counts 1.0 as an integer, and JavaScript does not tell it from 1
        if not fits:
            raise Wrong(f"must be {_NAMES[kind]}")
        return value

    return check


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _one_of(value: Any, kind: Any) -> Any:
    known = get_args(kind)
    if not any(value == each and type(value) is type(each) for each in known):
        raise Wrong(f"must be one of {', '.join(map(str, known))}")
    return value


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _choice(kind: Any) -> tuple[type, ...]:
    """The types in `str | int`, `Class | str` or `Class | str | int`, which may be annotated, without None;
    none for any other kind. A class is the last one.
    """
    if get_origin(kind) not in (UnionType, Union):
        return ()
    arms = {get_args(arm)[0] if get_origin(arm) is Annotated else arm for arm in get_args(kind)}
    found = [each for each in (str, int) if each in arms]
    classes = [arm for arm in arms if attrs.has(arm)]
    whole = {*found, *classes} == arms - {type(None)}
    return (*found, *classes) if whole and len(classes) <= 1 < len(found) + len(classes) else ()


def strict_converter(*, forbid_extra_keys: bool) -> Converter:
    """A converter that coerces nothing. The API ignores unknown keys, the configuration file refuses them."""
    converter = Converter(forbid_extra_keys=forbid_extra_keys, detailed_validation=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    is_dict = _exactly(dict)
    converter.register_structure_hook_func(
        lambda kind: kind is dict or kind == dict[str, Any], lambda value, _: is_dict(value, dict)
    )

    converter.register_structure_hook_func(_is_literal, _one_of)

    @converter.register_structure_hook_factory(attrs.has)
    def objects(kind: type) -> Callable[[Any, Any], Any]:
        from_dict: Any = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=forbid_extra_keys)
        return lambda value, _: from_dict(is_dict(value, dict), kind)

    @converter.register_structure_hook_factory(_is_list)
    def lists(kind: type) -> Callable[[Any, Any], Any]:
        from_list = list_structure_factory(kind, converter)
        is_list = _exactly(list)
        return lambda value, _: from_list(is_list(value, list), kind)

    @converter.register_structure_hook_factory(lambda kind: _choice(kind) != ())
    def choices(kind: Any) -> Callable[[Any, Any], Any]:
        return lambda value, _: _one_of_types(converter, value, kind)

    return converter


def _one_of_types(converter: Converter, value: Any, kind: Any) -> Any:
    if value is None and type(None) in get_args(kind):
        return value
    types: tuple[Any, ...] = _choice(kind)
    for each in types:
        if attrs.has(each) and isinstance(value, dict):
            return converter.structure(value, each)
        if not attrs.has(each):
            with contextlib.suppress(Wrong):
                return converter.structure(value, each)
    names = ["an object" if attrs.has(each) else _NAMES[each] for each in types]
    raise Wrong(f"must be {', '.join(names[:-1])} or {names[-1]}")


def structure(converter: Converter, value: Any, into: type[T]) -> T:
    """`value` as `into`. Raises `Problems`."""
    if not isinstance(value, dict):
        raise Problems(["must be an object"])
    try:
        return converter.structure(value, into)
    except Exception as error:
        lines = transform_error(error, path="$", format_exception=_say)
        raise Problems([_readable(line) for line in lines]) from None


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
    """cattrs writes `what @ $.path`; problems are shown as `path: what`."""
    what, _, path = line.rpartition(" @ ")
    path = path.removeprefix("$").removeprefix(".")
    return f"{path}: {what}" if path else what
