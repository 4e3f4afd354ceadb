"""Strict structuring of JSON and TOML documents: an attrs value, or a list of every problem.

cattrs converts by default: `int("3")` would accept a string for a number. Here a value of another type is a
problem, and the problems of a document are found in one pass, each with its path. A converter for documents
of callers stops after `MOST_PROBLEMS`, and takes no longer lists than `MOST_ITEMS` or their own `Meta`.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import (
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn
from msgspec import Meta

T = TypeVar("T")

MOST_PROBLEMS = 20  # that a caller is told of
MOST_ITEMS = 1000  # of a list or an object whose type does not say
_LONGEST_PROBLEM = 300  # characters
_LONGEST_KEY = 64  # characters of a key in a path

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


def summarize(problems: Sequence[str]) -> tuple[str, list[str]]:
    """A text for people, and the first `MOST_PROBLEMS` problems; each is short, and none is said twice."""
    first = [_cut(problem) for problem in problems[:MOST_PROBLEMS]]
    more = len(problems) - 1
    if more == 0:
        return first[0], first
    return f"{first[0]} (and {more} more)", first


def _cut(problem: str) -> str:
    return problem if len(problem) <= _LONGEST_PROBLEM else problem[: _LONGEST_PROBLEM - 1] + "…"


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
    return get_origin(get_args(kind)[0] if get_origin(kind) is Annotated else kind) is list


def _item_of(kind: Any) -> tuple[Any, int]:
    """The type of the items of a list, and how many there may be."""
    if get_origin(kind) is not Annotated:
        return get_args(kind)[0], MOST_ITEMS
    plain, *notes = get_args(kind)
    limits = [note.max_length for note in notes if isinstance(note, Meta) and note.max_length is not None]
    return get_args(plain)[0], min(limits, default=MOST_ITEMS)


def _is_mapping(kind: Any) -> bool:
    """Whether it is an object of which the type of the values is known."""
    return get_origin(kind) is dict and get_args(kind)[1] is not Any


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


class StrictConverter(Converter):
    """`limited`: for documents of callers. `problems_left` of the current one; then the rest is not read."""

    def __init__(self, *, forbid_extra_keys: bool, limited: bool) -> None:
        super().__init__(forbid_extra_keys=forbid_extra_keys, detailed_validation=True)
        self.limited = limited
        self.problems_left = MOST_PROBLEMS

    @property
    def exhausted(self) -> bool:
        return self.limited and self.problems_left <= 0

    def count(self, errors: Iterable[BaseException]) -> None:
        """Count the problems among errors; those in a group were counted when it was made."""
        self.problems_left -= sum(not isinstance(error, BaseExceptionGroup) for error in errors)

    def structure_each(
        self, pairs: Iterable[tuple[int | str, Any]], into: Any, kind: Any
    ) -> dict[int | str, Any]:
        """Values by their index or key. Raises `IterableValidationError`."""
        found: dict[int | str, Any] = {}
        errors: list[Exception] = []
        for key, value in pairs:
            if self.exhausted:
                break
            try:
                found[key] = self.structure(value, into)
            except Exception as error:
                place = key if isinstance(key, int) else key[:_LONGEST_KEY]
                note = IterableValidationNote(f"at {place!r}", place, into)
                error.__notes__ = [*getattr(error, "__notes__", []), note]
                self.count([error])
                errors.append(error)
        if errors:
            raise IterableValidationError("items", errors, kind)
        return found


def strict_converter(*, forbid_extra_keys: bool, limited: bool = False) -> StrictConverter:
    """A converter that coerces nothing. The API ignores unknown keys, the configuration file refuses them."""
    converter = StrictConverter(forbid_extra_keys=forbid_extra_keys, limited=limited)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    is_dict, is_list = _exactly(dict), _exactly(list)
    converter.register_structure_hook_func(
        lambda kind: kind is dict or kind == dict[str, Any], lambda value, _: is_dict(value, dict)
    )

    converter.register_structure_hook_func(_is_literal, _one_of)

    @converter.register_structure_hook_factory(attrs.has)
    def objects(kind: type) -> Callable[[Any, Any], Any]:
        from_dict: Any = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=forbid_extra_keys)

        def structure_object(value: Any, _: Any) -> Any:
            if converter.exhausted:
                return None
            try:
                return from_dict(is_dict(value, dict), kind)
            except ClassValidationError as error:
                converter.count(error.exceptions)
                raise

        return structure_object

    @converter.register_structure_hook_factory(_is_list)
    def lists(kind: Any) -> Callable[[Any, Any], Any]:
        item, most = _item_of(kind)

        def structure_list(value: Any, _: Any) -> Any:
            items = is_list(value, list)
            if limited and len(items) > most:
                raise Wrong(f"may have at most {most} items")
            return list(converter.structure_each(enumerate(items), item, kind).values())

        return structure_list

    @converter.register_structure_hook_factory(_is_mapping)
    def mappings(kind: Any) -> Callable[[Any, Any], Any]:
        def structure_mapping(value: Any, _: Any) -> Any:
            fields = is_dict(value, dict)
            if limited and len(fields) > MOST_ITEMS:
                raise Wrong(f"may have at most {MOST_ITEMS} fields")
            return converter.structure_each(fields.items(), get_args(kind)[1], kind)

        return structure_mapping

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


def structure(converter: StrictConverter, value: Any, into: type[T]) -> T:
    """`value` as `into`. Raises `Problems`."""
    if not isinstance(value, dict):
        raise Problems(["must be an object"])
    converter.problems_left = MOST_PROBLEMS
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
