"""Orders of the control port, read by the shape that they must have."""

import re
from typing import Any, Final, TypeVar

import msgspec

Shape = TypeVar("Shape")
_AT: Final = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_ABOUT_A_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.DOTALL)


def read(order: dict[str, Any], shape: type[Shape]) -> Shape:
    """`shape` is a `msgspec.Struct`. Raises `ValueError` naming the wrong field: `media.type: …`."""
    try:
        return msgspec.convert(order, shape)
    except msgspec.ValidationError as error:
        raise ValueError(_naming(str(error))) from None


def text_of(order: dict[str, Any], name: str) -> str:
    """A field that must be a text with something in it. Raises `ValueError`."""
    value = order.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: must be a text")
    return value


def _naming(message: str) -> str:
    at = _AT.fullmatch(message)
    said, path = (at[1], at[2]) if at else (message, "")
    about = _ABOUT_A_FIELD.fullmatch(said)
    if about is None:
        return f"{path}: {said[:1].lower()}{said[1:]}"
    name = f"{path}.{about[2]}" if path else about[2]
    return f"{name}: is missing" if about[1].startswith("missing") else f"{name}: there is no such field"
