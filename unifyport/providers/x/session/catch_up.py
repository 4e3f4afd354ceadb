"""What happened while nobody listened: the inbox from a mark on, and gaps of conversations.

The inbox has the newest events of each conversation with something above the mark, at most five; what is
before them is fetched page by page, backwards (`GetConversationPageQuery` gives events below a sequence id).
Pages are bounded, and each must lead to older events, else it is the last one.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final

import attrs

from unifyport.protocols import thrift
from unifyport.protocols.xchat import decode_event
from unifyport.providers.contract.errors import Transient

from ..xchat.heads import number
from . import queries
from .client import WebClient
from .shapes import MOST_ITEMS, InboxPage, Item, read
from .transport import WebTransport

log = logging.getLogger(__name__)
MAX_PAGES: Final = 50


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

    async def newest(self) -> int:
        """The newest sequence id of the account, to begin with."""
        return _mark(await self.page(0, None))

    async def since(self, mark: int) -> Fetched:
        """What happened after the event `mark`. Raises failure classes."""
        fetched = Fetched(mark=mark)
        cursor: dict[str, str] | None = None
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page = await self.page(mark, cursor)
            fetched.mark = max(fetched.mark, _mark(page))
            for raw in page.items[:MOST_ITEMS]:
                await self._take(fetched, raw, mark)
            at = page.inbox_cursor
            if at.pull_finished or not at.cursor_id or at.cursor_id in seen:
                break
            seen.add(at.cursor_id)
            cursor = {"cursor_id": at.cursor_id, "graph_snapshot_id": at.graph_snapshot_id}
        else:
            fetched.complete = False
        fetched.events = in_order(fetched.events)
        return fetched

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
        """One conversation of the inbox. One that cannot be read costs only itself."""
        try:
            item = read(raw, Item)
        except Transient:
            log.warning("x: a conversation of the inbox could not be read")
            return
        fetched.keys += item.latest_conversation_key_change_events
        fetched.events += _above(item.events, mark)
        known = [found for event in item.latest_message_events if (found := sequences(event)) is not None]
        if not known:
            return
        sequence, previous, conversation = min(known)
        if sequence > mark and (item.has_more or (previous is not None and previous > mark)):
            await self.back_to(fetched, conversation, below=sequence, above=mark)

    async def back_to(self, fetched: Fetched, conversation: str, *, below: int, above: int) -> None:
        """Add what a conversation has between two sequence ids, both exclusive. Raises failure classes."""
        for _ in range(MAX_PAGES):
            page = await self._transport.page(conversation, below)
            fetched.keys += page.missing_conversation_key_change_events
            found = [
                (at[0], event)
                for event in page.encoded_message_events
                if (at := sequences(event)) is not None and at[0] < below
            ]
            fetched.events += [event for sequence, event in found if sequence > above]
            if not found or not page.has_more:
                return
            below = min(sequence for sequence, _ in found)
            if below <= above:
                return
        fetched.complete = False


def in_order(events: Iterable[str]) -> list[str]:
    """By sequence id, each once; those without one first, as they become visible as what they are."""
    unique = dict.fromkeys(events)
    return sorted(unique, key=lambda event: (sequences(event) or (0,))[0])


def _above(events: Iterable[str], mark: int) -> list[str]:
    return [event for event in events if (at := sequences(event)) is None or at[0] > mark]


def _mark(page: InboxPage) -> int:
    return number(page.max_user_sequence_id) or 0
