"""What is needed to download a file that a customer sent: the handle of its attachment, as JSON.

An image or video is named by its id and its place in a conversation. A sticker or emoji has a URL, which
needs no credential.
"""

import attrs
import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.errors import Rejected


@attrs.frozen
class Handle:
    """Either `url`, or the other four. `media_type`: `IMAGE` or `VIDEO`."""

    url: str = ""
    conversation_id: str = ""
    message_id: str = ""
    media_id: str = ""
    media_type: str = ""


def by_id(conversation_id: str, message_id: str, media_id: str, media_type: str) -> bytes:
    return msgspec.json.encode([conversation_id, message_id, media_id, media_type])


def by_url(url: str) -> bytes:
    return msgspec.json.encode([url])


def read_handle(handle: bytes) -> Handle:
    """Raises `Rejected` for one that this module has not made."""
    try:
        parts = msgspec.json.decode(handle, type=list[str])
    except UNREADABLE:
        raise Rejected("media_not_found") from None
    if len(parts) == 1:
        return Handle(url=parts[0])
    if len(parts) != 4:
        raise Rejected("media_not_found")
    return Handle("", *parts)
