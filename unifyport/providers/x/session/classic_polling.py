"""What is new of X's older direct messages, which are not encrypted.

    inbox_initial_state   once, to learn the cursor: what was before is history
    user_updates          every 10 s, and when the outcome of a send is not known; after failures every 5,
                          10, … 180 s
    conversation/<id>     what the first state leaves out, where X does not know the cursor any more

The cursor and the newest id that was read are committed with the events. A message that this gateway sends
has a `request_id` of its own, by which its entry is known again: it ends a send whose answer was lost.
Facts: https://github.com/mautrix/twitter, `messaging.go`, `polling.go`.
"""

import logging
from typing import Final

import msgspec
import trio
from msgspec import Struct

from unifyport.model.inbound import PlatformEvent, ProviderEvent, Status, StatusChanged
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import RateLimited, Rejected, SessionLost, Transient
from unifyport.providers.contract.session import Session
from unifyport.providers.http import decode_long
from unifyport.providers.records import scan_all

from . import classic_shapes as shapes
from .classic_gaps import fill, missed_conversations
from .classic_parse import Item, Read, read_event, read_marks, read_page
from .client import WebClient

DM: Final = "/i/api/1.1/dm"
POLL_SECONDS = 10.0
FIRST_WAIT, LAST_WAIT = 5.0, 180.0
MARK: Final = ("classic", b"")
SENT = "classic_sent"  # by request_id
REQUEST, PLACE = "classic_request", "classic_place"  # by conversation
KEPT_MS: Final = 86_400_000  # rows of sends whose entry has not come
_EPOCH_MS, _DAY_MS = 1_288_834_974_657, 86_400_000  # ids begin with the time since then
_LOG = logging.getLogger(__name__)
_QUERY: Final = {
    "nsfw_filtering_enabled": "false",
    "filter_low_quality": "false",
    "include_quality": "all",
    "include_conversation_info": "true",
    "dm_secret_conversations_enabled": "false",
    "krs_registration_enabled": "false",
    "cards_platform": "Web-12",
    "include_cards": "1",
    "tweet_mode": "extended",
    "dm_users": "true",
    "include_groups": "true",
    "include_inbox_timelines": "true",
    "supports_reactions": "true",
    "supports_edit": "true",
}


class _Mark(Struct, array_like=True, frozen=True):
    """`newest`: the highest id that was read. `began`: that of the first state, before which is history."""

    cursor: str = ""
    newest: int = 0
    began: int = 0


