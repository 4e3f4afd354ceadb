"""What happened while nobody listened: the inbox from a mark on, and gaps of conversations.

The inbox has the newest events of each conversation with something above the mark, at most five; what is
before them is fetched page by page, backwards (`GetConversationPageQuery` gives events below a sequence id).
Pages are bounded, and each must lead to older events, else it is the last one.
"""

import contextlib
import hashlib
import logging
from collections.abc import Iterable
from typing import Any, Final

import attrs
import msgspec

from unifyport.protocols import thrift
from unifyport.protocols.xchat import decode_event
from unifyport.providers.contract.errors import Transient

from ..xchat.heads import number
from . import queries
from .client import WebClient
from .shapes import MOST_ITEMS, InboxPage, Item, read
from .transport import NEWEST, WebTransport

log = logging.getLogger(__name__)
MAX_PAGES: Final = 50
MOST_ODD: Final = 1000


@attrs.define
class Fetched:
    """Encoded events in their order. `complete` False: there was more than is fetched."""

    events: list[str] = attrs.field(factory=list)
    keys: list[str] = attrs.field(factory=list)
    mark: int = 0
    complete: bool = True


def sequences(encoded: str) -> tuple[int, int | None, str] | None:
    """Sequence id, that of the event before it, and the conversation; None: it cannot be read."""
    try:
        event = decode_event(encoded)
    except thrift.ThriftError:
        return None
    sequence = number(event.sequence_id)
    if sequence is None:
        return None
    return sequence, number(event.previous_sequence_id), event.conversation_id or ""


class CatchUp:
    """The fetches of one connection."""

    def __init__(self, client: WebClient, transport: WebTransport) -> None:
        self._client = client
        self._transport = transport
        self._odd: set[str] = set()  # what cannot be read and was handed on already

    async def newest(self) -> int:
        """The newest sequence id of the account, to begin with."""
        page = await self.page(0, None)
        listed = Fetched()
        for raw in page.items[:MOST_ITEMS]:
            with contextlib.suppress(Transient):
                item = read(raw, Item)
                listed.events += [*item.events, *item.latest_conversation_key_change_events]
        return _largest(listed.events) or number(page.max_user_sequence_id) or 0

    async def since(self, mark: int) -> Fetched:
        """What happened after the event `mark`. Raises failure classes.

        The new mark is the largest sequence id of an event that was read: what the page says of itself could
        only hide events.
        """
        fetched = Fetched(mark=mark)
        cursor: dict[str, str] | None = None
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page = await self.page(mark, cursor)
            for raw in page.items[:MOST_ITEMS]:
                await self._take(fetched, raw, mark)
            at = page.inbox_cursor
            if at.pull_finished or not at.cursor_id or at.cursor_id in seen:
                break
            seen.add(at.cursor_id)
            cursor = {"cursor_id": at.cursor_id, "graph_snapshot_id": at.graph_snapshot_id}
        else:
            fetched.complete = False
        fetched.events = in_order(filter(self._is_fresh, fetched.events))
        fetched.mark = max(mark, _largest([*fetched.events, *fetched.keys]))
        return fetched

    def _is_fresh(self, event: str) -> bool:
        """False for what cannot be read and was there at the catch-up before, as no mark leaves it behind."""
        if sequences(event) is not None:
            return True
        digest = hashlib.sha256(event.encode("utf-8", "replace")).hexdigest()
        if digest in self._odd:
            return False
        if len(self._odd) < MOST_ODD:
            self._odd.add(digest)
        return True

    async def page(self, mark: int, cursor: dict[str, str] | None) -> InboxPage:
        """A page of the inbox; `mark` 0: of all conversations. Raises failure classes."""
        if cursor is not None:
            variables: dict[str, Any] = {"continue_cursor": cursor, "query_settings": queries.SETTINGS}
            data = await self._client.query(queries.INBOX_PAGE, variables)
            return read(data.get("get_inbox_page") or {}, InboxPage)
        variables = {"query_settings": queries.SETTINGS, "message_pull_version": queries.PULL_VERSION}
        if mark:
            variables["max_local_sequence_id"] = str(mark)
        data = await self._client.query(queries.INITIAL_PAGE, variables)
        return read(data.get("get_initial_chat_page") or {}, InboxPage)

    async def _take(self, fetched: Fetched, raw: Any, mark: int) -> None:
        """One conversation of the inbox. One that cannot be read costs only itself, and is quarantined."""
        try:
            item = read(raw, Item)
        except Transient:
            log.warning("x: a conversation of the inbox could not be read")
            fetched.events.append(msgspec.json.encode(raw).decode())
            return
        fetched.keys += item.latest_conversation_key_change_events
        fetched.events += _above(item.events, mark)
        known = [found for event in item.latest_message_events if (found := sequences(event)) is not None]
        if not known:
            named = item.conversation_detail.conversation_id
            if item.has_more and named:
                await self.back_to(fetched, named, below=NEWEST, above=mark)
            elif item.has_more:
                fetched.complete = False
            return
        sequence, previous, conversation = min(known)
        if sequence > mark and (item.has_more or (previous is not None and previous > mark)):
            await self.back_to(fetched, conversation, below=sequence, above=mark)

    async def back_to(self, fetched: Fetched, conversation: str, *, below: int, above: int) -> None:
        """Add what a conversation has between two sequence ids, both exclusive. Raises failure classes."""
        for _ in range(MAX_PAGES):
            page = await self._transport.page(conversation, below)
            fetched.keys += page.missing_conversation_key_change_events
            there = [(sequences(event), event) for event in page.encoded_message_events]
            fetched.events += [event for at, event in there if at is None or above < at[0] < below]
            older = [at[0] for at, _ in there if at is not None and at[0] < below]
            if not page.has_more or (older and min(older) <= above):
                return
            if not older:
                break
            below = min(older)
        fetched.complete = False


def in_order(events: Iterable[str]) -> list[str]:
    """By sequence id, each once; those without one first, as they become visible as what they are."""
    unique = dict.fromkeys(events)
    return sorted(unique, key=lambda event: (sequences(event) or (0,))[0])


def _above(events: Iterable[str], mark: int) -> list[str]:
    return [event for event in events if (at := sequences(event)) is None or at[0] > mark]


def _largest(events: Iterable[str]) -> int:
    return max((at[0] for event in events if (at := sequences(event)) is not None), default=0)
