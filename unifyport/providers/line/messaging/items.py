"""Events of a webhook as they came: decoding, keys, what is redacted."""

import hashlib
from typing import Any

import msgspec

from unifyport.model.inbound import dedupe_key
from unifyport.model.provider_data import ProviderData, Redactions, provider_data

LONGEST_ID = 512
# A reply token answers once; a read token marks as read. The quote token stays: a send takes it.
REDACTIONS: Redactions = {"": frozenset({"replyToken"}), "message": frozenset({"markAsReadToken"})}
OBJECT = msgspec.json.Decoder(dict[str, Any])
_OF_A_DELIVERY = ("replyToken", "deliveryContext")  # a redelivery has others


def item_of(item: Any, raw: bytes) -> ProviderData:
    """The platform's item for an event."""
    return provider_data(item, raw, REDACTIONS)


def event_key(destination: str, event_id: str, item: dict[str, Any]) -> bytes:
    """The key of an event: its id; without one, all that it says apart from the delivery."""
    if event_id:
        return dedupe_key("line", destination, "event", event_id)
    said = {name: value for name, value in item.items() if name not in _OF_A_DELIVERY}
    digest = hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()
    return dedupe_key("line", destination, "said", digest)


def checked_id(id_: str) -> str:
    """Raises `ValueError` for an id that is empty or too long."""
    if not 0 < len(id_) <= LONGEST_ID:
        raise ValueError("id")
    return id_
