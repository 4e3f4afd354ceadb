"""Our message -> Bot API request. Pure; https://core.telegram.org/bots/api#available-methods."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.model.vcard import vcard
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import invalid

from . import albums
from .marks import entities_of, parse_mode_of
from .people import split_id
from .send_fields import CONTENTS, OPTIONS, options_of
from .sent_kinds import MAX_CAPTION, render_content

MAX_TEXT = 4096  # characters after entities parsing
MAX_VCARD = 2048  # bytes
MAX_CALLBACK_DATA = 64  # bytes
MEBIBYTE = 1024 * 1024
MAX_DOWNLOAD = 20 * MEBIBYTE  # https://core.telegram.org/bots/api#getfile
# Files sent as multipart/form-data: https://core.telegram.org/bots/api#sending-files
MAX_UPLOAD = {
    "image": 10 * MEBIBYTE,
    "video": 50 * MEBIBYTE,
    "audio": 50 * MEBIBYTE,
    "document": 50 * MEBIBYTE,
}
# (message type, `send_as`) -> method, form field of the file
_METHODS = {
    ("image", ""): ("sendPhoto", "photo"),
    ("image", "sticker"): ("sendSticker", "sticker"),
    ("video", ""): ("sendVideo", "video"),
    ("video", "animation"): ("sendAnimation", "animation"),
    ("video", "video_note"): ("sendVideoNote", "video_note"),
    ("video", "sticker"): ("sendSticker", "sticker"),
    ("audio", ""): ("sendAudio", "audio"),
    ("audio", "voice"): ("sendVoice", "voice"),
    ("document", ""): ("sendDocument", "document"),
}
_WITHOUT_CAPTION = ("sendSticker", "sendVideoNote")
_KEYBOARDS = ("inline_keyboard", "keyboard", "remove_keyboard", "force_reply")


@attrs.frozen
class Request:
    """A method with its parameters. `file`: the form field of the message's file, which makes it a form."""

    method: str
    fields: dict[str, Any]
    file: str = ""

    def form(self) -> dict[str, str]:
        return {name: _as_form_field(value) for name, value in self.fields.items()}


def render(message: OutboundMessage) -> Request:
    """The request that sends a message. Raises `Rejected` for one that the platform would refuse."""
    match message:
        case OutboundText():
            method, fields = _text(message)
            file = ""
        case OutboundMedia():
            method, file, fields = _media(message)
        case OutboundContacts():
            method, fields = "sendContact", _contact(message)
            file = ""
        case _:
            raise Rejected("unsupported_message_type")
    return Request(
        method,
        {**chat_of(message.conversation_id), **fields, **_reply(message), **_options(message, method)},
        file,
    )


def _text(message: OutboundText) -> tuple[str, dict[str, Any]]:
    contents = [name for name in CONTENTS if name in message.provider_data]
    if len(contents) > 1:
        raise invalid(contents[1], f"there is {contents[0]}, too")
    _refuse(message, "send_as")
    if contents == [albums.FIELD]:
        marks = _marked_up(message, "caption_entities")
        return albums.METHOD, {
            "media": albums.render_album(message.provider_data["album"], message.text, marks)
        }
    if contents:
        [name] = contents
        _refuse(message, "parse_mode", "entities")
        method, fields = render_content(name, message.provider_data[name], message.text)
        if name == "checklist" and split_id(message.conversation_id)[1] is None:
            raise invalid(name, "Telegram takes it in a chat of a business connection only")
        return method, fields
    if not message.text:
        raise Rejected("empty_text", "a text message needs a text")
    if message.parse_mode is None and len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"Telegram takes at most {MAX_TEXT} characters")
    return "sendMessage", {"text": message.text, **_marked_up(message, "entities")}


def _media(message: OutboundMedia) -> tuple[str, str, dict[str, Any]]:
    """(method, form field of the file, the other parameters)."""
    _refuse_contents(message)
    send_as = message.provider_data.get("send_as", "")
    if message.voice is not None:
        send_as = "voice"
    if (message.type, send_as) not in _METHODS:
        known = [name for kind, name in _METHODS if kind == message.type and name]
        raise invalid("send_as", f"of {message.type} it must be one of: {', '.join(known) or 'none'}")
    method, file = _METHODS[message.type, send_as]
    fields: dict[str, Any] = {}
    if message.text:
        if method in _WITHOUT_CAPTION:
            raise Rejected("no_caption", f"Telegram shows no caption with a {send_as}")
        if message.parse_mode is None and len(message.text) > MAX_CAPTION:
            raise Rejected(
                "caption_too_long", f"Telegram takes at most {MAX_CAPTION} characters of a caption"
            )
        fields["caption"] = message.text
    fields |= _marked_up(message, "caption_entities")
    if message.voice is not None and message.voice.seconds is not None:
        fields["duration"] = message.voice.seconds
    return method, file, fields


