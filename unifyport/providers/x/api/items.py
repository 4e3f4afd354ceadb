"""Items of events: times, keys, and the platform's item for an event."""

import contextlib
from datetime import datetime

import msgspec

from unifyport.model.inbound import dedupe_key
from unifyport.model.json_text import UNREADABLE
from unifyport.model.provider_data import ANYWHERE, ProviderData, Redactions, provider_data

_FIRST, _LAST = 1_000_000_000_000, 99_999_999_999_999  # unix ms: 2001 to 5138
# URLs of files, which open without our checks, and the token by which one may write to a conversation.
REDACTIONS: Redactions = {
    ANYWHERE: frozenset(
        {
            "conversation_token",
            "media_url",
            "media_url_https",
            "preview_image_url",
            "profile_image_url",
            "profile_image_url_https",
            "profile_banner_url",
        }
    ),
    "variants": frozenset({"url"}),
}


def milliseconds(text: str | int | None) -> int:
    """Unix milliseconds of a number of them. Raises `ValueError`."""
    number = str(text)
    if not number.isascii() or not number.isdigit() or not _FIRST <= int(number[:15]) <= _LAST:
        raise ValueError("timestamp")
    return int(number)


def instant(text: str) -> int:
    """Unix milliseconds of an RFC 3339 time. Raises `ValueError`."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("timestamp")
    return milliseconds(round(at.timestamp() * 1000))


def message_key(me: str, id_: str) -> bytes:
    """The key of a direct message, whichever way it is reported."""
    return dedupe_key("x", me, "message", id_)


def decoded(raw: bytes) -> ProviderData | None:
    """The item for an event; None if it is not JSON."""
    with contextlib.suppress(*UNREADABLE):
        return provider_data(msgspec.json.decode(raw), raw, REDACTIONS)
    return None
