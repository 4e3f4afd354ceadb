"""Kinds of messages: one row of `KINDS` for each `msgType`.

A text is a string, or where it has styles an object (`action: "rtf"`). All else is an object
`{title, description, href, thumb, params, ...}` whose `params` is JSON in a string; the address of the file
is `href`, or one in `params`. Zalo publishes nothing of this: the kinds are those that zca-js 2.2.0 and
programs on it know, and another kind is `unknown` with what it says.
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from unifyport.model.entities import in_code_points
from unifyport.model.inbound import Attachment, Content, MessageType
from unifyport.model.message import Contact, Phone
from unifyport.model.vcard import vcard

from ..media import file_at
from . import shapes
from .shapes import inner_object, number, text_of

_STYLES = {"b": "bold", "i": "italic", "u": "underline", "s": "strikethrough"}
EVERYBODY = "-1"


@attrs.frozen
class Given:
    """The content of a message: the object, its `params`, and the public id of its file."""

    item: dict[str, Any]
    params: dict[str, Any]
    file_id: str

    def text(self, *names: str) -> str:
        """The first of these fields that is text and not empty."""
        return next((text for name in names if (text := text_of(self.item.get(name)))), "")

    def lines(self, *names: str) -> str:
        """These fields that are text, one a line, each said once."""
        texts = [text_of(self.item.get(name)) for name in names]
        return "\n".join(dict.fromkeys(text for text in texts if text))

    def url(self, *names: str) -> str:
        """The first address of a file: fields of `params` by these names, then `href`."""
        urls = [text_of(self.params.get(name)) for name in names] + [text_of(self.item.get("href"))]
        return next((url for url in urls if url.startswith(("https://", "http://"))), "")


@attrs.define
class Said:
    """`type`: instead of the kind's, where a kind has several."""

    text: str = ""
    files: list[Attachment] = attrs.field(factory=list)
    fields: dict[str, Any] = attrs.field(factory=dict)
    entities: list[dict[str, Any]] = attrs.field(factory=list)
    type: MessageType | None = None


@attrs.frozen
class Kind:
    """`code`: what a quote of such a message is sent with (`qmsgType`). `file`: `href` opens a file."""

    type: MessageType
    say: Callable[[Given], Said]
    code: int = 1
    file: bool = False


def content(kind: str, value: Any, message_id: str) -> Content:
    """What a message says. Never raises for a known kind whose fields have another shape."""
    item = value if isinstance(value, dict) else inner_object(value) if kind != "webchat" else {}
    given = Given(item, inner_object(item.get("params")), message_id)
    known = KINDS.get(kind)
    say = known.say if known else _titled
    said = Said(value) if isinstance(value, str) and not item else say(given)
    shown = kind or "message"
    text = said.text or ("" if said.files else f"[{shown}]" if known else f"[unsupported: {shown}]")
    type_ = said.type or (known.type if known else "unknown")
    found = Content(message_id, type_, text, said.files, kind=kind)
    found.unsupported = known is None
    found.fields, found.entities = said.fields, said.entities
    return found


def add_mentions(found: Content, mentions: Any) -> None:
    """Mentions that can be read and lie in the text become entities."""
    if not isinstance(mentions, list):
        return
    marks = []
    for each in mentions:
        try:
            mention = msgspec.convert(each, shapes.Mention)
        except msgspec.ValidationError:
            continue
        mark: dict[str, Any] = {"offset": mention.pos, "length": mention.len}
        if mention.type == 1 or str(mention.uid) == EVERYBODY:
            marks.append(mark | {"type": "mention"})
        else:
            marks.append(mark | {"type": "text_mention", "user": {"id": str(mention.uid)}})
    found.entities += in_code_points(found.text, [m for m in marks if m["length"] > 0])


def _styled(given: Given) -> Said:
    text = given.text("title", "description")
    marks = []
    styles = given.params.get("styles")
    for style in styles if isinstance(styles, list) else []:
        if not isinstance(style, dict):
            continue
        start, length = number(style.get("start")), number(style.get("len"))
        for name in text_of(style.get("st")).split(","):
            if name in _STYLES and start is not None and length:
                marks.append({"type": _STYLES[name], "offset": start, "length": length})
    return Said(text, entities=in_code_points(text, marks))


def _file(type_: str, *urls: str, named: bool = False) -> Callable[[Given], Said]:
    """A file at the first of these fields of `params`. `named`: `title` is its name, not a caption."""

    def say(given: Given) -> Said:
        url = given.url(*urls)
        title = given.text("title") if named else ""
        files = []
        if url:
            size = number(given.params.get("fileSize")) or None
            file = file_at(url, type_, given.file_id, title=title, size=size)
            if type_ in ("audio", "video"):
                file.duration_ms = number(given.params.get("duration")) or None
            files.append(file)
        if named:
            return Said("" if files else title, files)
        return Said(given.lines("title", "description"), files)

    return say


def _voice(given: Given) -> Said:
    said = _file("audio", "m4a", named=True)(given)
    said.fields["voice"] = True
    for file in said.files:
        file.title = ""
    return said


def _gif(given: Given) -> Said:
    said = _file("image", "hd")(given)
    said.fields["animated"] = True
    return said


def _sticker(given: Given) -> Said:
    id_ = number(given.item.get("id"))
    return Said(fields={} if id_ is None else {"sticker_id": str(id_)})


def _location(given: Given) -> Said:
    sides = [given.params.get(name) for name in ("latitude", "longitude")]
    try:
        latitude, longitude = (msgspec.convert(side, float, strict=False) for side in sides)
    except msgspec.ValidationError:
        return _titled(given)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return _titled(given)
    place = {"latitude": latitude, "longitude": longitude}
    return Said(f"{latitude},{longitude}", fields={"location": place})


def _recommended(given: Given) -> Said:
    """A person's card, whose description is JSON with the phone, or the preview of a link."""
    card = inner_object(given.item.get("description"))
    name = given.text("title")
    if not card:
        return _link(given)
    phone = text_of(card.get("phone")) or str(number(card.get("phone")) or "")
    return Said(vcard(Contact(name, [Phone(phone)] if phone else [])))


def _link(given: Given) -> Said:
    return Said(given.lines("title", "href", "description"), type="text")


def _titled(given: Given) -> Said:
    """The text of something that the app draws: a title, or the one in `params.customMsg`."""
    custom = inner_object(given.params.get("customMsg"))
    shown = text_of(custom.get("title")) or text_of(custom.get("msg"))
    return Said(given.text("title", "description", "msg") or shown[:4096])


KINDS: dict[str, Kind] = {
    "webchat": Kind("text", _styled, 1),
    "chat.link": Kind("text", _link, 38),
    "chat.recommended": Kind("contact", _recommended, 38),
    "chat.photo": Kind("image", _file("image", "hd", "rawUrl"), 32, file=True),
    "chat.gif": Kind("image", _gif, 49, file=True),
    "chat.doodle": Kind("image", _file("image", "hd"), 37, file=True),
    "chat.voice": Kind("audio", _voice, 31, file=True),
    "chat.video.msg": Kind("video", _file("video"), 44, file=True),
    "share.file": Kind("document", _file("document", named=True), 46, file=True),
    "chat.sticker": Kind("sticker", _sticker, 36),
    "chat.location.new": Kind("location", _location, 43),
    # Drawn by the app: readable text, and the item as it came.
    "chat.todo": Kind("unknown", _titled, 1),
    "chat.webcontent": Kind("unknown", _titled, 1),
    "group.poll": Kind("unknown", _titled, 1),
}
