"""Values of the platform's objects."""

from typing import Any


def name_of(thing: Any, prefix: str) -> str:
    """The platform's word in the Bot API's spelling: `MessageMediaVideoStream` is `video_stream`."""
    word = type(thing).__name__.removeprefix(prefix)
    letters = [f"_{letter.lower()}" if letter.isupper() else letter for letter in word]
    return "".join(letters).lstrip("_") or "message"


def plain_text(text: Any) -> str:
    return text if isinstance(text, str) else getattr(text, "text", "") or ""


def unix(date: Any) -> int:
    return int(date.timestamp()) if date is not None else 0
