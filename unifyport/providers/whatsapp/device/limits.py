"""Limits of a linked device, and what is refused before the platform is asked.

https://faq.whatsapp.com/1110600769849613 (sizes of files); the length of a text is that of the apps.
"""

from unifyport.model.message import OutboundMessage, OutboundText
from unifyport.providers.contract.errors import Rejected

from .addresses import read_recipient

MEBIBYTE = 1024 * 1024
MAX_TEXT = 65_536  # characters
MAX_DOWNLOAD = 2048 * MEBIBYTE
MAX_UPLOAD = {
    "image": 64 * MEBIBYTE,
    "video": 256 * MEBIBYTE,
    "audio": 64 * MEBIBYTE,
    "document": 2048 * MEBIBYTE,
}
PARALLEL_SENDS = 4
MOST_LISTED = 1000  # contacts, or options of a poll, of a message that came in; apps allow 257 and 12


def check(message: OutboundMessage) -> None:
    """Raises `Rejected` for a message that the platform can only refuse."""
    try:
        recipient = read_recipient(message.conversation_id)
    except ValueError:
        raise Rejected("invalid_recipient", "to.id is not a phone number or a WhatsApp id") from None
    if recipient.is_group != (message.conversation_type == "group"):
        raise Rejected("invalid_recipient", f"to.id is not the id of a {message.conversation_type}")
    if isinstance(message, OutboundText) and not message.text:
        raise Rejected("empty_text", "message.text is empty")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"message.text has more than {MAX_TEXT} characters")
