"""The mark-up of a text or caption: entities that a caller gives, or a parse mode."""

from typing import Any

from unifyport.model.entities import in_utf16
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import invalid

_PARSE_MODES = {"markdown": "Markdown", "markdownv2": "MarkdownV2", "html": "HTML"}


def parse_mode_of(value: str) -> str:
    """The Bot API's spelling of a parse mode. Raises `Rejected`."""
    mode = _PARSE_MODES.get(value.lower())
    if mode is None:
        raise Rejected("unknown_parse_mode", "parse_mode is Markdown, MarkdownV2 or HTML")
    return mode


def entities_of(field: str, text: str, entities: list[Any]) -> list[dict[str, Any]]:
    """Entities in code points of a text as the Bot API takes them. `field` names them. Raises `Rejected`."""
    for place, entity in enumerate(entities):
        good = isinstance(entity, dict) and isinstance(entity.get("type"), str)
        if not good or not _inside(text, entity.get("offset"), entity.get("length")):
            what = "needs a type, and an offset and a length inside of the text"
            raise invalid(f"{field}[{place}]", what)
    return in_utf16(text, entities)


def _inside(text: str, offset: Any, length: Any) -> bool:
    return (
        type(offset) is int and type(length) is int and offset >= 0 < length and offset + length <= len(text)
    )
