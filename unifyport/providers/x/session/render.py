"""What a session can send, checked before a file is fetched."""

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.providers.contract.errors import Rejected

from ..api.people import PAIR, USER
from ..xchat.ids import GROUP
from .limits import MAX_TEXT


def check(message: OutboundMessage) -> OutboundMessage:
    """Raises `Rejected`."""
    to = message.conversation_id
    if not (GROUP.fullmatch(to) or USER.fullmatch(to) or PAIR.fullmatch(to)):
        raise Rejected("conversation_not_found", "X names people by decimal ids, and groups by g and digits")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"X takes at most {MAX_TEXT} characters")
    if not message.text and not isinstance(message, OutboundMedia):
        raise Rejected("empty_text")
    return message
