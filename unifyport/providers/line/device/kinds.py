"""Kinds of messages: one row of `KINDS` for each content type that is said to a human.

A row says our type, the platform's word, and the function that says text, files, entities and typed fields.
Content types and the members of the metadata are those of `line.thrift` and `features/message` of
https://github.com/evex-dev/linejs. A sealed message has text, location and file in its opened content;
metadata is plain in both. What metadata says is hostile input: of another shape it is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from attrs import define, field, frozen

from unifyport.model.entities import in_code_points
from unifyport.model.inbound import Attachment, Content, MessageType
from unifyport.protocols.letter_sealing.content import key_material_of
from unifyport.protocols.letter_sealing.errors import Malformed
from unifyport.protocols.letter_sealing.files import TAG_BYTES

from .files import FileHandle
from .structures import REPLY, Message

MOST_ENTITIES = 200
LONGEST_WORD = 256


@define
class Said:
    """What a message says. `fields` become fields of the message in the event."""

    text: str = ""
    files: list[Attachment] = field(factory=list)
    fields: dict[str, Any] = field(factory=dict)
    entities: list[dict[str, Any]] = field(factory=list)


@frozen
class Spoken:
    """A message with its opened content; that of a plain message is empty."""

    message: Message
    opened: Mapping[str, Any] = field(factory=dict)

    def word(self, name: str) -> str:
        """A member of the metadata, cut to `LONGEST_WORD`; empty where there is none."""
        return (self.message.metadata or {}).get(name, "")[:LONGEST_WORD]

    def number(self, name: str) -> int | None:
        """A member of the metadata that is a number without sign."""
        text = self.word(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    def object(self, name: str) -> dict[str, Any]:
        """A member of the opened content or the metadata that is an object, or the JSON of one."""
        value = self.opened.get(name)
        if value is None:
            value = (self.message.metadata or {}).get(name)
        if isinstance(value, str):
            try:
                value = msgspec.json.decode(value)
            except (msgspec.MsgspecError, RecursionError):
                value = None
        return value if isinstance(value, dict) else {}


@frozen
class Kind:
    type: MessageType
    name: str
    say: Callable[[Spoken], Said]


def content_of(message: Message, opened: Mapping[str, Any] | None) -> Content:
    """What a message says. `opened`: the content of a sealed one, None for a plain one."""
    spoken = Spoken(message, opened or {})
    number = message.content_type or 0
    kind = KINDS.get(number)
    if kind is None:
        text = f"[unsupported: {number}]"
        return Content(message.id or "", "unknown", text, kind=str(number), unsupported=True)
    said = kind.say(spoken)
    text = said.text if said.text or said.files else f"[{kind.name}]"
    found = Content(message.id or "", kind.type, text, said.files, kind=kind.name, entities=said.entities)
    if message.related_id and message.relation == REPLY:
        found.reply_to_message_id = message.related_id
    found.fields = said.fields | {"sealed": bool(message.chunks)}
    return found


def undecryptable(message: Message, reason: str) -> Content:
    """In place of what could not be opened: never an empty text."""
    text = "[This message could not be decrypted.]"
    return Content(message.id or "", "unknown", text, kind="undecryptable", fields={"reason": reason})


def _text(spoken: Spoken) -> Said:
    opened = spoken.opened.get("text")
    text = opened if isinstance(opened, str) else spoken.message.text or ""
    entities = list(_entities(spoken))[:MOST_ENTITIES]
    return Said(text, entities=in_code_points(text, entities))


def _entities(spoken: Spoken) -> Iterator[dict[str, Any]]:
    """Mentions and emojis of LINE, in UTF-16 units."""
    for who in _list(spoken.object("MENTION"), "MENTIONEES"):
        if (place := _place(who)) is not None:
            mid = who.get("M")
            known = {"type": "text_mention", "user": {"id": mid}} if isinstance(mid, str) and mid else {}
            yield {"type": "mention", **place, **known}
    sticon = spoken.object("REPLACE").get("sticon")
    for emoji in _list(sticon if isinstance(sticon, dict) else {}, "resources"):
        if (place := _place(emoji)) is not None:
            named = {"product_id": emoji.get("productId"), "emoji_id": emoji.get("sticonId")}
            shown = {name: value for name, value in named.items() if isinstance(value, str)}
            yield {"type": "custom_emoji", **place, **shown}


def _list(found: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    values = found.get(name)
    return (value for value in (values if isinstance(values, list) else []) if isinstance(value, dict))


def _place(item: Mapping[str, Any]) -> dict[str, int] | None:
    """Begin and length of `S` and `E`, which are numbers or their text."""
    try:
        begin, end = int(item["S"]), int(item["E"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return {"offset": begin, "length": end - begin} if 0 <= begin <= end < 2**31 else None


def _file(kind: str) -> Callable[[Spoken], Said]:
    def say(spoken: Spoken) -> Said:
        handle = FileHandle(
            message_id=spoken.message.id or "", space=spoken.word("SID"), oid=spoken.word("OID")
        )
        title = spoken.word("FILE_NAME")
        if spoken.message.chunks:
            try:
                handle.key_material = key_material_of(spoken.opened)
            except Malformed:
                return Said(f"[{kind} without a key]")
            name = spoken.opened.get("fileName")
            title = name[:LONGEST_WORD] if isinstance(name, str) else title
        found = Attachment(kind, handle.message_id, title=title, size=spoken.number("FILE_SIZE"))
        if spoken.message.chunks and found.size is not None:
            found.size = max(found.size - TAG_BYTES, 0)
        found.duration_ms = spoken.number("DURATION") if kind in ("video", "audio") else None
        found.handle = handle.dump()
        return Said(files=[found])

    return say


def _location(spoken: Spoken) -> Said:
    value, plain = spoken.opened.get("location"), spoken.message.location
    if not isinstance(value, dict):
        value = {} if plain is None else {name: getattr(plain, name) for name in _PLACE}
    named = {name: value.get(name) for name in ("title", "address")}
    words = [word for word in named.values() if isinstance(word, str) and word]
    point = value.get("latitude"), value.get("longitude")
    if not all(
        isinstance(one, int | float) and abs(one) <= most for one, most in zip(point, (90, 180), strict=True)
    ):
        return Said("\n".join(words))
    shown = {"latitude": point[0], "longitude": point[1]}
    shown |= {
        ours: named[theirs]
        for ours, theirs in (("name", "title"), ("address", "address"))
        if isinstance(named[theirs], str) and named[theirs]
    }
    return Said("\n".join([*words, f"{point[0]:.6f},{point[1]:.6f}"]), fields={"location": shown})


_PLACE = ("title", "address", "latitude", "longitude")


def _sticker(spoken: Spoken) -> Said:
    shown = {
        "package_id": spoken.word("STKPKGID"),
        "sticker_id": spoken.word("STKID"),
        "animated": "A" in spoken.word("STKOPT") or None,
    }
    return Said(
        spoken.word("STKTXT"), fields={"sticker": {name: value for name, value in shown.items() if value}}
    )


def _contact(spoken: Spoken) -> Said:
    """Another user of LINE, or a card of the phone's address book."""
    name, mid = spoken.word("displayName"), spoken.word("mid")
    vcard = (spoken.message.metadata or {}).get("vCard", "")[:65_536]
    card = {"display_name": name, "vcard": vcard, "user_id": mid}
    return Said(vcard or name, fields={"contacts": [{key: value for key, value in card.items() if value}]})


