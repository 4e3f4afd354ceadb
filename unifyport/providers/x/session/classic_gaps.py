"""Entries that a first state leaves out, read back from the history of each conversation.

X gives a first state in place of what is new where it does not know the cursor any more. It has the newest
entries of each conversation only.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from unifyport.model.inbound import PlatformEvent, ProviderEvent, dedupe_key

from . import classic_shapes as shapes
from .classic_parse import Read, chat_of, read_page

MAX_PAGES: Final = 20  # of one conversation
Pages = Callable[[str, int], Awaitable[shapes.Page]]


async def fill(read: Read, newest: int, me: str, pages: Pages) -> list[ProviderEvent]:
    """Add to `read` what was after `newest`. Returns a `gap` for each conversation of which X does not give
    it.

    `pages(conversation, id)`: entries below an id, the newest first. Raises what it raises.
    """
    oldest = dict[str, int]()
    for item in read.items:
        if item.id:
            oldest[item.conversation] = min(item.id, oldest.get(item.conversation, item.id))
    gaps: list[ProviderEvent] = []
    for id_, last in oldest.items():
        place = read.places.get(id_)
        first = "" if place is None else place.min_entry_id
        if first.isascii() and first.isdigit() and int(first) >= last:
            continue
        if not await _walk(read, id_, last, newest, me=me, pages=pages):
            key = dedupe_key("x", me, "classic_gap", id_, str(newest), str(last))
            chat = chat_of(me, id_, place, read.users)
            gaps.append(PlatformEvent(key, "gap", None, chat, details={"after": str(newest)}))
    read.items.sort(key=lambda item: item.place)
    return gaps


def missed_conversations(state: shapes.Page, read: Read, newest: int, me: str) -> list[ProviderEvent]:
    """A `gap` where the conversations that a first state leaves out may have something after `newest`: all
    that it shows have.
    """
    timelines = state.inbox_timelines
    if "HAS_MORE" not in (timelines.trusted.status, timelines.untrusted.status):
        return []
    if {item.conversation for item in read.items if item.id > newest} < set(read.places):
        return []
    return [PlatformEvent(dedupe_key("x", me, "classic_gap", str(newest)), "gap", None)]


async def _walk(read: Read, id_: str, last: int, newest: int, *, me: str, pages: Pages) -> bool:
    """Read a conversation back from `last` to `newest`. False: X has given no more before that."""
    for _ in range(MAX_PAGES):
        page = await pages(id_, last)
        older = [item for item in read_page(page, me).items if item.id < last]
        read.items += [item for item in older if item.id > newest or not item.id]
        lowest = min((item.id for item in older if item.id), default=last)
        if lowest <= newest or page.status == "AT_END":
            return True
        if lowest == last:
            return False  # a page that does not move on
        last = lowest
    return False
