"""Events of XChat for one account: those that X reports, and those of conversations that it did not report.

Each event names the one before it in its conversation. The *mark* of a conversation is the last one up to
which all are committed; it moves with an event that follows it, or when all after it were read. So:

    at an opening     the list of conversations says which have changed since; their events are read
    an event that     what is between is read
    does not follow

The list and the events are https://docs.x.com/x-api/chat/get-chat-conversations and
…/get-chat-conversation-events. What was before the account's first connection is history and is not told.
"""

import contextlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

import trio

from unifyport.model.inbound import PlatformEvent, ProviderEvent, raw_key
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected, Transient
from unifyport.providers.contract.session import Session

from ..xchat.chat import Opened, XChat
from ..xchat.heads import Head, Unreadable, number, read_item
from ..xchat.ids import conversation_of
from ..xchat.records import BEGAN
from .chat_calls import ChatCalls
from .chat_items import sealed_in
from .people import conversation

log = logging.getLogger("unifyport.x")

MARK = "xchat_mark"  # session record, by conversation
CHECKED = ("xchat_checked", b"")  # unix ms: conversations that changed before are read
SLACK_MS = 120_000  # between X's clocks
SKEW_MS = 10_000  # between its clock and ours
AT_A_TIME = 100  # events that are opened and committed together
MAX_PAGES = 100