class ClassicPolling:
    """The older messages of one account. `load` comes first."""

    def __init__(self, client: WebClient, session: Session, clock: Clock) -> None:
        self._client, self._session, self._clock = client, session, clock
        self._me = client.me
        self._mark: _Mark | None = None
        self._sent: dict[str, int] = {}  # request_id -> unix ms
        self._hurry = trio.Event()  # set where a fetch should not wait; then replaced
        self._requests: set[str] = set()  # conversations that the account has not accepted
        self._places: set[str] = set()  # conversations in which such a message was seen
        self._marks: dict[tuple[str, str], int] = {}  # conversation and reader -> read up to

    async def load(self) -> None:
        """Read what the session holds, and forget sends whose entry will not come."""
        stored = await self._session.get(*MARK)
        self._mark = None if stored is None else msgspec.msgpack.decode(stored, type=_Mark)
        oldest, dropped = self._clock.now_ms() - KEPT_MS, list[SessionChange]()
        for key, value in await scan_all(self._session, SENT):
            if int(value) < oldest and not self._clock.in_doubt:
                dropped.append(SessionChange(SENT, key, None))
            else:
                self._sent[key.decode()] = int(value)
        self._requests = {key.decode() for key, _ in await scan_all(self._session, REQUEST)}
        self._places = {key.decode() for key, _ in await scan_all(self._session, PLACE)}
        for start in range(0, len(dropped), 500):
            await self._session.commit(dropped[start : start + 500])

    async def begin(self) -> None:
        """Read the first state of a new account: what comes after the login is no history. Where X does not
        give it, `run` reads it later. Raises `LoggedOut`, `SessionLost`.
        """
        if self._mark is not None:
            return
        try:
            batch, mark = await self.fetch()
        except SessionLost:
            raise
        except (Transient, Rejected, RateLimited) as error:
            _LOG.warning("direct messages without encryption cannot be fetched: %s", error.reason)
            return
        await self._session.commit(batch.state)
        self._take(batch, mark)

    # -- receiving ------------------------------------------------------------------------------------------

    async def run(self, link: Link) -> None:
        """Fetch what is new until cancelled. Raises failure classes that end the connection: X may close
        these calls, or limit them, without touching the rest.
        """
        wait, reason = FIRST_WAIT, ""
        while True:
            try:
                batch, mark = await self.fetch()
            except SessionLost:
                raise
            except (Transient, Rejected, RateLimited) as error:
                if error.reason != reason:
                    _LOG.warning("direct messages without encryption cannot be fetched: %s", error.reason)
                reason = error.reason
                await trio.sleep(max(wait, error.retry_after if isinstance(error, RateLimited) else 0.0))
                wait = min(wait * 2, LAST_WAIT)
                continue
            link.observed()
            if batch.events or batch.state:
                await link.deliver(batch)
            self._take(batch, mark)
            wait, reason = FIRST_WAIT, ""
            with trio.move_on_after(POLL_SECONDS):
                await self._hurry.wait()
            self._hurry = trio.Event()

    async def fetch(self) -> "tuple[Batch, _Mark]":
        """What is new, to be delivered, and the mark that holds then. Raises failure classes."""
        before = self._mark
        if before is None:
            answer = await self._ask("inbox_initial_state.json", {})
        else:
            answer = await self._ask("user_updates.json", {"cursor": before.cursor} if before.cursor else {})
        state, page = answer.inbox_initial_state, answer.user_events
        if before is None:
            page = state or shapes.Page()
            read = read_page(page, self._me)
            began = self._newest(read)
            mark = _Mark(page.cursor, began, began)
            return Batch([], [*self._changes(read), _stored(mark)]), mark
        if state is not None:
            read = read_page(state, self._me)
            read.items = [item for item in read.items if item.id > before.newest or not item.id]
            gaps = missed_conversations(state, read, before.newest, self._me)
            gaps += await fill(read, before.newest, self._me, self._page_of)
            page = state
        else:
            page, gaps = page or shapes.Page(), []
            read = read_page(page, self._me)
        newest = max(before.newest, self._newest(read))
        mark = _Mark(page.cursor or before.cursor, newest, before.began)
        changes = self._changes(read)
        events = [*gaps, *(self._settled(item, changes) for item in read.items), *self._reads(read, before)]
        if mark != before:
            changes.append(_stored(mark))
        return Batch(events, changes), mark

    def _newest(self, read: Read) -> int:
        """The highest id; one that no message can have yet would hide all that follows."""
        highest = (self._clock.now_ms() + _DAY_MS - _EPOCH_MS) << 22
        return max((item.id for item in read.items if item.id < highest), default=0)

    def _settled(self, item: Item, changes: list[SessionChange]) -> ProviderEvent:
        """The event of an entry; in place of the echo of our own send, its end."""
        event = item.event
        if item.request_id not in self._sent or not item.is_message or not isinstance(event, PlatformEvent):
            return event
        assert event.conversation is not None
        assert event.content is not None
        changes.append(SessionChange(SENT, item.request_id.encode(), None))
        ids, ref = [event.content.id], item.request_id
        found = StatusChanged(event.key, event.conversation, ids, Status.SENT, item.at, client_ref=ref)
        found.provider_data = event.provider_data
        return found

    def _reads(self, read: Read, before: _Mark) -> list[ProviderEvent]:
        at = self._clock.now_ms()
        found: list[ProviderEvent] = []
        for reader, last, chat in read_marks(read, self._me):
            if last > max(before.began, self._marks.get((chat.id, reader), 0)):
                found.append(read_event(self._me, reader, last, chat, at))
        return found

    def _changes(self, read: Read) -> list[SessionChange]:
        """Which conversations are message requests now, and which have messages without encryption."""
        requests = {id_: not place.trusted for id_, place in read.places.items()}
        for item in read.items:
            if item.trusted:
                requests[item.conversation] = False
        changes = [
            SessionChange(REQUEST, id_.encode(), b"1" if wanted else None)
            for id_, wanted in requests.items()
            if wanted != (id_ in self._requests)
        ]
        seen = {item.conversation for item in read.items if item.is_message} - self._places
        return [*changes, *(SessionChange(PLACE, id_.encode(), b"1") for id_ in sorted(seen))]

    def _take(self, batch: Batch, mark: _Mark) -> None:
        """Adopt what was delivered."""
        self._mark = mark
        for change in batch.state:
            if change.name == REQUEST:
                (self._requests.add if change.value else self._requests.discard)(change.key.decode())
            elif change.name == PLACE:
                self._places.add(change.key.decode())
            elif change.name == SENT:
                self._sent.pop(change.key.decode(), None)
        for event in batch.events:
            if isinstance(event, StatusChanged) and event.status is Status.READ:
                reader = event.conversation.id if event.participant is None else event.participant.id
                self._marks[event.conversation.id, reader] = int(event.message_ids[0])

    async def _ask(self, path: str, query: dict[str, str]) -> shapes.Answer:
        body = await self._client.read(f"{DM}/{path}", {**_QUERY, **query})
        answer: shapes.Answer = await decode_long(body, shapes.Answer)
        return answer

    async def _page_of(self, conversation: str, below: int) -> shapes.Page:
        query = {"context": "FETCH_DM_CONVERSATION_HISTORY", "max_id": str(below)}
        answer = await self._ask(f"conversation/{conversation}.json", query)
        return answer.conversation_timeline or shapes.Page()


def _stored(mark: _Mark) -> SessionChange:
    return SessionChange(*MARK, msgspec.msgpack.encode(mark))
