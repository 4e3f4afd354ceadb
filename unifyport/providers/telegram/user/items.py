"""The platform's objects as events carry them in `provider_data`: names of the API, no credentials.

Bytes are base64, times are RFC 3339, integers of 64 bits are strings, as JSON's readers round them.
"""

import base64
import datetime
from typing import Any

import msgspec

from unifyport.model.provider_data import ANYWHERE, ProviderData, Redactions, provider_data

# A hash and a reference open a file or reach a peer with this account's key.
REDACTIONS: Redactions = {ANYWHERE: frozenset({"access_hash", "file_reference"})}
# Pictures in a few bytes, which say nothing that the file does not.
_LEFT_OUT = frozenset({"thumbs", "video_thumbs", "stripped_thumb"})
_LONG = frozenset(
    "id user_id chat_id channel_id access_hash grouped_id via_bot_id via_business_bot_id document_id photo_id"
    " poll_id call_id random_id stickerset_id inviter_id new_creator_id bot_id query_id hash".split()
)
_SMALL = (
    "Message",
    "MessageService",
    "MessageEmpty",
    "UpdateMessageID",
    "TodoItem",
    "TodoCompletion",
    "StoryItem",
)
_INT32 = 2**31


def item_of(thing: Any) -> ProviderData:
    """An object of the API as the item of an event."""
    item = plain(thing)
    return provider_data(item, msgspec.json.encode(item), REDACTIONS)


def plain(thing: Any) -> Any:
    """An object of the API as plain values; `_` is its constructor. Fields without a value are left out."""
    return _plain(thing.to_dict(), "", "")


def _plain(value: Any, name: str, within: str) -> Any:
    match value:
        case dict():
            kind = str(value.get("_", ""))
            return {
                field: _plain(inner, field, kind)
                for field, inner in value.items()
                if inner is not None and inner is not False and field not in _LEFT_OUT
            }
        case list():
            return [_plain(inner, name, within) for inner in value]
        case bool():
            return value
        case int():
            is_long = name in _LONG and not (name == "id" and within in _SMALL)
            return str(value) if is_long or not -_INT32 <= value < _INT32 else value
        case bytes():
            return base64.b64encode(value).decode()
        case datetime.datetime():
            return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
        case float() if value != value or value in (float("inf"), float("-inf")):
            return str(value)
    return value
