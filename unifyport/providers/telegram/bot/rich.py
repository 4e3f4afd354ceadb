"""Rich messages -> text with entities, and files: https://core.telegram.org/bots/api#richmessage.

Blocks and texts nest. Those of an unknown type are read by the names of their fields, so that words are not
lost when the platform adds a type.
"""

import contextlib
from typing import Any

import msgspec

from unifyport.model.inbound import Attachment

from .media import attachments
from .shapes import Location, Media

_ENTITIES = {"url": "text_link", "email_address": "email"}  # names that differ from the type of the text
_KEPT = ("url", "user", "custom_emoji_id", "unix_time", "date_time_format", "language")
_NO_ENTITY = frozenset({"anchor", "anchor_link", "reference", "reference_link", "button"})
_BLOCK_ENTITIES = frozenset({"pre", "blockquote", "expandable_blockquote"})
_INLINE = ("text", "alternative_text", "expression", "button")


class RichReader:
    """Collects what the blocks of a rich message say."""

    def __init__(self) -> None:
        self.entities: list[dict[str, Any]] = []
        self.files: list[Attachment] = []
        self._said: list[str] = []
        self._length = 0
        self._line_begun = False

    @property
    def text(self) -> str:
        return "".join(self._said)

    def read_blocks(self, blocks: Any) -> None:
        for block in _list(blocks):
            if isinstance(block, dict):
                self._read_block(block)

    def _read_block(self, block: dict[str, Any]) -> None:
        self._begin_line()
        start, kind = self._length, block.get("type")
        with contextlib.suppress(msgspec.ValidationError):
            self.files += attachments([msgspec.convert(block, Media)])
        if "location" in block:
            with contextlib.suppress(msgspec.ValidationError):
                place = msgspec.convert(block["location"], Location)
                self._say(f"{place.latitude:.6f},{place.longitude:.6f}")
        self._read_lines(block, "summary", "text", "expression")
        for item in _list(block.get("items")):
            self._read_item(item)
        self.read_blocks(block.get("blocks"))
        for row in [*_list(block.get("cells")), block.get("buttons")]:
            self._begin_line()
            self._read_row(_list(row))
        self._read_lines(block, "caption", "credit")
        if isinstance(kind, str) and kind in _BLOCK_ENTITIES:
            self._mark(kind, start, block)

    def _read_lines(self, block: dict[str, Any], *fields: str) -> None:
        for field in fields:
            if field in block:
                self._begin_line()
                self._read_text(block[field])

    def _read_item(self, item: Any) -> None:
        """An item of a list: its first block stays on the line of its label."""
        self._begin_line()
        if isinstance(item, dict) and isinstance(item.get("label"), str) and item["label"]:
            self._say(f"{item['label']} ")
            self._line_begun = False
        if isinstance(item, dict) and "blocks" in item:
            self.read_blocks(item["blocks"])
        else:
            self._read_text(item)

    def _read_row(self, cells: list[Any]) -> None:
        for number, cell in enumerate(cells):
            if number:
                self._say(" | ")
            self._read_text(cell)

    def _read_text(self, value: Any) -> None:
        """A rich text: a string, a list of rich texts, or an object with one in it."""
        match value:
            case str():
                self._say(value)
            case list():
                for part in value:
                    self._read_text(part)
            case dict():
                start, kind = self._length, value.get("type")
                for field in _INLINE:
                    if field in value:
                        self._read_text(value[field])
                if isinstance(value.get("credit"), str | list | dict):
                    self._say(" ")
                    self._read_text(value["credit"])
                if isinstance(kind, str) and kind not in _NO_ENTITY:
                    self._mark(_ENTITIES.get(kind, kind), start, value)

    def _mark(self, name: str, start: int, value: dict[str, Any]) -> None:
        if self._length > start:
            kept = {field: value[field] for field in _KEPT if field in value}
            self.entities.append({"type": name, "offset": start, "length": self._length - start, **kept})

    def _begin_line(self) -> None:
        if self._line_begun:
            self._say("\n")
            self._line_begun = False

    def _say(self, text: str) -> None:
        if text:
            self._said.append(text)
            self._length += len(text)
            self._line_begun = not text.endswith("\n")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
