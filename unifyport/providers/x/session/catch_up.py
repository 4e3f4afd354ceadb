"""What the chat socket has not told: the inbox from a mark on, and gaps of conversations.

The inbox has the newest events of each conversation with something above the mark, at most five; what is
before them is fetched page by page, backwards (`GetConversationPageQuery` gives events below a sequence id).
Pages are bounded, and each must lead to older events, else it is the last one.
"""

import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable
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
MOST_CHARACTERS: Final = 32 * 1024 * 1024  # of encoded events of one conversation, in memory at a time


@attrs.define
class Fetched:
    """Encoded events in their order. `complete` False: there was more than is fetched. `mark`: the sequence
    id up to which the inbox is read once this is delivered; 0: it does not change.
    """

    events: list[str] = attrs.field(factory=list)
    keys: list[str] = attrs.field(factory=list)
    mark: int = 0
    complete: bool = True


Deliver = Callable[[Fetched], Awaitable[None]]


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
        return _largest(_listed(page)) or number(page.max_user_sequence_id) or 0

    async def since(self, mark: int, deliver: Deliver) -> None:
        """Hand over what happened after the event `mark`, conversation by conversation, then the new mark.

        The new mark is the largest sequence id of the first page: a later page, and the history of a
        conversation, may have events that are newer than others of a conversation which was read before
        them. What the page says of itself could only hide events. Raises failure classes, and what `deliver`
        raises; what was handed over until then comes again.
        """
        reached, complete = mark, True
        cursor: dict[str, str] | None = None
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page = await self.page(mark, cursor)
            if cursor is None:
                reached = max(mark, _largest(_listed(page)))
            for raw in page.items[:MOST_ITEMS]:
                await deliver(await self._of_one(raw, mark))
            complete = len(page.items) <= MOST_ITEMS
            at = page.inbox_cursor
            if not complete or at.pull_finished or not at.cursor_id or at.cursor_id in seen:
                break
            seen.add(at.cursor_id)
            cursor = {"cursor_id": at.cursor_id, "graph_snapshot_id": at.graph_snapshot_id}
        else:
            complete = False
        await deliver(Fetched(mark=reached, complete=complete))

    async def _of_one(self, raw: Any, mark: int) -> Fetched:
        """What one conversation of the inbox has after the mark, in order."""
        fetched = Fetched()
        await self._take(fetched, raw, mark)
        fetched.events = in_order(filter(self._is_fresh, fetched.events))
        return fetched

    def _is_fresh(self, event: str) -> bool:
        """False for an unreadable event that was handed over before: the mark does not leave it behind."""
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
        size = 0
        for _ in range(MAX_PAGES):
            page = await self._transport.page(conversation, below)
            size += sum(map(len, page.encoded_message_events))
            size += sum(map(len, page.missing_conversation_key_change_events))
            fetched.keys += page.missing_conversation_key_change_events
            there = [(sequences(event), event) for event in page.encoded_message_events]
            fetched.events += [event for at, event in there if at is None or above < at[0] < below]
            older = [at[0] for at, _ in there if at is not None and at[0] < below]
            if not page.has_more or (older and min(older) <= above):
                return
            if not older or size > MOST_CHARACTERS:
                break
            below = min(older)
        fetched.complete = False


def _listed(page: InboxPage) -> list[str]:
    """The events of a page of the inbox, as far as its conversations can be read."""
    listed: list[str] = []
    for raw in page.items[:MOST_ITEMS]:
        with contextlib.suppress(Transient):
            item = read(raw, Item)
            listed += [*item.events, *item.latest_conversation_key_change_events]
    return listed


def in_order(events: Iterable[str]) -> list[str]:
    """By sequence id, each once; those without one first, as they become visible as what they are."""
    unique = dict.fromkeys(events)
    return sorted(unique, key=lambda event: (sequences(event) or (0,))[0])


def _above(events: Iterable[str], mark: int) -> list[str]:
    return [event for event in events if (at := sequences(event)) is None or at[0] > mark]


def _largest(events: Iterable[str]) -> int:
    return max((at[0] for event in events if (at := sequences(event)) is not None), default=0)
