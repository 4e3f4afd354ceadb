"""Our message -> LINE's: the parts of it that are sealed, and the metadata that is not. Pure.

ours                  content type    sealed content                  metadata
------------------    ------------    ----------------------------    ------------------------------------
text                  0               text                            MENTION
sticker               7               -                               STKID, STKPKGID, STKVER
location              15              location                        -
contact               13              -                               vCard, displayName
file, sealed          1, 2, 3, 14     keyMaterial, fileName           SID, OID, FILE_SIZE, DURATION
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from attrs import frozen

from unifyport.model.entities import utf16_length
from unifyport.model.message import OutboundContacts, OutboundMessage
from unifyport.model.vcard import vcard

from .structures import GROUP, REPLY, ROOM, TALK, USER, Location, Message

TEXT, STICKER, CONTACT, LOCATION = 0, 7, 13, 15
CONTENT_TYPES = {"image": 1, "video": 2, "audio": 3, "document": 14}
TO_TYPES = {"u": USER, "r": ROOM, "c": GROUP}
_ANCHOR = re.compile(r"\{\{@(u[0-9a-z]{32})\}\}")
_MOST_MENTIONS = 200


@frozen
class Rendered:
    """A message before it is sealed. `content`: what is sealed, empty where this kind is never sealed."""

    content_type: int
    content: Mapping[str, Any]
    metadata: Mapping[str, str]


def render(message: OutboundMessage, names: Mapping[str, str]) -> Rendered:
    """A message without a file. `names`: of the users that it mentions."""
    if isinstance(message, OutboundContacts):
        [contact] = message.contacts
        return Rendered(CONTACT, {}, {"vCard": vcard(contact), "displayName": contact.name})
    sticker, place = message.provider_data.get("sticker"), message.provider_data.get("location")
    if sticker is not None:
        metadata = {"STKID": sticker["stickerId"], "STKPKGID": sticker["packageId"], "STKVER": "1"}
        return Rendered(STICKER, {}, metadata)
    if place is not None:
        known = {"title": "", "address": ""} | place
        return Rendered(LOCATION, {"location": {name: known[name] for name in _PLACE}}, {})
    text, mentioned = _with_mentions(message, names)
    metadata = {"MENTION": msgspec.json.encode({"MENTIONEES": mentioned}).decode()} if mentioned else {}
    return Rendered(TEXT, {"text": text}, metadata)


_PLACE = ("title", "address", "latitude", "longitude")


def assemble(
    rendered: Rendered, mid: str, *, chunks: tuple[bytes, ...] | None, quoted: str | None, sender: str
) -> Message:
    """The message that is sent. `chunks` None: it is not sealed."""
    content = rendered.content if chunks is None else {}
    place = content.get("location")
    return Message(
        sender=sender,
        to=mid,
        to_type=TO_TYPES[mid[0]],
        text=content.get("text"),
        location=None if place is None else Location(**place),
        has_content=False,
        content_type=rendered.content_type,
        metadata=dict(rendered.metadata),
        session_id=0,
        chunks=chunks,
        related_id=quoted,
        relation=REPLY if quoted else None,
        related_service=TALK if quoted else None,
    )


def _with_mentions(message: OutboundMessage, names: Mapping[str, str]) -> tuple[str, list[dict[str, str]]]:
    """The text with `@` and the name for each anchor, and the place of each in UTF-16 units."""
    wanted = set(message.mentions[:_MOST_MENTIONS])
    parts: list[str] = []
    mentioned: list[dict[str, str]] = []
    end = length = 0
    for anchor in _ANCHOR.finditer(message.text):
        before = message.text[end : anchor.start()]
        shown = anchor[0] if anchor[1] not in wanted else f"@{names.get(anchor[1]) or anchor[1]}"
        length += utf16_length(before)
        if anchor[1] in wanted:
            mentioned.append({"S": str(length), "E": str(length + utf16_length(shown)), "M": anchor[1]})
        length += utf16_length(shown)
        parts += [before, shown]
        end = anchor.end()
    return "".join([*parts, message.text[end:]]), mentioned
