"""Items of a webhook: lists that are decoded one by one, times, keys."""

import contextlib
import re
from typing import Any

import msgspec
from msgspec import Raw

from unifyport.model.json_text import UNREADABLE
from unifyport.model.provider_data import ProviderData, Redactions, provider_data

LONGEST_ID = 512
# URLs of files open with our token, or without any; a customer's own URLs and `referral.source_url` stay.
_FILES = ("image", "video", "audio", "document", "sticker")
REDACTIONS: Redactions = {
    **{name: frozenset({"url"}) for name in _FILES},
    "referral": frozenset({"image_url", "video_url", "thumbnail_url"}),
    "profile": frozenset({"picture", "picture_url"}),
}
# Decoders are made once: each call with a type that is no class would make a new one.
_ITEMS = msgspec.json.Decoder(list[Raw] | None)
OBJECT = msgspec.json.Decoder(dict[str, Any])
PARTS = msgspec.json.Decoder(dict[str, Raw])
_DIGITS = re.compile(r"[0-9]{1,11}")


def read_list(items: Raw) -> list[Raw]:
    """The items of a list; absent and null are an empty list. Raises `UNREADABLE` if it is no list."""
    return _ITEMS.decode(items) or []


def milliseconds(seconds: str | int) -> int:
    """Unix milliseconds. Raises `ValueError` if it is not a number of seconds."""
    if not _DIGITS.fullmatch(str(seconds)):
        raise ValueError("timestamp")
    return int(seconds) * 1000


def made_at(time: Any) -> int | None:
    """The time of a webhook, seconds or milliseconds, in unix ms; None if it says none."""
    if isinstance(time, int) and 10**12 < time < 10**14:
        return time
    with contextlib.suppress(ValueError):
        return milliseconds(time)
    return None


def usable_id(id_: str, key: bytes) -> str:
    """The id of a message; where the platform gives an empty one, an id of this item alone.

    Raises `ValueError` for one that is too long.
    """
    if len(id_) > LONGEST_ID:
        raise ValueError("id")
    return id_ or f"item:{key.hex()}"


def item_of(item: Any, raw: bytes) -> ProviderData:
    """The platform's item for an event."""
    return provider_data(item, raw, REDACTIONS)


def decoded(raw: bytes) -> ProviderData | None:
    """The item for an event; None if it is not JSON."""
    with contextlib.suppress(*UNREADABLE):
        return item_of(msgspec.json.decode(raw), raw)
    return None
