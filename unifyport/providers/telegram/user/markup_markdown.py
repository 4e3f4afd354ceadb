"""MarkdownV2 and the former Markdown of the Bot API: https://core.telegram.org/bots/api#markdownv2-style."""

import re
from typing import Any, Final

from .markup_common import DEPTH, Entities, link, wrong

_V2_MARKS: Final = {
    "__": "underline",
    "||": "spoiler",
    "*": "bold",
    "_": "italic",
    "~": "strikethrough",
}
_RESERVED: Final = frozenset("_*[]()~`>#+-=|{}.!")
_V1_MARKS: Final = {"*": "bold", "_": "italic"}


class _Markdown:
    """Reads MarkdownV2, or with `is_old` the former mode, in which nothing nests."""

    def __init__(self, text: str, *, is_old: bool) -> None:
        self._source = text
        self._at = 0
        self._is_old = is_old
        self._marks = _V1_MARKS if is_old else _V2_MARKS
        self.text: list[str] = []
        self.length = 0
        self.entities: Entities = []
        self._open: list[dict[str, Any]] = []  # with the mark that ends it
        self._quote: dict[str, Any] | None = None

    def read(self) -> None:
        while self._at < len(self._source):
            if not self._is_old and (self._at == 0 or self._source[self._at - 1] == "\n"):
                self._read_line_start()
                if self._at >= len(self._source):
                    break
            self._read_one()
        if self._open:
            raise wrong(f"there is no end of '{self._open[-1]['mark']}'")
        self._end_quote()

    def _say(self, text: str) -> None:
        self.text.append(text)
        self.length += len(text)

    def _read_line_start(self) -> None:
        is_expandable = self._source.startswith("**>", self._at)
        if is_expandable or self._source.startswith(">", self._at):
            self._at += 3 if is_expandable else 1
            if self._quote is None or is_expandable:
                self._end_quote()
                self._quote = {"type": "blockquote", "offset": self.length, "length": 0}
                self.entities.append(self._quote)
        else:
            self._end_quote()

    def _end_quote(self) -> None:
        if self._quote is not None:
            end = self.length - (1 if self.text and self.text[-1].endswith("\n") else 0)
            self._quote["length"] = end - self._quote["offset"]
            self._quote = None

    def _read_one(self) -> None:
        rest = self._source
        if rest[self._at] == "\\" and self._at + 1 < len(rest) and self._can_escape(rest[self._at + 1]):
            self._say(rest[self._at + 1])
            self._at += 2
            return
        if self._ends_expandable():
            return
        if rest.startswith("```", self._at):
            self._read_pre()
        elif rest[self._at] == "`":
            self._read_code()
        elif self._read_mark() or self._read_link():
            return
        else:
            self._read_plain(rest[self._at])

    def _can_escape(self, character: str) -> bool:
        return character in "_*`[" if self._is_old else ord(character) < 127

    def _read_plain(self, character: str) -> None:
        if not self._is_old and character in _RESERVED:
            raise wrong(f"the character '{character}' is reserved and must be escaped with '\\'")
        self._say(character)
        self._at += 1

    def _ends_expandable(self) -> bool:
        """`||` at the end of a quotation's last line makes it expandable."""
        if self._is_old or self._quote is None or not self._source.startswith("||", self._at):
            return False
        after = self._source[self._at + 2 : self._at + 3]
        if after not in ("", "\n") or any(each["mark"] == "||" for each in self._open):
            return False
        self._quote["type"] = "expandable_blockquote"
        self._at += 2
        return True

    def _read_pre(self) -> None:
        end = self._source.find("```", self._at + 3)
        if end < 0:
            raise wrong("there is no end of '```'")
        inside = self._source[self._at + 3 : end]
        language, line_end, rest = inside.partition("\n")
        entity: dict[str, Any] = {"type": "pre"}
        if line_end and re.fullmatch(r"[A-Za-z0-9_+#.-]{1,32}", language):
            entity["language"], inside = language, rest
        elif line_end and not language:
            inside = rest
        self._add_whole(entity, self._unescape(inside))
        self._at = end + 3

    def _read_code(self) -> None:
        end = self._at + 1
        while end < len(self._source) and self._source[end] != "`":
            end += 2 if self._source[end] == "\\" and not self._is_old else 1
        if end >= len(self._source):
            raise wrong("there is no end of '`'")
        self._add_whole({"type": "code"}, self._unescape(self._source[self._at + 1 : end]))
        self._at = end + 1

    def _unescape(self, inside: str) -> str:
        return inside if self._is_old else re.sub(r"\\([\x01-\x7e])", r"\1", inside)

    def _add_whole(self, entity: dict[str, Any], inside: str) -> None:
        self.entities.append(entity | {"offset": self.length, "length": len(inside)})
        self._say(inside)

    def _read_mark(self) -> bool:
        mark = next((each for each in self._marks if self._source.startswith(each, self._at)), None)
        if mark is None:
            return False
        if (
            mark == "__"
            and self._open
            and self._open[-1]["mark"] == "_"
            and self._source[self._at : self._at + 3] == "___"
        ):
            mark = "_"  # the end of italic inside of underline: `___` is read as `_` and `__`
        if self._open and self._open[-1]["mark"] == mark:
            entity = self._open.pop()["entity"]
            entity["length"] = self.length - entity["offset"]
        elif any(each["mark"] == mark for each in self._open):
            raise wrong(f"'{mark}' ends what is not the last that was begun")
        else:
            if len(self._open) >= DEPTH or (self._is_old and self._open):
                raise wrong("marks are nested too deep")
            entity = {"type": self._marks[mark], "offset": self.length, "length": 0}
            self.entities.append(entity)
            self._open.append({"mark": mark, "entity": entity})
        self._at += len(mark)
        return True

    def _read_link(self) -> bool:
        is_emoji = not self._is_old and self._source.startswith("![", self._at)
        if is_emoji or self._source[self._at] == "[":
            self._at += 2 if is_emoji else 1
            entity = {"offset": self.length, "length": 0}
            self._open.append({"mark": "]", "entity": entity})
            return True
        if self._source[self._at] != "]" or not self._open or self._open[-1]["mark"] != "]":
            return False
        entity = self._open.pop()["entity"]
        entity["length"] = self.length - entity["offset"]
        self._at += 1
        match = re.compile(r"\(((?:\\.|[^)\\])*)\)", re.DOTALL).match(self._source, self._at)
        if match is None:
            if not self._is_old:
                raise wrong("'[...]' needs '(...)' behind it")
            return True
        self._at = match.end()
        if (made := link(self._unescape(match[1]))) is not None:
            self.entities.append(entity | made)
        return True


def read_markdown(text: str, *, is_old: bool) -> tuple[str, Entities]:
    reader = _Markdown(text, is_old=is_old)
    reader.read()
    return "".join(reader.text), reader.entities
