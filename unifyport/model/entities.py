"""Entities: parts of a text with a meaning, such as a link behind words or a mention.

Their names are Telegram's, for all channels. Offsets and lengths are in Unicode code points, so that
`text[offset : offset + length]` is the part in Python; JavaScript counts as Telegram does, in UTF-16 units.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_WIDE = 0x10000  # from here on a character takes two UTF-16 units


def in_code_points(text: str, entities: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Entities that count in UTF-16 units, counted in code points; without those outside of the text."""
    places: Sequence[int] = range(len(text) + 1) if text.isascii() else _places(text)
    found = []
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        if 0 <= begin <= end < len(places):
            offset = places[begin]
            found.append({**entity, "offset": offset, "length": places[end] - offset})
    return found


def _places(text: str) -> list[int]:
    """For each offset in UTF-16 units, up to the end, the offset in code points."""
    places: list[int] = []
    for number, character in enumerate(text):
        places += [number] * (2 if ord(character) >= _WIDE else 1)
    return [*places, len(text)]


def in_utf16(text: str, entities: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Entities that count in code points and lie inside of the text, counted in UTF-16 units."""
    found = []
    for entity in entities:
        before = text[: entity["offset"]]
        inside = text[entity["offset"] : entity["offset"] + entity["length"]]
        found.append({**entity, "offset": utf16_length(before), "length": utf16_length(inside)})
    return found


def utf16_length(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) + sum(1 for character in text if ord(character) >= _WIDE)