def _flex(spoken: Spoken) -> Said:
    return Said(spoken.word("ALT_TEXT"))


def _named(*names: str) -> Callable[[Spoken], Said]:
    """The first of these members of the metadata that is there, or the text."""

    def say(spoken: Spoken) -> Said:
        return Said(next((word for name in names if (word := spoken.word(name))), spoken.message.text or ""))

    return say


# ContentType -> kind.
KINDS: dict[int, Kind] = {
    0: Kind("text", "text", _text),
    1: Kind("image", "image", _file("image")),
    2: Kind("video", "video", _file("video")),
    3: Kind("audio", "audio", _file("audio")),
    4: Kind("unknown", "html", _named("text")),
    5: Kind("unknown", "pdf", _named("FILE_NAME")),
    6: Kind("unknown", "call", _named("TYPE")),
    7: Kind("sticker", "sticker", _sticker),
    8: Kind("unknown", "presence", _named("text")),
    9: Kind("unknown", "gift", _named("TYPE")),
    10: Kind("unknown", "group_board", _named("text")),
    11: Kind("unknown", "app_link", _named("text", "ALT_TEXT", "linkUri")),
    12: Kind("text", "link", _named("linkUri")),
    13: Kind("contact", "contact", _contact),
    14: Kind("document", "file", _file("document")),
    15: Kind("location", "location", _location),
    16: Kind("unknown", "post", _named("text", "postEndUrl")),
    17: Kind("unknown", "rich", _named("ALT_TEXT")),
    19: Kind("unknown", "music", _named("text", "linkUri")),
    20: Kind("unknown", "payment", _named("text")),
    21: Kind("image", "external_image", _file("image")),
    22: Kind("unknown", "flex", _flex),
}
CHAT_EVENT = 18
