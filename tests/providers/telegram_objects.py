"""Objects of Telegram's API with any values that their types allow."""

import builtins
import datetime
import random
import types as python_types
import typing
from functools import cache
from typing import Any

from telethon.tl import types

_DEPTH = 5
_TEXTS = ("", "x", "hello 😀", "\x00\u202e", "a" * 300, "https://example.com/?a=1", "+6590000001")
_INTS = (0, 1, -1, 5, 2**31 - 1, -(2**31))


class _Names(dict[str, Any]):
    """The names of types. What Telethon has no name for is None."""

    def __missing__(self, name: str) -> Any:
        return type(None) if name.startswith("Type") else getattr(builtins, name)


_NAMES = _Names(vars(types) | {"datetime": datetime.datetime})


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    found = typing.get_type_hints(kind.__init__, {}, _NAMES)
    found.pop("return", None)
    return found


def make(kind: Any, dice: random.Random, depth: int = 0) -> Any:
    """An object of this type, whose fields are chosen by `dice`. It can be written as bytes."""
    if kind.__module__ == types.__name__:
        kind = getattr(types, kind.__name__)  # Telethon puts classes of its own in place of messages
    values = {name: _value(hint, dice, depth) for name, hint in hints_of(kind).items()}
    for _ in range(20):
        made = kind(**values)
        try:
            bytes(made)
        except (AttributeError, TypeError):
            break  # a field whose type has no name
        except AssertionError as error:  # fields that are there together or not at all
            names = str(error).partition(" parameters")[0].split(", ")
            values |= dict.fromkeys(names)
        else:
            return made
    raise ValueError(f"{kind.__name__} cannot be made")


def _value(hint: Any, dice: random.Random, depth: int) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, python_types.UnionType):
        if type(None) in inner and (depth > 2 or dice.random() < 0.6):
            return None
        choices = [each for each in inner if each is not type(None)]
        if depth >= _DEPTH:
            choices.sort(key=lambda each: len(hints_of(each)) if isinstance(each, type) else 0)
            choices = choices[:1]
        dice.shuffle(choices)
        for choice in choices:
            try:
                return _value(choice, dice, depth)
            except ValueError:
                continue
        raise ValueError(str(hint))
    if origin is list:
        return [_value(inner[0], dice, depth + 1) for _ in range(dice.choice((0, 1, 2)) if depth < 3 else 0)]
    if hint is type(None):
        return None
    if hint is int:
        return dice.choice(_INTS)
    if hint is str:
        return dice.choice(_TEXTS)
    if hint is bytes:
        return dice.randbytes(dice.choice((0, 1, 8, 16)))
    if hint is bool:
        return dice.random() < 0.5
    if hint is float:
        return dice.choice((0.0, 1.5, -1e300))
    if hint is datetime.datetime:
        return datetime.datetime.fromtimestamp(dice.choice((1, 1_780_790_400, 2**31 - 1)), datetime.UTC)
    return make(hint, dice, depth + 1) if isinstance(hint, type) else None
