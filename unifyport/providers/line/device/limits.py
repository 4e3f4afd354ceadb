"""Limits of a device, and what is refused before the platform is asked.

LINE publishes none for devices: those of texts and files are ours, and the platform may refuse less.
"""

from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.errors import Rejected

from .sent_fields import check_fields

MEBIBYTE = 1024 * 1024
MAX_TEXT = 10_000
MAX_DOWNLOAD = 1024 * MEBIBYTE
MAX_UPLOAD = {
    "image": 64 * MEBIBYTE,
    "video": 512 * MEBIBYTE,
    "audio": 64 * MEBIBYTE,
    "document": 1024 * MEBIBYTE,
}
PARALLEL_SENDS = 4
_PREFIXES = {"user": "u", "group": "cr"}


def check(message: OutboundMessage) -> None:
    """Raises `Rejected` for a message that the platform can only refuse."""
    mid = message.conversation_id
    if not (len(mid) == 33 and mid.isascii() and mid.isalnum()):
        raise Rejected("invalid_recipient", "to.id is not an id of LINE (`u…`, `c…` or `r…`)")
    if mid[0] not in _PREFIXES.get(message.conversation_type, ""):
        raise Rejected("invalid_recipient", f"to.id is not the id of a {message.conversation_type}")
    if isinstance(message, OutboundContacts) and len(message.contacts) > 1:
        raise Rejected("too_many_contacts", "a message of LINE has one contact")
    if isinstance(message, OutboundMedia) and message.text:
        raise Rejected("no_caption", "LINE shows no text with a file")
    content = check_fields(message)
    if isinstance(message, OutboundText) and not message.text and not content:
        raise Rejected("empty_text", "message.text is empty")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"message.text has more than {MAX_TEXT} characters")
