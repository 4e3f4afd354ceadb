"""Texts from outside on a terminal: as markup of rich, and as JSON."""

import json
import re
from typing import Any

from unifyport.model.texts import ACTING, visible

_ACTING = re.compile(f"[{ACTING}]")
# What rich takes for a tag (`rich.markup.RE_TAGS`), with the backslashes before it. `rich.markup.escape`
# loses backslashes that stand before another bracket, or before the tag that follows the text.
_BRACKET = re.compile(r"(\\*)\[(?=([a-z#/@][^\[]*?\])?)")
_AT_THE_END = re.compile(r"\\+\Z")
_EMPTY_TAG = "[default][/default]"


def escaped(text: str) -> str:
    """The text for rich: what could control the terminal is shown, and brackets are no markup."""
    inside = _BRACKET.sub(_escape_bracket, visible(text))
    return _AT_THE_END.sub(lambda found: found[0] * 2 + _EMPTY_TAG, inside)


def _escape_bracket(found: re.Match[str]) -> str:
    backslashes, tag = found[1], found[2]
    if tag is not None:
        return backslashes * 2 + "\\["
    return backslashes + "\\[" if backslashes else "["


def json_text(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON that any terminal shows: what could control it is written as `\\u001b`.

    It is read as the same value.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _ACTING.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], text)
