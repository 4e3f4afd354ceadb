"""Our message -> Cloud API request. Pure.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages. A customer is named by his phone
number, or by the business-scoped id that Meta gives for customers who hide theirs
(https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids).
"""

import re
from typing import Any

from unifyport.model.message import OutboundText

from ..base import Rejected

MAX_TEXT = 4096  # characters of `text.body`
_PHONE = re.compile(r"\+?([0-9]{5,20})(?:@s\.whatsapp\.net)?")
_SCOPED = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}")


def render_text(message: OutboundText, *, client_ref: str = "", quoted: str | None = None) -> dict[str, Any]:
    """The body of a text. `client_ref` comes back in its statuses. Raises `Rejected` for what can only be refused."""
    if not message.text:
        raise Rejected("empty_text", "a text message needs a text")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"WhatsApp takes at most {MAX_TEXT} characters")
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        **recipient(message.conversation_id, message.conversation_type),
        "type": "text",
        "text": {"body": message.text},
    }
    if client_ref:
        body["biz_opaque_callback_data"] = client_ref
    if quoted is not None:
        body["context"] = {"message_id": quoted}
    return body


def render_read(message_id: str) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}


def canonical(conversation_id: str) -> str:
    """A conversation as events name it: a phone number is bare digits."""
    phone = _PHONE.fullmatch(conversation_id)
    return phone[1] if phone is not None else conversation_id


def recipient(conversation_id: str, conversation_type: str) -> dict[str, str]:
    """The fields that name the recipient. Raises `Rejected` for an id of no known form."""
    if conversation_type == "group":
        if _PHONE.fullmatch(conversation_id):
            raise Rejected("invalid_recipient", "to.id is a phone number, not a group")
        return {"recipient_type": "group", "to": conversation_id}
    phone = _PHONE.fullmatch(conversation_id)
    if phone is not None:
        return {"recipient_type": "individual", "to": phone[1]}
    if _SCOPED.fullmatch(conversation_id):
        return {"recipient_type": "individual", "recipient": conversation_id}
    raise Rejected("invalid_recipient", "to.id is not a phone number or a WhatsApp user id")
