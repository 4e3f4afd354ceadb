"""What the parse modes share."""

import re
from typing import Any, Final

from unifyport.providers.contract.errors import Rejected

Entities = list[dict[str, Any]]
DEPTH: Final = 64  # of marks inside of marks


def wrong(what: str) -> Rejected:
    return Rejected("invalid_markup", f"the text cannot be parsed: {what}")


def link(url: str) -> dict[str, Any] | None:
    """The entity of a link: to a user, of a custom emoji, to anything else; None for no link."""
    if match := re.fullmatch(r"tg://user\?id=([0-9]{1,19})", url):
        return {"type": "text_mention", "user": {"id": int(match[1])}}
    if match := re.fullmatch(r"tg://emoji\?id=([0-9]{1,19})", url):
        return {"type": "custom_emoji", "custom_emoji_id": match[1]}
    return {"type": "text_link", "url": url} if url else None
