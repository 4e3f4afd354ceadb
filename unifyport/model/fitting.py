"""The size of an event: no event is given up because the platform's item, or a text, is large.

A body has at most `MAX_BODY` bytes. First the platform's item is left out, `data.provider_data_omitted` says
so, and the original is to be kept elsewhere. If that is not enough, long texts and lists are cut, and
`data.truncated` is true.
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from .provider_data import MAX_ITEM, ProviderData

MAX_BODY = 256 * 1024
_CUTS = ((32_768, 1_000), (8_192, 200), (1_024, 50), (128, 10))  # characters of a text, items of a list


class BodyTooLarge(Exception):
    """A body exceeds `MAX_BODY` whatever is cut: an id or a name of a field is too long."""


@attrs.define
class Fitted:
    """`original`: what came in, if the body does not hold all of it."""

    body: bytes
    original: bytes | None = None


def fit(data: dict[str, Any], item: ProviderData | None, encode: Callable[[dict[str, Any]], bytes]) -> Fitted:
    """The body of an event with `data`, by `encode`. Raises `BodyTooLarge`."""
    if item is not None:
        shown = msgspec.json.encode(item.item)
        if len(shown) <= MAX_ITEM:
            body = encode({**data, "provider_data": msgspec.Raw(shown), **_redacted(item)})
            if len(body) <= MAX_BODY:
                return Fitted(body)
    original = None
    if item is not None:
        original, data = item.raw, {**data, "provider_data_omitted": "too_large"}
    body = encode(data)
    cuts = iter(_CUTS)
    while len(body) > MAX_BODY:
        cut = next(cuts, None)
        if cut is None:
            raise BodyTooLarge(f"{len(body)} bytes")
        body = encode({**{part: _cut(value, *cut) for part, value in data.items()}, "truncated": True})
    return Fitted(body, original)


def _redacted(item: ProviderData) -> dict[str, Any]:
    return {"provider_data_redacted": item.redacted} if item.redacted else {}


def _cut(value: Any, characters: int, items: int) -> Any:
    """A copy with shorter texts and lists. Ids stay whole: one that is cut is another one."""
    match value:
        case str():
            return value[:characters]
        case list():
            return [_cut(inner, characters, items) for inner in value[:items]]
        case dict():
            return {
                name: inner if name == "id" or name.endswith("_id") else _cut(inner, characters, items)
                for name, inner in list(value.items())[:items]
            }
    return value
