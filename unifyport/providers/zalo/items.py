"""Items of webhooks and of polls: decoding, times, keys."""

import hashlib
import re
from typing import Any

import msgspec

from unifyport.model.inbound import dedupe_key
from unifyport.model.json_depth import too_deep
from unifyport.model.json_text import UNREADABLE, as_utf8, without_lone_surrogates
from unifyport.model.provider_data import ProviderData, Redactions, provider_data

LONGEST_ID = 256
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_DIGITS = re.compile(r"[0-9]{1,15}")
_FIRST_MS = 10**12  # smaller numbers are seconds


def decode_object(raw: bytes) -> dict[str, Any]:
    """Raises `DecodeError`, and `ValueError` for what nests too deep."""
    if too_deep(raw):
        raise ValueError("too_deep")
    try:
        return _OBJECT.decode(raw)
    except UNREADABLE:
        return _OBJECT.decode(without_lone_surrogates(as_utf8(raw)))


def without_nulls(value: Any) -> Any:
    """A copy without fields that are null, which mean the same as fields that are not there."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def milliseconds(value: str | int) -> int | None:
    """Unix milliseconds of a time in milliseconds or in seconds; None if it is no time."""
    if not _DIGITS.fullmatch(str(value)) or not int(value):
        return None
    at = int(value)
    return at * 1000 if at < _FIRST_MS else at


def raw_key(identity: str, raw: bytes) -> bytes:
    """The key of an item without an id: the hash of its text."""
    return dedupe_key("zalo", identity, "raw", hashlib.sha256(raw).hexdigest())


def usable(id_: str) -> str:
    """An id that is there. Raises `ValueError`."""
    if not id_ or len(id_) > LONGEST_ID:
        raise ValueError("id")
    return id_


def item_of(item: Any, raw: bytes, redactions: Redactions) -> ProviderData:
    return provider_data(item, raw, redactions)
