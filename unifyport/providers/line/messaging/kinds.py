"""Kinds of messages: one row of `KINDS` for each value of a message's `type`.

A row says our type, the shape of the message, and the function that says its text, files, entities and typed
fields. The table is compared with the documentation's list in `tests/providers/test_line_kinds.py`.
https://developers.line.biz/en/reference/messaging-api/#message-event
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import attrs
import msgspec
from msgspec import Struct

from unifyport.model.entities import in_code_points
from unifyport.model.inbound import Attachment, Content, MessageType

from . import shapes

S = TypeVar("S")


@attrs.define
class Said:
    """What a message says. `fields` become fields of the message in the event."""

    text: str = ""
    files: list[Attachment] = attrs.field(factory=list)
    fields: dict[str, Any] = attrs.field(factory=dict)
    entities: list[dict[str, Any]] = attrs.field(factory=list)


@attrs.frozen
class Kind(Generic[S]):
    type: MessageType
    shape: Any  # of the message: `type[S]`
    say: Callable[[S], Said]


def content(message: Mapping[str, Any], head: shapes.MessageHead) -> Content:
    """What a message says. `message` has no nulls.

    Raises `ValidationError` if a field of its kind has another shape.
    """
    if head.type not in KINDS:
        text = f"[unsupported: {head.type}]"
        return Content(head.id, "unknown", text, kind=head.type, unsupported=True)
    kind = KINDS[head.type]
    said: Said = kind.say(msgspec.convert(message, kind.shape))
    text = said.text if said.text or said.files else f"[{head.type}]"
    found = Content(head.id, kind.type, text, said.files, kind=head.type, entities=said.entities)
    found.reply_to_message_id = head.quoted_message_id or None
    found.fields = said.fields
    return found


def _text(text: shapes.Text) -> Said:
    return Said(text.text, entities=in_code_points(text.text, _entities(text)))


def _entities(text: shapes.Text) -> Iterator[dict[str, Any]]:
    """Emojis of LINE and mentions, in UTF-16 units
    (https://developers.line.biz/en/docs/messaging-api/text-character-count/).
    """
    for emoji in text.emojis:
        place = {"type": "custom_emoji", "offset": emoji.index, "length": emoji.length}
        yield {**place, "product_id": emoji.product_id, "emoji_id": emoji.emoji_id}
    for who in text.mention.mentionees:
        place = {"type": "mention", "offset": who.index, "length": who.length}
        if who.user_id:
            place |= {"type": "text_mention", "user": {"id": who.user_id}}
        yield place | ({"is_self": True} if who.is_self else {})


def _file(kind: str) -> Callable[[shapes.File], Said]:
    def say(file: shapes.File) -> Said:
        fields: dict[str, Any] = {}
        if file.image_set is not None:
            fields["media_group_id"] = file.image_set.id
            place = _plain(file.image_set)
            fields["image_set"] = {name: place[name] for name in ("index", "total") if name in place}
        provider = file.content_provider
        if provider.type == "external":  # LINE does not have it, and its host is none that is configured
            external = {"url": provider.original_content_url, "preview_url": provider.preview_image_url}
            fields["external_content"] = {name: url for name, url in external.items() if url}
            return Said(provider.original_content_url, fields=fields)
        found = Attachment(
            kind, file.id, title=file.file_name, size=file.file_size, duration_ms=file.duration
        )
        return Said(files=[found], fields=fields)

    return say


def _location(location: shapes.Location) -> Said:
    point = f"{location.latitude:.6f},{location.longitude:.6f}"
    text = "\n".join(part for part in (location.title, location.address, point) if part)
    shown: dict[str, Any] = {"latitude": location.latitude, "longitude": location.longitude}
    named = {"name": location.title, "address": location.address}
    return Said(text, fields={"location": shown | {name: value for name, value in named.items() if value}})


def _sticker(sticker: shapes.Sticker) -> Said:
    """The text of a message sticker; else what the sticker shows, in a word. Its picture has no API."""
    shown = {
        "package_id": sticker.package_id,
        "sticker_id": sticker.sticker_id,
        "resource_type": sticker.sticker_resource_type,
        "keywords": sticker.keywords,
    }
    text = sticker.text or next((word for word in sticker.keywords if word), "")
    return Said(text, fields={"sticker": {name: value for name, value in shown.items() if value}})


def _plain(value: Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


KINDS: dict[str, Kind[Any]] = {
    "text": Kind("text", shapes.Text, _text),
    "image": Kind("image", shapes.File, _file("image")),
    "video": Kind("video", shapes.File, _file("video")),
    "audio": Kind("audio", shapes.File, _file("audio")),
    "file": Kind("document", shapes.File, _file("document")),
    "location": Kind("location", shapes.Location, _location),
    "sticker": Kind("sticker", shapes.Sticker, _sticker),
}