def _contact(message: OutboundContacts) -> dict[str, Any]:
    """Of `sendContact`, which takes one contact with a phone number."""
    _refuse_contents(message)
    _refuse(message, "parse_mode", "entities", "send_as")
    if len(message.contacts) != 1 or not message.contacts[0].phones:
        raise Rejected("one_contact_with_a_phone", "Telegram takes one contact at a time, with a phone")
    [contact] = message.contacts
    card = vcard(contact)
    if len(card.encode()) > MAX_VCARD:
        raise Rejected("contact_too_long", f"Telegram takes a contact of at most {MAX_VCARD} bytes")
    return {"phone_number": contact.phones[0].number, "first_name": contact.name, "vcard": card}


def _refuse_contents(message: OutboundMessage) -> None:
    for name in CONTENTS:
        if name in message.provider_data:
            raise invalid(name, "it is a message of its own, of type text")


def _refuse(message: OutboundMessage, *names: str) -> None:
    for name in names:
        if name in message.provider_data:
            raise invalid(name, "has no effect on this message")


def _marked_up(message: OutboundMessage, field: str) -> dict[str, Any]:
    """The mark-up of a text: a parse mode, or the entities under the name `field`."""
    entities = message.provider_data.get("entities")
    if message.parse_mode is None:
        return {} if not entities else {field: entities_of("entities", message.text, entities)}
    if entities:
        raise invalid("entities", "there is a parse_mode, too")
    return {"parse_mode": parse_mode_of(message.parse_mode)}


def _reply(message: OutboundMessage) -> dict[str, Any]:
    given = message.provider_data.get("reply_parameters", {})
    if message.reply_to_message_id is not None:
        given = {**given, "message_id": message_number(message.reply_to_message_id)}
    elif given and type(given.get("message_id")) is not int:
        raise invalid("reply_parameters.message_id", "must be a number, or left out with reply_to")
    return {"reply_parameters": given} if given else {}


def names_message(message: OutboundMessage) -> bool:
    """Whether a message quotes one of its own chat, by number."""
    given = message.provider_data.get("reply_parameters", {})
    return message.reply_to_message_id is not None or ("message_id" in given and "chat_id" not in given)


def _options(message: OutboundMessage, method: str) -> dict[str, Any]:
    if not message.provider_data:
        return {}
    given = {name: value for name, value in message.provider_data.items() if name in OPTIONS}
    without_effect = sorted(given.keys() - options_of(method))
    if without_effect:
        raise invalid(without_effect[0], "has no effect on this message")
    for name in ("message_thread_id", "direct_messages_topic_id"):
        if name in given:
            given[name] = _topic(name, given[name])
    if "reply_markup" in given:
        _check_keyboard(given["reply_markup"])
    return given


def _topic(name: str, value: int | str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise invalid(name, "must be a number")
    return int(text)


def _check_keyboard(markup: Mapping[str, Any]) -> None:
    kinds = [kind for kind in _KEYBOARDS if kind in markup]
    if len(kinds) == 2 and kinds[0] != "remove_keyboard" and kinds[1] == "force_reply":
        kinds.pop()  # the field of a keyboard that has this name
    if len(kinds) != 1:
        raise invalid("reply_markup", f"must have one of {', '.join(_KEYBOARDS)}")
    rows = markup[kinds[0]]
    if kinds[0] not in ("inline_keyboard", "keyboard"):
        return
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise invalid(f"reply_markup.{kinds[0]}", "must be a list of rows of buttons")
    places = ((row, column) for row, buttons in enumerate(rows) for column in range(len(buttons)))
    for row, column in places:
        button = rows[row][column]
        text = button.get("text") if isinstance(button, dict) else button
        if not isinstance(text, str) or not text or (kinds[0] == "inline_keyboard" and text is button):
            raise invalid(f"reply_markup.{kinds[0]}[{row}][{column}]", "needs a text")
        if kinds[0] == "inline_keyboard" and len(button) < 2:
            raise invalid(f"reply_markup.{kinds[0]}[{row}][{column}]", "needs callback_data, url, ...")
        data = button.get("callback_data") if isinstance(button, dict) else None
        if data is not None and not (
            isinstance(data, str) and 0 < len(data.encode("utf-8", "replace")) <= MAX_CALLBACK_DATA
        ):
            place = f"reply_markup.{kinds[0]}[{row}][{column}].callback_data"
            raise invalid(place, f"must be 1 to {MAX_CALLBACK_DATA} bytes")


def chat_of(conversation_id: str) -> dict[str, Any]:
    """The parameters that name a conversation: the chat, and the business connection that leads there."""
    chat, connection = split_id(conversation_id)
    return {"chat_id": chat_id(chat)} | ({"business_connection_id": connection} if connection else {})


def chat_id(conversation_id: str) -> int | str:
    """The `chat_id` of a request: a number, or the `@name` of a public chat."""
    digits = conversation_id.removeprefix("-")
    return int(conversation_id) if digits.isascii() and digits.isdigit() else conversation_id


def message_number(message_id: str) -> int:
    """The `message_id` of a request. Raises `Rejected` for an id of ours: of a pressed button, of a message
    that has no number.
    """
    if not (message_id.isascii() and message_id.isdigit() and 0 < int(message_id[:20]) < 2**31):
        raise Rejected("invalid_message_id", "it is not the number of a message of Telegram")
    return int(message_id)


def _as_form_field(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
