"""HTML of the Bot API: https://core.telegram.org/bots/api#html-style."""

import html
from html.parser import HTMLParser
from typing import Any, Final

from .markup_common import DEPTH, Entities, link, wrong

_TAGS: Final = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text: list[str] = []
        self.length = 0
        self.entities: Entities = []
        self._open: list[tuple[str, dict[str, Any] | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if len(self._open) >= DEPTH:
            raise wrong("tags are nested too deep")
        entity = self._entity(tag, given)
        if entity is not None:
            entity |= {"offset": self.length, "length": 0}
            self.entities.append(entity)
        self._open.append((tag, entity))

    def _entity(self, tag: str, given: dict[str, str]) -> dict[str, Any] | None:
        match tag:
            case "a":
                return link(given.get("href", ""))
            case "tg-emoji":
                return {"type": "custom_emoji", "custom_emoji_id": given.get("emoji-id", "")}
            case "span" if given.get("class") == "tg-spoiler":
                return {"type": "spoiler"}
            case "blockquote" if "expandable" in given:
                return {"type": "expandable_blockquote"}
            case "code" if self._open and self._open[-1][0] == "pre":
                language = given.get("class", "").removeprefix("language-")
                above = self._open[-1][1]
                if above is not None and language:
                    above["language"] = language
                return None
        if tag not in _TAGS:
            raise wrong(f"there is no tag <{tag[:32]}>")
        return {"type": _TAGS[tag]}

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise wrong(f"</{tag[:32]}> ends nothing")
        _, entity = self._open.pop()
        if entity is not None:
            entity["length"] = self.length - entity["offset"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        self.length += len(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(html.unescape(f"&{name};"))

    def handle_charref(self, name: str) -> None:
        self.handle_data(html.unescape(f"&#{name};"))

    def end(self) -> None:
        if self._open:
            raise wrong(f"<{self._open[-1][0][:32]}> has no end")


def read_html(text: str) -> tuple[str, Entities]:
    parser = _Html()
    parser.feed(text)
    parser.close()
    parser.end()
    return "".join(parser.text), parser.entities