class ChatReceiver:
    """`me`: the id of the account's user. `due`: conversations in which something is missing."""

    def __init__(self, chat: XChat, calls: ChatCalls, session: Session, *, me: str, clock: Clock) -> None:
        self._chat = chat
        self._calls = calls
        self._session = session
        self._me = me
        self._clock = clock
        self._began = 0
        self._reading = trio.Lock()
        self._unchecked = True
        self._news = trio.Event()
        self.due: set[str] = set()

    async def load(self) -> None:
        self._began = await begin(self._session, self._clock)

    async def open(self, events: list[ProviderEvent]) -> tuple[list[ProviderEvent], list[SessionChange]]:
        """The events, with what sealed ones say in place of them. Raises `LoggedOut`."""
        sealed = [each for event in events if (each := sealed_in(event)) is not None]
        if not sealed:
            return events, []
        keys = [each.key_change for each in sealed if each.key_change]
        others = [event for event in events if sealed_in(event) is None]
        opened = None
        try:
            opened = await self._chat.open_events([each.encoded for each in sealed], keys=keys)
            changes = [*opened.changes, *await self._follow(opened.heads)]
        except LoggedOut:
            raise
        except ChannelError:  # keys cannot be had now
            return others, []
        finally:
            if opened is None:  # also where X waits no longer: read again, with all that came meanwhile
                heads = [self._head(each.encoded) for each in sealed]
                self._miss(head.conversation for head in heads if head is not None)
        return [*others, *opened.events], changes

    def reopen(self) -> None:
        """Something may be missing from now on."""
        self._unchecked = True
        self._news.set()

    async def wait(self) -> None:
        """Until something is missing, or may be."""
        if not self._unchecked and not self.due:
            await self._news.wait()

    async def complete(self, link: Link) -> None:
        """Read and commit all that is missing. Raises failure classes."""
        self._news = trio.Event()
        if self._unchecked:
            await self.check(link)
            self._unchecked = False
        await self.fill(link)

    def _miss(self, places: Iterable[str]) -> None:
        self.due.update(places)
        self._news.set()

    async def _follow(self, heads: Sequence[Head | None]) -> list[SessionChange]:
        """The marks that move with these events, in order. One that does not follow makes its conversation
        `due`.
        """
        marks: dict[str, int] = {}
        for head in heads:
            if head is None or head.sequence is None or head.kind == "failure":
                continue
            place = head.conversation
            mark = marks.get(place)
            if mark is None:
                mark = await self._mark(place)
            if head.previous == mark:
                marks[place] = head.sequence
            elif head.previous is not None and (mark is None or head.sequence > mark):
                self._miss([place])
        return [_mark(place, sequence) for place, sequence in marks.items() if place not in self.due]

    # -- what X did not report -------------------------------------------------------------------------------

    async def check(self, link: Link) -> None:
        """Read the conversations that have changed since the last time. Raises failure classes."""
        since = number((await self._session.get(*CHECKED) or b"").decode()) or self._began
        newest, after, seen = since, None, set[str]()
        for _ in range(MAX_PAGES):
            try:
                page = await self._calls.conversations(after)
            except Rejected as refused:  # an app without this permission is told what the stream brings
                log.warning("X lists no encrypted conversations (%s)", refused.reason)
                return
            changed = [(each, _time(each.updated_at)) for each in page.data]
            for each, at in changed:
                place = conversation_of(self._me, each.id)
                if place is not None and (at is None or at >= since - SLACK_MS):
                    self.due.add(place)
                newest = max(newest, at or 0)
            after = page.meta.next_token
            if (
                not after
                or after in seen
                or any(at is not None and at < since - SLACK_MS for _, at in changed)
            ):
                break
            seen.add(after)
        await self.fill(link)
        await self._session.commit([SessionChange(*CHECKED, str(newest).encode())])

    async def fill(self, link: Link) -> None:
        """Read and commit what is missing in conversations that are due. Raises failure classes."""
        async with self._reading:
            while self.due:
                place = min(self.due)
                with contextlib.suppress(Rejected):  # a conversation that is gone
                    await self._fill(link, place)
                self.due.discard(place)

    async def _fill(self, link: Link, place: str) -> None:
        mark = await self._mark(place)
        missing, keys, reached = await self._read(place, mark)
        changes: list[SessionChange] = []
        for start in range(0, len(missing), AT_A_TIME):
            part = missing[start : start + AT_A_TIME]
            opened = await self._chat.open_events(part, keys=keys if start == 0 else ())
            self._without_history(opened)
            last = start + AT_A_TIME >= len(missing)
            newest = max((head.sequence or 0 for head in opened.heads if head is not None), default=0)
            changes = [_mark(place, newest)] if last and newest > (mark or 0) else []
            gap = [] if reached or not last else [self._gap(place, newest)]
            await link.deliver(Batch([*opened.events, *gap], [*opened.changes, *changes]))

    async def _read(self, place: str, mark: int | None) -> tuple[list[str], list[str], bool]:
        """Events after the mark, oldest first, key changes beside them, and whether the mark was reached."""
        found: list[str] = []
        keys: list[str] = []
        after, seen = None, set[str]()
        for _ in range(MAX_PAGES):
            page = await self._calls.events(place, after)
            keys += page.meta.conversation_key_events
            for each in page.data:
                head = self._head(each.encoded_event)
                if head is not None and head.sequence is not None and self._is_known(head, mark):
                    return found[::-1], keys, True
                found.append(each.encoded_event)
            after = page.meta.next_token
            if not after:
                return found[::-1], keys, True
            if after in seen:
                raise Transient("pagination_loop")
            seen.add(after)
        return found[::-1], keys, False

    def _is_known(self, head: Head, mark: int | None) -> bool:
        assert head.sequence is not None
        if mark is not None:
            return head.sequence <= mark
        return head.at is not None and head.at < self._began

    def _without_history(self, opened: Opened) -> None:
        """Events of a time before the first connection are kept for later ones to name, and not told."""
        opened.events = [
            event
            for event in opened.events
            if (at := getattr(event, "sent_at", None) or getattr(event, "at", None)) is None
            or at >= self._began
        ]

    def _gap(self, place: str, newest: int) -> PlatformEvent:
        """More was missing than is read."""
        key = raw_key("x", self._me, f"{place} {newest}".encode(), "gap")
        return PlatformEvent(key, "gap", self._clock.now_ms(), conversation(self._me, place, {}))

    def _head(self, encoded: str) -> Head | None:
        try:
            return read_item(encoded, self._me).head
        except Unreadable:
            return None

    async def _mark(self, place: str) -> int | None:
        return number((await self._session.get(MARK, place.encode()) or b"").decode())


async def begin(session: Session, clock: Clock) -> int:
    """When the account's first login was, in unix ms; now, if there was none. Called before anything is
    ordered at X, so that nothing that it reports is taken for history.
    """
    stored = number((await session.get(*BEGAN) or b"").decode())
    if stored is None:
        stored = clock.now_ms() - SKEW_MS
        value = str(stored).encode()
        await session.commit([SessionChange(*BEGAN, value), SessionChange(*CHECKED, value)])
    return stored


def _mark(place: str, sequence: int) -> SessionChange:
    return SessionChange(MARK, place.encode(), str(sequence).encode())


def _time(text: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None
