"""Our message -> message objects and options of a request. Pure.

https://developers.line.biz/en/reference/messaging-api/#message-objects. LINE fetches files itself, from https
addresses; a caption goes out as a text behind the file, in the same request.
"""

import re
from typing import Any

import attrs
import msgspec

from unifyport.model.entities import utf16_length
from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import fits, invalid

from .limits import MAX_BODY, MAX_TEXT
from .people import USER, is_id
from .send_fields import CONTENTS
from .sent_kinds import is_https, quick_reply, render_content, rich_menu, shown_sender

_ANCHOR = re.compile(r"\{\{@(U[0-9a-f]{32})\}\}")
_QUOTING = ("text", "textV2", "sticker")
_MAX_MENTIONS = 20


@attrs.frozen
class Rendered:
    """`messages`: one to five objects. `options`: what stands beside them in the request. `menu`: the rich
    menu that is linked to the user before; None: it is left as it is.
    """

    messages: list[dict[str, Any]]
    options: dict[str, Any]
    menu: str | None

    def quoting(self, token: str) -> list[dict[str, Any]]:
        """The messages, of which the first one quotes that of the token."""
        return [{**self.messages[0], "quoteToken": token}, *self.messages[1:]]


def render(message: OutboundMessage) -> Rendered:
    """Raises `Rejected` for a message that the platform would refuse."""
    check_recipient(message.conversation_id, message.conversation_type)
    messages = _files(message) if isinstance(message, OutboundMedia) else [_content(message)]
    given = message.provider_data
    if "quote_token" in given:
        if message.reply_to_message_id is not None or not fits(given["quote_token"], 1000):
            raise invalid("quote_token", "must be a quote token; reply_to names the message by its id")
        messages[0]["quoteToken"] = given["quote_token"]
    if (message.reply_to_message_id is not None or "quote_token" in given) and (
        messages[0]["type"] not in _QUOTING
    ):
        raise Rejected("quote_not_possible", "LINE quotes with a text or a sticker only")
    if "quick_reply" in given:
        messages[-1]["quickReply"] = quick_reply(given["quick_reply"])
    if "sender" in given:
        messages = [{**each, "sender": shown_sender(given["sender"])} for each in messages]
    rendered = Rendered(messages, _options(message), _menu(message))
    if len(msgspec.json.encode([messages, rendered.options])) > MAX_BODY:
        raise Rejected("message_too_long", f"a message may have at most {MAX_BODY} bytes here")
    return rendered


def check_recipient(conversation_id: str, conversation_type: str) -> None:
    """Raises `Rejected` for an id that is none of LINE, or of another type."""
    if not is_id(conversation_id):
        raise Rejected("invalid_recipient", "to.id is not the id of a user, a group or a room of LINE")
    if (conversation_type == "user") != conversation_id.startswith(USER):
        raise Rejected(
            "invalid_recipient", "to.type is not that of to.id: U... is a user, C... and R... are not"
        )


def _content(message: OutboundMessage) -> dict[str, Any]:
    contents = [name for name in CONTENTS if name in message.provider_data]
    if len(contents) > 1:
        raise invalid(contents[1], f"there is {contents[0]}, too")
    if contents:
        return render_content(contents[0], message.provider_data[contents[0]], message.text)
    return _text(message)


def _text(message: OutboundMessage) -> dict[str, Any]:
    text = message.text
    if not text:
        raise Rejected("empty_text", "a text message needs a text")
    if utf16_length(text) > MAX_TEXT:
        raise Rejected("text_too_long", f"LINE takes at most {MAX_TEXT} UTF-16 units")
    emojis = message.provider_data.get("emojis")
    mentioned = [id_ for id_ in dict.fromkeys(_ANCHOR.findall(text)) if id_ in message.mentions]
    if not mentioned:
        return {"type": "text", "text": text} | ({"emojis": _emojis(emojis)} if emojis else {})
    if emojis:
        raise invalid("emojis", "there are mentions, too")
    if message.conversation_id.startswith(USER) or len(mentioned) > _MAX_MENTIONS:
        raise Rejected(
            "mentions_not_possible", f"LINE mentions up to {_MAX_MENTIONS} members, in groups only"
        )
    return _with_mentions(text, mentioned)


def _with_mentions(text: str, mentioned: list[str]) -> dict[str, Any]:
    """A text with placeholders; other braces are doubled (#text-message-v2)."""
    parts: list[str] = []
    at = 0
    for anchor in _ANCHOR.finditer(text):
        if anchor[1] in mentioned:
            parts += [_escape(text[at : anchor.start()]), f"{{m{mentioned.index(anchor[1])}}}"]
            at = anchor.end()
    substitution = {
        f"m{number}": {"type": "mention", "mentionee": {"type": "user", "userId": id_}}
        for number, id_ in enumerate(mentioned)
    }
    whole = "".join([*parts, _escape(text[at:])])
    return {"type": "textV2", "text": whole, "substitution": substitution}


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _emojis(emojis: list[Any]) -> list[Any]:
    for place, emoji in enumerate(emojis):
        if not isinstance(emoji, dict) or set(emoji) != {"index", "productId", "emojiId"}:
            raise invalid(f"emojis[{place}]", "it has index, productId, emojiId")
    return emojis


def _files(message: OutboundMedia) -> list[dict[str, Any]]:
    """The file, and its caption behind it."""
    for name in (*CONTENTS, "emojis"):
        if name in message.provider_data:
            raise invalid(name, "has no effect on a file")
    if not is_https(message.url):
        raise Rejected("url_not_possible", "LINE fetches files itself, from an https URL in ASCII")
    files = [_file(message)]
    if message.text:
        files.append(_text(message))
    return files


def _file(message: OutboundMedia) -> dict[str, Any]:
    given, url = message.provider_data, message.url
    preview = given.get("preview_image_url")
    if preview is not None and not is_https(preview):
        raise invalid("preview_image_url", "must be an https URL")
    if message.type == "audio":
        duration = given.get("duration", (message.voice.seconds or 0) * 1000 if message.voice else 0)
        if not duration > 0:
            raise invalid("duration", "LINE shows it with audio: milliseconds, or seconds of a recording")
        return {"type": "audio", "originalContentUrl": url, "duration": duration}
    found = {"type": message.type, "originalContentUrl": url}
    if message.type == "video":
        if preview is None:
            raise invalid("preview_image_url", "LINE shows an image before a video is played: its https URL")
        if "tracking_id" in given:
            if not fits(given["tracking_id"], 100) or not message.conversation_id.startswith(USER):
                raise invalid("tracking_id", "1 to 100 characters, of a video to a user")
            found["trackingId"] = given["tracking_id"]
    return {**found, "previewImageUrl": preview or url}


def _options(message: OutboundMessage) -> dict[str, Any]:
    given, options = message.provider_data, dict[str, Any]()
    if given.get("notification_disabled"):
        options["notificationDisabled"] = True
    units = given.get("custom_aggregation_units")
    if units is not None:
        if len(units) != 1 or not fits(units[0], 30):
            raise invalid("custom_aggregation_units", "must be a list with the name of one unit")
        options["customAggregationUnits"] = units
    return options


def _menu(message: OutboundMessage) -> str | None:
    menu = message.provider_data.get("rich_menu")
    if menu is None:
        return None
    if not message.conversation_id.startswith(USER):
        raise invalid("rich_menu", "LINE shows it to users only")
    return rich_menu(menu)
