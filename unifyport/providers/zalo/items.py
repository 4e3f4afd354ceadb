"""Items of webhooks and of polls: decoding, times, keys."""

import re
from typing import Any

import msgspec

from unifyport.model.times import LAST_MS

LONGEST_ID = 256
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_DIGITS = re.compile(r"[0-9]{1,15}")
_FIRST_MS = 10**12  # smaller numbers are seconds


def milliseconds(value: str | int) -> int | None:
    """Unix milliseconds of a time in milliseconds or in seconds; None if it is no time."""
    if not _DIGITS.fullmatch(str(value)) or not int(value):
        return None
    at = int(value)
    at = at * 1000 if at < _FIRST_MS else at
    return at if at <= LAST_MS else None


def usable(id_: str) -> str:
    """An id that is there. Raises `ValueError`."""
    if not id_ or len(id_) > LONGEST_ID:
        raise ValueError("id")
    return id_
