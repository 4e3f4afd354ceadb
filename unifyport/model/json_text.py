"""JSON from platforms that a strict decoder refuses: half of a surrogate pair, from a text cut in the middle,
and bytes that are no UTF-8.

They stand for no character. The decoder would refuse the whole document for them, and with it everything else
that the platform reported.
"""

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from .json_depth import too_deep

T = TypeVar("T")

# What decoding raises: no JSON or another shape; no UTF-8; nested too deeply.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_OBJECT = msgspec.json.Decoder(dict[str, Any])
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def as_utf8(text: bytes) -> bytes:
    """The text with U+FFFD for bytes that are no UTF-8; the text itself if there are none."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def without_lone_surrogates(text: bytes) -> bytes:
    """The text with U+FFFD for each half of a pair; the text itself if there is none."""
    return _ESCAPES.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)


def decode_text(text: bytes | Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """JSON in the shape of `decoder`, with U+FFFD for what stands for no character.

    Parts that are decoded later (`Raw`) have that, too. Raises `UNREADABLE`.
    """
    body = as_utf8(bytes(text))
    try:
        return decoder.decode(body)
    except UNREADABLE:
        repaired = without_lone_surrogates(body)
        if repaired == body:
            raise
        return decoder.decode(repaired)


def decode_object(text: bytes | Raw) -> dict[str, Any]:
    """Raises `UNREADABLE`, and `ValueError` for an object that nests too deep."""
    body = bytes(text)
    if too_deep(body):
        raise ValueError("too_deep")
    return decode_text(body, _OBJECT)


def without_nulls(value: Any) -> Any:
    """A copy without fields that are null, which mean the same as fields that are not there."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value
