"""Our message -> Cloud API request. Pure.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages. A customer is addressed by phone
number, or by the business-scoped id that Meta gives for customers who hide their number
(https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids).
"""

import re
from typing import Any

from unifyport.model.message import Contact, OutboundContacts, OutboundMedia, OutboundMessage
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import invalid

from .send_fields import CONTENTS
from .sent_kinds import render_content

MAX_TEXT = 4096  # characters of `text.body`
MAX_CAPTION = 1024
MEBIBYTE = 1024 * 1024
# https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media#supported-media-types
MAX_UPLOAD = {
    "image": 5 * MEBIBYTE,
    "video": 16 * MEBIBYTE,
    "audio": 16 * MEBIBYTE,
    "document": 100 * MEBIBYTE,
}
_PHONE = re.compile(r"\+?([0-9]{5,20})(?:@s\.whatsapp\.net)?")
_GROUP = re.compile(r"[A-Za-z0-9+/=_-]{8,512}")
_SCOPED = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}")


def render(message: OutboundMessage) -> dict[str, Any]:
    """The body of a message, without media id and quote. The message's statuses repeat `client_ref`.

    Raises `Rejected` for a message that the platform would refuse.
    """
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        **recipient(message.conversation_id, message.conversation_type),
        **_content(message),
    }
    if message.client_ref:
        body["biz_opaque_callback_data"] = message.client_ref
    return body


def complete(message: OutboundMessage, media_id: str = "", *, quoted: str | None = None) -> dict[str, Any]:
    """The whole body, with the id of an uploaded file and the id of the quoted message."""
    body = {**message.rendered_by(render)}
    if media_id and isinstance(message, OutboundMedia):
        body[body["type"]] = {"id": media_id, **body[body["type"]]}
    if quoted is not None:
        body["context"] = {"message_id": quoted}
    return body


def _content(message: OutboundMessage) -> dict[str, Any]:
    contents = [name for name in CONTENTS if name in message.provider_data]
    match message:
        case OutboundMedia() | OutboundContacts() if contents:
            raise invalid(contents[0], "it is a message of its own, of type text")
        case OutboundMedia():
            return {"type": kind_of(message), kind_of(message): _media(message)}
        case OutboundContacts(contacts=contacts):
            return {"type": "contacts", "contacts": [_contact(contact) for contact in contacts]}
    if len(contents) > 1:
        raise invalid(contents[1], f"there is {contents[0]}, too")
    if contents:
        if message.conversation_type == "group" and contents[0] == "interactive":
            raise invalid("interactive", "WhatsApp takes none in groups")
        return render_content(contents[0], message.provider_data[contents[0]], message.text)
    if not message.text:
        raise Rejected("empty_text", "a text message needs a text")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"WhatsApp takes at most {MAX_TEXT} characters")
    given = message.provider_data
    options = {"preview_url": given["preview_url"]} if "preview_url" in given else {}
    return {"type": "text", "text": {"body": message.text, **options}}


def kind_of(message: OutboundMedia) -> str:
    """The type that a file is sent as. Raises `Rejected`."""
    send_as = message.provider_data.get("send_as")
    if send_as is None:
        return message.type
    if (message.type, send_as) != ("image", "sticker"):
        raise invalid("send_as", "an image may be a sticker; there is no other")
    return "sticker"


def _media(message: OutboundMedia) -> dict[str, Any]:
    if len(message.text) > MAX_CAPTION:
        raise Rejected("caption_too_long", f"WhatsApp takes at most {MAX_CAPTION} characters of a caption")
    content: dict[str, Any] = {}
    if "send_as" in message.provider_data and message.text:
        raise Rejected("caption_on_sticker", "WhatsApp shows no caption with a sticker")
    if message.type == "audio":
        if message.text:
            raise Rejected("caption_on_audio", "WhatsApp shows no caption with audio")
        if message.voice is not None:
            content["voice"] = True
    elif message.text:
        content["caption"] = message.text
    if message.type == "document" and message.name:
        content["filename"] = message.name
    return content


def _contact(contact: Contact) -> dict[str, Any]:
    """https://developers.facebook.com/docs/whatsapp/cloud-api/messages/contacts-messages"""
    card: dict[str, Any] = {"name": {"formatted_name": contact.name, "first_name": contact.name}}
    if contact.phones:
        card["phones"] = [{"phone": p.number, **({"type": p.type} if p.type else {})} for p in contact.phones]
    if contact.emails:
        card["emails"] = [
            {"email": e.address, **({"type": e.type} if e.type else {})} for e in contact.emails
        ]
    if contact.organization or contact.title:
        org = {"company": contact.organization, "title": contact.title}
        card["org"] = {name: value for name, value in org.items() if value}
    return card


def render_reaction(conversation_id: str, message_id: str, emoji: str) -> dict[str, Any]:
    """The body of a reaction; an empty `emoji` removes it. Raises `Rejected`.

    https://developers.facebook.com/docs/whatsapp/cloud-api/messages/reaction-messages
    """
    of_user = _PHONE.fullmatch(conversation_id) or _SCOPED.fullmatch(conversation_id)
    if not of_user and not _GROUP.fullmatch(conversation_id):
        raise Rejected(CONVERSATION_NOT_FOUND, "it is the id of no conversation of WhatsApp")
    return {
        "messaging_product": "whatsapp",
        **recipient(conversation_id, "user" if of_user else "group"),
        "type": "reaction",
        "reaction": {"message_id": message_id, "emoji": emoji},
    }


def render_read(message_id: str, *, typing: bool = False) -> dict[str, Any]:
    """The body that marks as read. `typing`: also shows the customer that the business is typing.

    https://developers.facebook.com/docs/whatsapp/cloud-api/typing-indicators
    """
    body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}
    return body | ({"typing_indicator": {"type": "text"}} if typing else {})


def canonical(conversation_id: str) -> str:
    """A conversation id in the form that events use: a phone number without `+` or domain."""
    phone = _PHONE.fullmatch(conversation_id)
    return phone[1] if phone is not None else conversation_id


def recipient(conversation_id: str, conversation_type: str) -> dict[str, str]:
    """The fields that name the recipient. Raises `Rejected` for an id of an unknown form."""
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
