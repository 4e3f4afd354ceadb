"""JSON from platforms that a strict decoder refuses: half of a surrogate pair, from a text cut in the middle,
bytes that are no UTF-8, and values that nest too deeply.

They stand for no character, or for nothing that is known. The decoder would refuse the whole document for
them, and with it everything else that the platform reported; a page that is polled would come for ever.
"""

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from .json_depth import MAX_DEPTH, too_deep

T = TypeVar("T")

KEPT_DEPTH = MAX_DEPTH + 16  # of an answer; the items in it begin at a depth of 16 at most

# What decoding raises: no JSON or another shape; no UTF-8; nested too deeply.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_OBJECT = msgspec.json.Decoder(dict[str, Any])
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]+|[\]}]+', re.DOTALL)
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
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    return _ESCAPES.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)


def readable(text: bytes) -> bytes:
    """The text without lone surrogates, and with a string that quotes it for each value that nests deeper
    than `KEPT_DEPTH`.
    """
    text = without_lone_surrogates(text)
    return _shallow(text, KEPT_DEPTH) if too_deep(text, KEPT_DEPTH) else text


def _shallow(text: bytes, limit: int) -> bytes:
    pieces: list[bytes] = []
    depth = kept = began = 0
    for token in _TOKENS.finditer(text):
        first, length = token[0][0], len(token[0])
        if first in b"{[":
            if depth <= limit < depth + length:
                began = token.start() + limit - depth
                pieces.append(text[kept:began])
            depth += length
        elif first in b"}]":
            if depth - length <= limit < depth:
                kept = token.start() + depth - limit
                pieces.append(msgspec.json.encode(text[began:kept].decode()))
            depth -= length
    return b"".join([*pieces, text[kept:]]) if depth <= limit else text


def decode_text(text: bytes | Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """JSON in the shape of `decoder`, with U+FFFD for what stands for no character, and where it cannot be
    decoded otherwise with a string for what nests deeper than `KEPT_DEPTH`.

    Parts that are decoded later (`Raw`) have that, too: an item in which something was quoted is still
    `too_deep`, so its parser puts it into quarantine with all that it said. Raises `UNREADABLE`.
    """
    body = as_utf8(bytes(text))
    try:
        return decoder.decode(body)
    except UNREADABLE:
        repaired = readable(body)
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
