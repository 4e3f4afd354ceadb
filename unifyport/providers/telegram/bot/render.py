"""Our message -> Bot API request. Pure; https://core.telegram.org/bots/api#available-methods."""

from typing import Any

from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.model.vcard import vcard
from unifyport.providers.contract.errors import Rejected

from .people import split_id

MAX_TEXT = 4096  # characters after entities parsing
MAX_CAPTION = 1024
MAX_VCARD = 2048  # bytes
MEBIBYTE = 1024 * 1024
MAX_DOWNLOAD = 20 * MEBIBYTE  # https://core.telegram.org/bots/api#getfile
# Files sent as multipart/form-data: https://core.telegram.org/bots/api#sending-files
MAX_UPLOAD = {
    "image": 10 * MEBIBYTE,
    "video": 50 * MEBIBYTE,
    "audio": 50 * MEBIBYTE,
    "document": 50 * MEBIBYTE,
}
_METHODS = {
    "image": ("sendPhoto", "photo"),
    "video": ("sendVideo", "video"),
    "audio": ("sendAudio", "audio"),
    "document": ("sendDocument", "document"),
}
_PARSE_MODES = {"markdown": "Markdown", "markdownv2": "MarkdownV2", "html": "HTML"}


def render_text(message: OutboundText) -> dict[str, Any]:
    """The body of `sendMessage`. Raises `Rejected` for a message that the platform would refuse."""
    if not message.text:
        raise Rejected("empty_text", "a text message needs a text")
    if message.parse_mode is None and len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"Telegram takes at most {MAX_TEXT} characters")
    return {**target(message), "text": message.text, **_parse_mode(message)}


def render_media(message: OutboundMedia) -> tuple[str, str, dict[str, str]]:
    """(method, form field of the file, the other form fields). Raises `Rejected`."""
    if message.parse_mode is None and len(message.text) > MAX_CAPTION:
        raise Rejected("caption_too_long", f"Telegram takes at most {MAX_CAPTION} characters of a caption")
    method, field = _METHODS[message.type]
    fields = {name: str(value) for name, value in target(message).items()} | _parse_mode(message)
    if message.text:
        fields["caption"] = message.text
    if message.voice is not None:
        method, field = "sendVoice", "voice"
        if message.voice.seconds is not None:
            fields["duration"] = str(message.voice.seconds)
    return method, field, fields


def render_contacts(message: OutboundContacts) -> dict[str, Any]:
    """The body of `sendContact`, which takes one contact with a phone number. Raises `Rejected`."""
    if len(message.contacts) != 1 or not message.contacts[0].phones:
        raise Rejected("one_contact_with_a_phone", "Telegram takes one contact at a time, with a phone")
    [contact] = message.contacts
    card = vcard(contact)
    if len(card.encode()) > MAX_VCARD:
        raise Rejected("contact_too_long", f"Telegram takes a contact of at most {MAX_VCARD} bytes")
    return {
        **target(message),
        "phone_number": contact.phones[0].number,
        "first_name": contact.name,
        "vcard": card,
    }


def check(message: OutboundMessage) -> object:
    """The rendered message. Raises `Rejected` for a message that the platform would refuse."""
    match message:
        case OutboundText():
            return render_text(message)
        case OutboundMedia():
            return render_media(message)
        case OutboundContacts():
            return render_contacts(message)
    raise Rejected("unsupported_message_type")


def _parse_mode(message: OutboundMessage) -> dict[str, str]:
    if message.parse_mode is None:
        return {}
    mode = _PARSE_MODES.get(message.parse_mode.lower())
    if mode is None:
        raise Rejected("unknown_parse_mode", "parse_mode is Markdown, MarkdownV2 or HTML")
    return {"parse_mode": mode}


def target(message: OutboundMessage) -> dict[str, Any]:
    """Where a message goes: the chat, and the business connection whose owner writes there."""
    chat, connection = split_id(message.conversation_id)
    return {"chat_id": chat_id(chat)} | ({"business_connection_id": connection} if connection else {})


def chat_id(conversation_id: str) -> int | str:
    """The `chat_id` of a request: a number, or the `@name` of a public chat."""
    digits = conversation_id.removeprefix("-")
    return int(conversation_id) if digits.isascii() and digits.isdigit() else conversation_id
