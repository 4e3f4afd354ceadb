"""Kinds of messages: one row of `KINDS` for each; an event's name ends in the kind (`user_send_image`).

A row says our type and the function that says the text, files and typed fields. The table is compared with
the documentation's list in `tests/providers/test_zalo_official_kinds.py`.
"""

import contextlib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import Attachment, Content, MessageType
from unifyport.model.json_text import UNREADABLE
from unifyport.model.vcard import Card

from ..media import file_at
from . import shapes

_MENTION = re.compile(r"\[@([A-Za-z0-9_-]{1,128})\]")


@attrs.define
class Said:
    """`lines` are parts of the text, each of which is said once."""

    lines: list[str] = attrs.field(factory=list)
    files: list[Attachment] = attrs.field(factory=list)
    fields: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Kind:
    """`say`: payload of an attachment, public id of its file -> what it says."""

    type: MessageType
    say: Callable[[Mapping[str, Any], str], Said]


def content(kind: str, item: Mapping[str, Any], message_id: str, *, in_group: bool) -> Content:
    """What a message without nulls says. Raises `ValidationError` if a field has another shape."""
    message = msgspec.convert(item, shapes.Message)
    payloads = [
        each["payload"]
        for each in msgspec.convert(item.get("attachments", []), list[dict[str, Any]])
        if isinstance(each.get("payload"), dict)
    ]
    known = KINDS.get(kind)
    found = Content(message_id, "unknown" if known is None else known.type, message.text, kind=kind)
    texts = [message.text] if message.text else []
    if known is None:
        found.unsupported = True
    else:
        for number, payload in enumerate(payloads):
            file_id = message_id if not number else f"{message_id}:{number}"
            said = known.say(payload, file_id)
            found.attachments += said.files
            found.fields |= said.fields
            texts += [line for line in said.lines if line and line not in texts]
    found.text = "\n".join(texts)
    if not found.text and not found.attachments:
        found.text = f"[{kind}]" if known is not None else f"[unsupported: {kind}]"
    if message.quote_msg_id:
        found.reply_to_message_id = message.quote_msg_id
    if in_group:
        found.entities = [
            {
                "type": "text_mention",
                "offset": mention.start(),
                "length": mention.end() - mention.start(),
                "user": {"id": mention[1]},
            }
            for mention in _MENTION.finditer(found.text)
        ]
    return found


def _file(kind: str, **fields: Any) -> Callable[[Mapping[str, Any], str], Said]:
    def say(payload: Mapping[str, Any], file_id: str) -> Said:
        file = msgspec.convert(payload, shapes.File)
        if not file.url:
            return Said()
        size = int(file.size) if str(file.size).isascii() and str(file.size).isdigit() else None
        return Said(files=[file_at(file.url, kind, file_id, title=file.name, size=size)], fields={**fields})

    return say


def _sticker(payload: Mapping[str, Any], file_id: str) -> Said:
    sticker = msgspec.convert(payload, shapes.Sticker)
    files = [file_at(sticker.url, "sticker", sticker.id or file_id)] if sticker.url else []
    return Said(files=files, fields={"sticker_id": sticker.id} if sticker.id else {})


def _location(payload: Mapping[str, Any], file_id: str) -> Said:
    point = msgspec.convert(payload, shapes.Location).coordinates
    latitude, longitude = float(point.latitude), float(point.longitude)
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        raise ValueError("coordinates")
    place = {"latitude": latitude, "longitude": longitude}
    return Said([f"{latitude:.6f},{longitude:.6f}"], fields={"location": place})


def _link(payload: Mapping[str, Any], file_id: str) -> Said:
    """A link that the customer chose: it is text, not a file."""
    link = msgspec.convert(payload, shapes.Link)
    shown = {"url": link.url, "description": link.description}
    return Said(
        [link.description, link.url], fields={"link": {name: value for name, value in shown.items() if value}}
    )


def _business_card(payload: Mapping[str, Any], file_id: str) -> Said:
    link = msgspec.convert(payload, shapes.Link)
    card = shapes.Card()
    with contextlib.suppress(*UNREADABLE):
        card = msgspec.json.decode(link.description, type=shapes.Card)
    name = card.caption or card.phone or link.url
    phones = [card.phone] if card.phone else []
    shown = Card(name, given=name, phones=[(phone, "CELL") for phone in phones])
    return Said(["\n".join(shown.lines())], fields={"contacts": [{"name": name, "phones": phones}]})


def _nothing(payload: Mapping[str, Any], file_id: str) -> Said:
    return Said()


KINDS: dict[str, Kind] = {
    "text": Kind("text", _nothing),
    "image": Kind("image", _file("image")),
    "gif": Kind("image", _file("image", animated=True)),
    "link": Kind("text", _link),
    "audio": Kind("audio", _file("audio")),
    "video": Kind("video", _file("video")),
    "sticker": Kind("sticker", _sticker),
    "location": Kind("location", _location),
    "business_card": Kind("contact", _business_card),
    "file": Kind("document", _file("document")),
    "list": Kind("unknown", _nothing),
    "template": Kind("unknown", _nothing),
}
