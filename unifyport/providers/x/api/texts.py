"""The text of a direct message as its writer wrote it, and the parts of it that have a meaning.

X writes `&`, `<` and `>` as HTML entities, and puts a link of its own (https://t.co/…) in place of each link
and of each file; `entities.urls` has what was written. Offsets of the platform are not used: they count in
the text before this.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .shapes import Entities, Mention

_SHORT = re.compile(r"https?://t\.co/[A-Za-z0-9]+")
_ESCAPED = re.compile(r"&(amp|lt|gt);")
_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">"}


def written(text: str, links: Mapping[str, str], files: Iterable[str]) -> str:
    """The text with the links that were written (`links`: by t.co link), without the links of `files`."""
    gone = set(files)
    pieces, end = [], 0
    for match in _SHORT.finditer(text):
        before = text[end : match.start()]
        if match[0] in gone:
            pieces.append(unescaped(before).removesuffix(" "))
        else:
            pieces += [unescaped(before), links.get(match[0]) or match[0]]
        end = match.end()
    return "".join([*pieces, unescaped(text[end:])])


def unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: _CHARACTERS[match[1]], text)


def links_of(entities: Entities | None) -> dict[str, str]:
    """What was written, by the t.co link that stands for it."""
    urls = entities.urls if entities is not None else None
    return {each.url: each.expanded_url for each in urls or ()}


def entities_of(text: str, entities: Entities | None) -> list[dict[str, Any]]:
    """Entities of a text that `written` returned, under Telegram's names, in code points."""
    if entities is None:
        return []
    wanted: list[tuple[str, str, dict[str, Any]]] = [
        ("url", link, {}) for link in links_of(entities).values() if link
    ]
    mentions = [*(entities.user_mentions or ()), *(entities.mentions or ())]
    wanted += [("mention", f"@{name_of(each)}", _user(each)) for each in mentions if name_of(each)]
    for sign, kind, tags in (
        ("#", "hashtag", entities.hashtags),
        ("$", "cashtag", [*(entities.symbols or ()), *(entities.cashtags or ())]),
    ):
        wanted += [(kind, sign + (tag.text or tag.tag), {}) for tag in tags or () if tag.text or tag.tag]
    found, used = [], set[int]()
    lowered = text.lower()
    for kind, part, more in wanted:
        offset = lowered.find(part.lower())
        while offset in used:
            offset = lowered.find(part.lower(), offset + 1)
        if offset >= 0 and len(lowered) == len(text):
            used.add(offset)
            found.append({"type": kind, "offset": offset, "length": len(part), **more})
    return sorted(found, key=lambda entity: entity["offset"])


def name_of(mention: Mention) -> str:
    return mention.screen_name or mention.username


def _user(mention: Mention) -> dict[str, Any]:
    id_ = mention.id_str or str(mention.id or "")
    return {"user_id": id_} if id_ else {}
