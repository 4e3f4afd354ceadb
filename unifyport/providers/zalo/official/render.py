"""Our message -> the body of a send. Pure. https://docs.zaloplatforms.com/docs/OA, messages.

A customer is addressed by the id that the account knows, a member of a group by the group's id. A customer
who has not logged in is `anonymous:<id>:<conversation>`: Zalo wants both ids.
"""

import re
import unicodedata
from typing import Any

import attrs

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import fits, invalid

from .limits import MAX_TEXT
from .send_fields import CONTENTS

ANONYMOUS = "anonymous"
GIF = "image/gif"
_PICTURES = frozenset({"image/jpeg", "image/png"})
_DOCUMENTS = frozenset(
    {
        "application/pdf",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "text/csv",
    }
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ANCHOR = re.compile(r"\{\{@([A-Za-z0-9_-]{1,128})\}\}")
_OPEN = "[@"  # Zalo reads `[@id]` in a group's text as a mention
_SAFE = "[\u2060@"


@attrs.frozen
class Request:
    """`upload`: where the file goes first, empty if there is none."""

    path: str
    recipient: dict[str, str]
    message: dict[str, Any]
    upload: str = ""

    def body(self, file: str = "", quoted: str | None = None) -> dict[str, Any]:
        """The whole body, with the id or token of the uploaded file and the id of the quoted message."""
        message = {**self.message}
        if self.upload == "file":
            message["attachment"] = {"type": "file", "payload": {"token": file}}
        elif self.upload:
            kind = "gif" if self.upload == "gif" else "image"
            message["attachment"] = _media({"media_type": kind, "attachment_id": file, **message.pop("size")})
        if quoted is not None:
            message["quote_message_id"] = quoted
        return {"recipient": self.recipient, "message": message}


def render(message: OutboundMessage) -> Request:
    """The request that sends a message. Raises `Rejected` for one that the platform would refuse."""
    path, recipient = recipient_of(message.conversation_id, message.conversation_type)
    contents = [name for name in CONTENTS if name in message.provider_data]
    if isinstance(message, OutboundMedia):
        if contents:
            raise invalid(contents[0], "it is a message of its own, of type text")
        return _file(message, path, recipient)
    _refuse_size(message)
    if len(contents) > 1:
        raise invalid(contents[1], f"there is {contents[0]}, too")
    if contents:
        if message.reply_to_message_id is not None:
            raise Rejected("only_texts_quote", "Zalo takes a quote with a text only")
        return Request(path, recipient, _content(message, contents[0]))
    text = _text(message)
    if not text:
        raise Rejected("empty_text", "a text message needs a text")
    return Request(path, recipient, {"text": text})


def recipient_of(conversation_id: str, conversation_type: str) -> tuple[str, dict[str, str]]:
    """(path, recipient) of sends to a conversation. Raises `Rejected` for an id of an unknown form."""
    kind, _, rest = conversation_id.partition(":")
    if kind == ANONYMOUS:
        anonymous, _, chat = rest.partition(":")
        if _ID.fullmatch(anonymous) and _ID.fullmatch(chat):
            return "v2.0/oa/message", {"anonymous_id": anonymous, "conversation_id": chat}
    elif _ID.fullmatch(conversation_id):
        if conversation_type == "group":
            return "v3.0/oa/group/message", {"group_id": conversation_id}
        return "v3.0/oa/message/cs", {"user_id": conversation_id}
    raise Rejected("invalid_recipient", "to.id is not an id of Zalo")


def _text(message: OutboundMessage) -> str:
    """The text in Normalization Form C, in which Zalo counts, with mentions where they have an effect."""
    text = unicodedata.normalize("NFC", message.text)
    if message.conversation_type == "group":
        text = text.replace(_OPEN, _SAFE)
        known = set(message.mentions)
        text = _ANCHOR.sub(lambda found: f"[@{found[1]}]" if found[1] in known else found[0], text)
    if len(text) > MAX_TEXT:
        raise Rejected("text_too_long", f"Zalo takes at most {MAX_TEXT} characters")
    return text


def _content(message: OutboundMessage, name: str) -> dict[str, Any]:
    given, text = message.provider_data[name], _text(message)
    if name == "attachment":
        if not isinstance(given.get("type"), str) or not isinstance(given.get("payload"), dict):
            raise invalid("attachment", "needs a type and a payload")
        return ({"text": text} if text else {}) | {"attachment": given}
    if text:
        raise Rejected("no_caption", "Zalo shows no text with a sticker")
    if not fits(given, 256):
        raise invalid("sticker", "must be the attachment_id of a sticker")
    return {"attachment": _media({"media_type": "sticker", "attachment_id": given})}


def _file(message: OutboundMedia, path: str, recipient: dict[str, str]) -> Request:
    """What kind of file it is, is known once it is there (`path`)."""
    if message.reply_to_message_id is not None:
        raise Rejected("only_texts_quote", "Zalo takes a quote with a text only")
    if message.type == "document":
        _refuse_size(message)
        if message.path and message.mime_type not in _DOCUMENTS:
            raise Rejected("unsupported_file_type", "Zalo takes PDF, DOC, DOCX and CSV")
        if message.text:
            raise Rejected("no_caption", "Zalo shows no text with a file")
        return Request(path, recipient, {}, "file")
    size = _size(message)
    is_gif = message.mime_type == GIF if message.path else bool(size)
    if message.path and not is_gif:
        _refuse_size(message)
        if message.mime_type not in _PICTURES:
            raise Rejected("unsupported_file_type", "Zalo takes JPEG, PNG and GIF")
    if is_gif and (len(size) < 2 or min(size.values()) < 1):
        raise invalid("width", "a GIF needs its width and its height")
    text = _text(message)
    shown = {"size": size} | ({"text": text} if text else {})
    return Request(path, recipient, shown, "gif" if is_gif else "image")


def _size(message: OutboundMessage) -> dict[str, int]:
    return {
        name: message.provider_data[name] for name in ("width", "height") if name in message.provider_data
    }


def _refuse_size(message: OutboundMessage) -> None:
    for name in _size(message):
        raise invalid(name, "has an effect on a GIF only")


def _media(element: dict[str, Any]) -> dict[str, Any]:
    return {"type": "template", "payload": {"template_type": "media", "elements": [element]}}


# https://docs.zaloplatforms.com/docs/OA: what an account may react with
_ICONS = {"❤️": "/-heart", "👍": "/-strong", "😆": ":>", "😮": ":o", "😭": ":-((", "😡": ":-h"}
EMOJIS = {icon: emoji for emoji, icon in _ICONS.items()}
REMOVED = "/-remove"


def render_reaction(conversation_id: str, message_id: str, emoji: str) -> dict[str, Any]:
    """The body of a reaction; an empty `emoji` removes it. Raises `Rejected` for one that Zalo lacks."""
    icon = REMOVED if not emoji else _ICONS.get(emoji) or _ICONS.get(f"{emoji}\ufe0f")
    if icon is None:
        raise Rejected("unsupported_reaction", f"Zalo takes {' '.join(_ICONS)}")
    _, recipient = recipient_of(conversation_id, "user")
    return {"recipient": recipient, "sender_action": {"react_icon": icon, "react_message_id": message_id}}
