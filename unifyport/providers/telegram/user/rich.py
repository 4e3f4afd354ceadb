"""Rich messages of the platform -> `RichMessage` of the Bot API, which `bot/rich.py` reads.

Blocks and texts are read by the names of their fields, so that the words of a new type are not lost.
https://core.telegram.org/type/PageBlock, https://core.telegram.org/type/RichText
"""

from typing import Any, Final

from telethon.tl import types

from .files import Files

Fields = dict[str, Any]

_DEPTH: Final = 32
_NAMES = {
    types.TextFixed: "code",
    types.TextStrike: "strikethrough",
    types.TextUrl: "text_link",
    types.TextAutoUrl: "url",
    types.TextAutoEmail: "email",
    types.TextEmail: "email",
    types.TextAutoPhone: "phone_number",
    types.TextPhone: "phone_number",
    types.TextMentionName: "text_mention",
    types.TextDate: "date_time",
}
_FILES = {"photo_id": "photo", "video_id": "video", "audio_id": "audio", "document_id": "document"}


def rich_message(message: Any, files: Files) -> Fields:
    return {"blocks": _Reader(message, files).blocks(message.blocks, 0)}


class _Reader:
    def __init__(self, message: Any, files: Files) -> None:
        self._files = files
        found = [*message.photos, *message.documents]
        self._media = {each.id: each for each in found if isinstance(each, types.Photo | types.Document)}

    def blocks(self, blocks: Any, depth: int) -> list[Fields]:
        return [self._block(block, depth) for block in blocks or ()] if depth < _DEPTH else []

    def _block(self, block: Any, depth: int) -> Fields:
        found: Fields = {"type": _type_of(block)}
        for name in ("text", "author"):
            if (text := getattr(block, name, None)) is not None:
                found["text"] = _text(text, depth)
        if (title := getattr(block, "title", None)) is not None:
            found["summary"] = _text(title, depth)
        match getattr(block, "caption", None):
            case types.PageCaption(text=text, credit=credit):
                found |= {"caption": _text(text, depth), "credit": _text(credit, depth)}
            case None:
                pass
            case caption:
                found["caption"] = _text(caption, depth)
        if isinstance(source := getattr(block, "source", None), str):
            found["expression"] = source
        if isinstance(block, types.PageBlockPreformatted):
            found["language"] = block.language
        return found | self._inside(block, depth + 1)

    def _inside(self, block: Any, depth: int) -> Fields:
        found: Fields = {}
        items = getattr(block, "items", None)
        if isinstance(block, types.PageBlockList | types.PageBlockOrderedList):
            found["items"] = [self._item(item, depth) for item in items or ()] if depth < _DEPTH else []
        else:
            inner = [*(getattr(block, "blocks", None) or ()), *(items or ())]
            cover = getattr(block, "cover", None)
            found["blocks"] = self.blocks([*inner, *([cover] if cover is not None else [])], depth)
        rows = getattr(block, "rows", None) or ()
        found["cells"] = [[_text(cell.text, depth) for cell in row.cells] for row in rows]
        found["cells"] += [[each.title or each.url] for each in getattr(block, "articles", None) or ()]
        found["buttons"] = [
            _text(getattr(each, "text", ""), depth) for each in getattr(block, "buttons", None) or ()
        ]
        if isinstance(geo := getattr(block, "geo", None), types.GeoPoint):
            found["location"] = {"latitude": geo.lat, "longitude": geo.long}
        for name in _FILES:
            if (media := self._media.get(getattr(block, name, None) or 0)) is not None:
                found |= self._file(media)
        return {name: value for name, value in found.items() if value}

    def _file(self, media: Any) -> Fields:
        if isinstance(media, types.Photo):
            return {"photo": self._files.photo(media)}
        kind, file = self._files.document(media)
        return {kind: file}

    def _item(self, item: Any, depth: int) -> Any:
        number, checked = getattr(item, "num", None), getattr(item, "checked", None)
        found: Fields = {}
        if getattr(item, "checkbox", None):
            found["label"] = "[x]" if checked else "[ ]"
        elif number:
            found["label"] = number if number.endswith(".") else f"{number}."
        if hasattr(item, "blocks"):
            return found | {"blocks": self.blocks(item.blocks, depth)}
        return found | {"blocks": [{"type": "paragraph", "text": _text(item.text, depth)}]}


def _type_of(block: Any) -> str:
    match block:
        case types.PageBlockPreformatted():
            return "pre"
        case types.PageBlockBlockquote() | types.PageBlockBlockquoteBlocks():
            return "expandable_blockquote" if getattr(block, "collapsed", None) else "blockquote"
    return type(block).__name__.removeprefix("PageBlock").lower()


def _text(text: Any, depth: int) -> Any:
    """A rich text of the Bot API: a string, a list of rich texts, or an object with one in it."""
    if depth > _DEPTH:
        return ""
    match text:
        case str():
            return text
        case types.TextPlain(text=plain):
            return plain
        case types.TextConcat(texts=texts):
            return [_text(each, depth + 1) for each in texts]
        case types.TextCustomEmoji(document_id=id_, alt=alt):
            return {"type": "custom_emoji", "custom_emoji_id": str(id_), "text": alt}
        case types.TextMath(source=source):
            return {"type": "math", "expression": source}
    inner = getattr(text, "text", None)
    if inner is None:
        return ""
    found: Fields = {"type": _NAMES.get(type(text), type(text).__name__.removeprefix("Text").lower())}
    if isinstance(url := getattr(text, "url", None), str):
        found["url"] = url
    if isinstance(text, types.TextMentionName):
        found["user"] = {"id": text.user_id}
    return found | {"text": _text(inner, depth + 1)}
