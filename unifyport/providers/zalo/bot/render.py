"""Our message -> a method of the Bot Platform and its parameters. Pure.

https://bot.zaloplatforms.com/docs/apis/sendMessage, sendPhoto, sendSticker, sendVoice.
"""

import contextlib
import re
from typing import Any

import attrs

from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.net.urls import NotAUrl, locate
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import fits, invalid

from .limits import MAX_TEXT
from .send_fields import CONTENTS

_CHAT = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_PARSE_MODES = ("markdown", "html")
_LONGEST_URL = 2048


@attrs.frozen
class Request:
    method: str
    fields: dict[str, Any]


def render(message: OutboundMessage) -> Request:
    """The request that sends a message. Raises `Rejected` for one that the platform would refuse."""
    contents = [name for name in CONTENTS if name in message.provider_data]
    if len(contents) > 1:
        raise invalid(contents[1], f"there is {contents[0]}, too")
    chat = {"chat_id": chat_id(message.conversation_id)}
    if isinstance(message, OutboundMedia):
        if message.provider_data:
            raise invalid(next(iter(message.provider_data)), "has an effect on a text only")
        return Request("sendPhoto", {**chat, **_caption(message), "photo": _file_url(message)})
    if not isinstance(message, OutboundText):
        raise Rejected("unsupported_message_type", "Zalo takes texts, and files by a public URL")
    if not contents:
        return Request("sendMessage", {**chat, **_text(message)})
    [name] = contents
    if "text_styles" in message.provider_data:
        raise invalid("text_styles", "has an effect on a text only")
    method, fields = _CONTENT[name](message, message.provider_data[name])
    return Request(method, {**chat, **fields})


def chat_id(conversation_id: str) -> str:
    """Raises `Rejected` for an id of an unknown form."""
    if not _CHAT.fullmatch(conversation_id):
        raise Rejected("invalid_recipient", "to.id is not the id of a chat at Zalo")
    return conversation_id


def _text(message: OutboundText) -> dict[str, Any]:
    if not message.text:
        raise Rejected("empty_text", "a text message needs a text")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"Zalo takes at most {MAX_TEXT} characters")
    fields: dict[str, Any] = {"text": message.text}
    styles = message.provider_data.get("text_styles")
    if message.parse_mode is not None:
        if message.parse_mode.lower() not in _PARSE_MODES:
            raise Rejected("unknown_parse_mode", "parse_mode is markdown or html")
        if styles:
            raise invalid("text_styles", "there is a parse_mode, too")
        fields["parse_mode"] = message.parse_mode.lower()
    elif styles:
        fields["text_styles"] = _styles(styles, len(message.text.encode("utf-16-le")) // 2)
    return fields


def _styles(styles: list[Any], length: int) -> list[Any]:
    for style in styles:
        start, size = (style.get("start"), style.get("len")) if isinstance(style, dict) else (None, None)
        if type(start) is not int or type(size) is not int or not 0 <= start < start + size <= length:
            raise invalid("text_styles", "each needs a start and a len inside of the text, and st")
    return styles


def _photo(message: OutboundText, url: Any) -> tuple[str, dict[str, Any]]:
    return "sendPhoto", {**_caption(message), "photo": _public(url, "photo")}


def _caption(message: OutboundMessage) -> dict[str, Any]:
    if len(message.text) > MAX_TEXT:
        raise Rejected("caption_too_long", f"Zalo takes at most {MAX_TEXT} characters of a caption")
    return {"caption": message.text} if message.text else {}


def _file_url(message: OutboundMedia) -> str:
    """Where Zalo fetches an image: the caller's URL, or the address of an upload."""
    if not _is_public(message.url):
        raise Rejected("url_not_possible", "Zalo fetches files itself, from an https URL")
    return message.url


def _sticker(message: OutboundText, sticker: Any) -> tuple[str, dict[str, Any]]:
    _refuse_text(message, "sticker")
    if not fits(sticker, 256):
        raise invalid("sticker", "must be the id of a sticker")
    return "sendSticker", {"sticker": sticker}


def _voice(message: OutboundText, url: Any) -> tuple[str, dict[str, Any]]:
    _refuse_text(message, "voice_url")
    if message.conversation_type != "user":
        raise invalid("voice_url", "Zalo takes it to a person only")
    return "sendVoice", {"voice_url": _public(url, "voice_url")}


def _refuse_text(message: OutboundText, name: str) -> None:
    if message.text:
        raise Rejected("no_caption", f"Zalo shows no text with {name}")


def _public(url: Any, name: str) -> str:
    """A URL that Zalo fetches the file from."""
    if not _is_public(url):
        raise invalid(name, "must be an https URL, from which Zalo fetches the file")
    return str(url)


def _is_public(url: Any) -> bool:
    with contextlib.suppress(NotAUrl):
        return isinstance(url, str) and len(url) <= _LONGEST_URL and locate(url).scheme == "https"
    return False


_CONTENT = {"photo": _photo, "sticker": _sticker, "voice_url": _voice}
