"""A message of a caller -> what is to be sent, checked before anything is uploaded or asked.

A message has the fields that a bot's has, so the Bot API's tables check it (`bot/render.py`): the plan is the
request that a bot would make. What Telegram's servers do for bots is done here: a `parse_mode` becomes
entities. Entities count in UTF-16 units from here on.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import invalid

from ..bot.render import Request, render
from ..bot.send_fields import PROVIDER_DATA as BOT_FIELDS
from . import mentions
from .markup import marked_up

MAX_TEXT = 4096  # UTF-16 units
MAX_CAPTION = 1024
MAX_PHOTO = 10 * 1024 * 1024
# Of a bot only: keyboards, payments, broadcasts, and what apps send in other ways.
_OF_BOTS = frozenset(
    "direct_messages_topic_id allow_paid_broadcast suggested_post_parameters reply_markup checklist"
    " rich_message invoice".split()
)
PROVIDER_DATA = tuple(field for field in BOT_FIELDS if field.name not in _OF_BOTS)


def plan(message: OutboundMessage) -> Request:
    """What a message is to be sent as. Raises `Rejected` for one that Telegram would refuse."""
    if named := mentions.wanted(message):  # of names only their length is not known yet
        message = mentions.expanded(message, dict(zip(named, named, strict=True)))
    given = {name: value for name, value in message.provider_data.items() if name not in _OF_BOTS}
    if "album" in given:
        given["album"] = [_marked_item(place, item) for place, item in enumerate(given["album"])]
    if "poll" in given:
        given["poll"] = _marked_poll(given["poll"])
    text, mode = message.text, message.parse_mode or given.pop("parse_mode", None)
    given.pop("parse_mode", None)
    if mode is not None:
        if given.get("entities"):
            raise invalid("entities", "there is a parse_mode, too")
        text, entities = marked_up(text, mode)
        given |= {"entities": entities} if entities else {}
        if message.text and not text.strip():
            raise Rejected("empty_text", "a text message needs a text")
    made = render(attrs.evolve(message, text=text, parse_mode=None, provider_data=given))
    limit = MAX_TEXT if made.method == "sendMessage" else MAX_CAPTION
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > limit:
        raise Rejected("text_too_long", f"Telegram takes at most {limit} characters")
    if isinstance(message, OutboundMedia) and message.type == "image" and message.size > MAX_PHOTO:
        raise Rejected("too_large", "Telegram takes photos of at most 10 MB: send it as a document")
    return made


def _marked_item(place: int, item: Any) -> Any:
    """A file of an album, whose caption may have a mode of its own."""
    if not isinstance(item, Mapping):
        return item
    if item.get("type") == "live_photo":
        raise invalid(f"album[{place}].type", "is sent by bots only")
    media = item.get("media")
    if isinstance(media, str) and not media.startswith("https:"):
        raise invalid(f"album[{place}].media", "must be an https URL, or file_key or url instead")
    mode, caption = item.get("parse_mode"), item.get("caption")
    if not isinstance(mode, str) or not isinstance(caption, str):
        return item
    text, entities = marked_up(caption, mode)
    rest = {name: value for name, value in item.items() if name not in ("parse_mode", "caption")}
    return {**rest, "caption": text, **({"caption_entities": entities} if entities else {})}


def _marked_poll(value: Any) -> Any:
    """A poll, whose question and explanation may have modes of their own."""
    if not isinstance(value, Mapping):
        return value
    found = dict(value)
    for name in ("question", "explanation"):
        mode, text = found.pop(f"{name}_parse_mode", None), found.get(name)
        if isinstance(mode, str) and isinstance(text, str):
            found[name], entities = marked_up(text, mode)
            found |= {f"{name}_entities": entities} if entities else {}
    return found
