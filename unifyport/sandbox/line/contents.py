"""What the played Messaging API accepts as a message, and how it refuses.

https://developers.line.biz/en/reference/messaging-api/#message-objects, #error-responses
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_MESSAGES = 5
MAX_TEXT = 5000  # UTF-16 units
# Type -> the properties that it must have.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "textV2": ("text",),
    "sticker": ("packageId", "stickerId"),
    "image": ("originalContentUrl", "previewImageUrl"),
    "video": ("originalContentUrl", "previewImageUrl"),
    "audio": ("originalContentUrl", "duration"),
    "location": ("title", "address", "latitude", "longitude"),
    "imagemap": ("baseUrl", "altText", "baseSize", "actions"),
    "template": ("altText", "template"),
    "flex": ("altText", "contents"),
    "coupon": ("couponId",),
}
QUOTABLE = ("text", "textV2", "sticker", "image", "video", "template")  # messages that can be quoted
QUOTING = ("text", "textV2", "sticker")
_URLS = ("originalContentUrl", "previewImageUrl", "baseUrl")


class LineError(Exception):
    """`{"message", "details": [...]}` with an HTTP status."""

    def __init__(self, status: int, message: str, *details: tuple[str, str]) -> None:
        super().__init__(message)
        self.status, self.message, self.details = status, message, details

    def body(self) -> dict[str, Any]:
        shown = [{"message": message, "property": where} for where, message in self.details]
        return {"message": self.message} | ({"details": shown} if shown else {})


def check_messages(messages: Any, is_quote_token: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The message objects of a request. Raises `LineError`."""
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        raise LineError(
            400, "The request body has 1 error(s)", ("messages", f"Size must be between 1 and {MAX_MESSAGES}")
        )
    faults = [
        fault
        for place, message in enumerate(messages)
        for fault in _faults(f"messages[{place}]", message, is_quote_token)
    ]
    if faults:
        raise LineError(400, f"The request body has {len(faults)} error(s)", *faults)
    return messages


def _faults(where: str, message: Any, is_quote_token: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str) or kind not in REQUIRED:
        yield f"{where}.type", f"Must be one of the following values: [{', '.join(REQUIRED)}]"
        return
    for name in REQUIRED[kind]:
        if message.get(name) in (None, ""):
            yield f"{where}.{name}", "May not be empty"
    for name in _URLS:
        if name in message and not str(message[name]).startswith("https://"):
            yield f"{where}.{name}", "Invalid URL scheme"
    text = message.get("text", "")
    if not isinstance(text, str) or len(text.encode("utf-16-le")) > 2 * MAX_TEXT:
        yield f"{where}.text", f"Length must be between 0 and {MAX_TEXT}"
    token = message.get("quoteToken")
    if token is not None and (kind not in QUOTING or not is_quote_token(token)):
        yield f"{where}.quoteToken", "Invalid quote token"
