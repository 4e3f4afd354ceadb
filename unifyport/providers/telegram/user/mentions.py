"""Mentions: an anchor such as `{{@7}}` in a text becomes the name of that person, as a mention."""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from unifyport.model.message import OutboundMessage

from .markup import marked_up

_ANCHOR: Final = re.compile(r"\{\{@([0-9]{1,19})\}\}")
_MOST: Final = 100
_FIRST_MARK: Final = 0xE000  # of private use: no mark-up has them
_MARK: Final = re.compile(f"[{chr(_FIRST_MARK)}-{chr(_FIRST_MARK + _MOST)}]")
_Places = list[tuple[int, int]]


def wanted(message: OutboundMessage) -> list[str]:
    """The ids of `mentions` that the text has an anchor of."""
    if not message.mentions:
        return []
    ids = dict.fromkeys(_ANCHOR.findall(message.text))
    return [id_ for id_ in ids if id_ in message.mentions][:_MOST]


def expanded(message: OutboundMessage, names: Mapping[str, str]) -> OutboundMessage:
    """The message with `names` in place of the anchors of these people. Its mark-up becomes entities, which
    count in code points. Raises `Rejected` for mark-up that is not allowed.
    """
    data, ids = dict(message.provider_data), list(names)
    given = data.pop("parse_mode", None)
    mode = message.parse_mode or given
    entities = data.pop("entities", [])
    if mode is None:
        text, marks = message.text, _ANCHOR
    else:  # braces are marks of their own there
        text, made = marked_up(_ANCHOR.sub(lambda anchor: _mark_of(anchor, ids), message.text), mode)
        entities, marks = [*made, *entities], _MARK
    parts, found, places, end, moved = list[str](), list[Any](), _Places(), 0, 0
    for mark in marks.finditer(text):
        id_ = mark[1] if mode is None else ids[ord(mark[0]) - _FIRST_MARK]
        name = names.get(id_)
        if name is None:
            continue
        parts += [text[end : mark.start()], name]
        place = {"offset": mark.start() + moved, "length": len(name)}
        found.append({"type": "text_mention", **place, "user": {"id": int(id_)}})
        moved, end = moved + len(name) - len(mark[0]), mark.end()
        places.append((end, moved))
    found += [_moved(entity, places) for entity in entities]
    data["entities"] = found
    plain = "".join([*parts, text[end:]])
    return attrs.evolve(message, text=plain, parse_mode=None, provider_data=data, rendered=None)


def _mark_of(anchor: re.Match[str], ids: list[str]) -> str:
    return chr(_FIRST_MARK + ids.index(anchor[1])) if anchor[1] in ids else anchor[0]


def _moved(entity: Any, places: _Places) -> Any:
    """An entity where its words are after names have taken the places of anchors."""
    if not isinstance(entity, dict):
        return entity
    offset, length = entity.get("offset"), entity.get("length")
    if type(offset) is not int or type(length) is not int:
        return entity
    start = _shifted(offset, places)
    return {**entity, "offset": start, "length": _shifted(offset + length, places) - start}


def _shifted(offset: int, places: _Places) -> int:
    """`places`: the end of each anchor, and by how much all behind it has moved."""
    return offset + next((moved for end, moved in reversed(places) if end <= offset), 0)
