"""Texts with a `parse_mode` -> plain texts with entities, as the Bot API reads them.

The platform takes entities only, from its apps; what Telegram's servers do for bots is done here.
https://core.telegram.org/bots/api#formatting-options. Entities count in code points.
"""

import functools
from collections.abc import Callable
from typing import Final

from unifyport.providers.contract.errors import Rejected

from .markup_common import Entities
from .markup_html import read_html
from .markup_markdown import read_markdown

_MOST: Final = 1000  # entities; the platform shows at most 100


def marked_up(text: str, parse_mode: str | None) -> tuple[str, Entities]:
    """The plain text and its entities. Raises `Rejected` for a text that the mode does not allow."""
    if parse_mode is None:
        return text, []
    read = _MODES.get(parse_mode.lower())
    if read is None:
        raise Rejected("unknown_parse_mode", "parse_mode is Markdown, MarkdownV2 or HTML")
    plain, entities = read(text)
    found = [each for each in entities if each["length"] > 0][:_MOST]
    found.sort(key=lambda each: (each["offset"], -each["length"]))
    return plain, found


_MODES: dict[str, Callable[[str], tuple[str, Entities]]] = {
    "html": read_html,
    "markdown": functools.partial(read_markdown, is_old=True),
    "markdownv2": functools.partial(read_markdown, is_old=False),
}
