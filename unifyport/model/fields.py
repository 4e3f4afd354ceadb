"""Reads the fields of an object from a caller or the configuration file, and collects every mistake."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from .structuring import MOST_PROBLEMS

T = TypeVar("T")


@attrs.frozen
class FieldProblem:
    """`path`: keys and indices below the object; `text`: the mistake; `choices`: the allowed words."""

    path: tuple[str | int, ...]
    text: str
    choices: tuple[str, ...] = ()

    def under(self, name: str) -> "FieldProblem":
        """The same problem, seen from an object that holds this one under `name`."""
        return attrs.evolve(self, path=(name, *self.path))

    def __str__(self) -> str:
        names = ".".join(part for part in self.path if isinstance(part, str))
        return f"{names}: {self.text}" if names else self.text


class FieldsWrong(ValueError):
    """Several problems of one value; the text is that of the first."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


class WrongChoice(ValueError):
    """A word that is not one of `choices`."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        super().__init__(f"must be one of {', '.join(choices)}")
        self.choices = choices


class FieldReader:
    """Reads fields by calls. A wrong field gets its default; `problems` collects the mistakes so far."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._value = value
        self.problems: list[FieldProblem] = []

    def __call__(self, name: str, parse: Callable[[Any], T], default: T) -> T:
        if name not in self._value:
            return default
        try:
            return parse(self._value[name])
        except ValueError as error:
            self.problems += [problem.under(name) for problem in _problems_of(error)]
            return default


def parse_each(values: list[Any], parse: Callable[[Any], T]) -> tuple[T, ...]:
    """Parse every item. Raises `FieldsWrong` with the first `MOST_PROBLEMS` mistakes, each with its index."""
    found: list[T] = []
    problems: list[FieldProblem] = []
    for index, value in enumerate(values):
        if len(problems) >= MOST_PROBLEMS:
            break
        try:
            found.append(parse(value))
        except ValueError as error:
            problems += [attrs.evolve(each, path=(index, *each.path)) for each in _problems_of(error)]
    if problems:
        raise FieldsWrong(problems)
    return tuple(found)


def raise_first(problems: list[FieldProblem], name: str) -> None:
    """Raises `ValueError` with the first problem, if there is one, prefixed with `name`."""
    if problems:
        raise ValueError(str(problems[0].under(name)))


def _problems_of(error: ValueError) -> list[FieldProblem]:
    if isinstance(error, FieldsWrong):
        return error.problems
    return [FieldProblem((), str(error), error.choices if isinstance(error, WrongChoice) else ())]
