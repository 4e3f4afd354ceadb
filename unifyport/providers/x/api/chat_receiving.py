"""Events of XChat for one account: those that X reports, and those of conversations that it did not report.

Each event names the one before it in its conversation. The *mark* of a conversation is the last one up to
which all are committed; it moves with an event that follows it, or when all after it were read. So:

    at an opening     the list of conversations says which have changed since; their events are read
    an event that     what is between is read
    does not follow

The list and the events are https://docs.x.com/x-api/chat/get-chat-conversations and
…/get-chat-conversation-events. What was before the account's first connection is history and is not told.
"""

import logging
from collections.abc import Iterable, Sequence

import trio

from unifyport.model.inbound import PlatformEvent, ProviderEvent, raw_key
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected, SessionLost, Transient
from unifyport.providers.contract.session import Session

from ..xchat.chat import Opened, XChat
from ..xchat.heads import Head, Unreadable, number, read_item
from ..xchat.ids import conversation_of
from .chat_calls import ChatCalls
from .chat_items import sealed_in
from .chat_marks import CHECKED, MARK, begin, mark_change, time_of
from .people import conversation

log = logging.getLogger("unifyport.x")

SLACK_MS = 120_000  # between X's clocks
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
            self._unchecked = False  # an opening during the check makes another one due
            try:
                await self.check(link)
            except BaseException:
                self._unchecked = True
                raise
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
        return [mark_change(place, sequence) for place, sequence in marks.items() if place not in self.due]

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
            changed = [(each, time_of(each.updated_at)) for each in page.data]
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
        if after and (after in seen or len(seen) == MAX_PAGES):
            log.warning("X lists more encrypted conversations than are read")
            await link.deliver(Batch([self._gap("", newest)]))
        await self.fill(link)
        await self._session.commit([SessionChange(*CHECKED, str(newest).encode())])

    async def fill(self, link: Link) -> None:
        """Read and commit what is missing in conversations that are due. Raises failure classes; that of one
        conversation after the others were read.
        """
        failed: dict[str, Transient] = {}
        async with self._reading:
            while rest := self.due - failed.keys():
                place = min(rest)
                self.due.discard(place)  # what it misses from now on makes it due again
                try:
                    await self._fill(link, place)
                except Rejected as refused:
                    log.warning("X does not give the events of a conversation (%s)", refused.reason)
                    await link.deliver(Batch([self._gap(place, await self._mark(place) or 0)]))
                except BaseException as error:
                    self.due.add(place)
                    if not isinstance(error, Transient) or isinstance(error, SessionLost):
                        raise
                    failed[place] = error
        for failure in failed.values():
            raise failure

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
            changes = [mark_change(place, newest)] if last and newest > (mark or 0) else []
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
                break
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
        """More was missing than is read, in one conversation or (`place` empty) in any."""
        key = raw_key("x", self._me, f"{place} {newest}".encode(), "gap")
        there = conversation(self._me, place, {}) if place else None
        return PlatformEvent(key, "gap", self._clock.now_ms(), there)

    def _head(self, encoded: str) -> Head | None:
        try:
            return read_item(encoded, self._me).head
        except Unreadable:
            return None

    async def _mark(self, place: str) -> int | None:
        return number((await self._session.get(MARK, place.encode()) or b"").decode())
