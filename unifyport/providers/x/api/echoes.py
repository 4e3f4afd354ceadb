"""Echoes: X reports what the account sends, also what we sent by the API.

What we sent is known by its id (`answered`). `remember` makes the dedupe key of that id durable, so that its
echo is a repeat also after a restart. An echo may come before the answer: it is held until no send of its
conversation is in progress. Where the answer was lost, the send has left a row (`sending`), and the first
echo with the same conversation and content within `MATCH_SECONDS` settles it: the send of unknown outcome was
sent.
"""

import contextlib
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterator

import msgspec
import trio
from msgspec import Struct

from unifyport.model.inbound import (
    Ignored,
    PlatformEvent,
    ProviderEvent,
    Status,
    StatusChanged,
)
from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import ChannelError
from unifyport.providers.contract.session import Session

from .items import message_key
from .people import canonical

NAME = "out"  # session records, by client_ref
MATCH_SECONDS = 15 * 60
SKEW_SECONDS = 120  # between our clock and X's
HOLD_SECONDS = 30.0
HOLD_WEBHOOK_SECONDS = 5.0  # X waits for ten, and does not repeat what was not taken
_MAX_ROWS = 500


class _Row(Struct, array_like=True):
    conversation: str
    digest: bytes
    at: int  # unix ms


class Echoes:
    """The sends of one account."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._in_progress: Counter[str] = Counter()
        self._ended = trio.Event()
        self._known: OrderedDict[str, str] = OrderedDict()  # message id -> client_ref
        self._unsaved: list[str] = []
        self._answer = trio.Event()

    async def load(self) -> None:
        """Read the rows of sends whose answer is not known, and drop those that no echo can settle."""
        rows = await self._session.scan(NAME, limit=_MAX_ROWS)
        oldest = self._clock.now_ms() - MATCH_SECONDS * 1000 - SKEW_SECONDS * 1000
        dropped = []
        for key, value in rows:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                row = msgspec.msgpack.decode(value, type=_Row)
                if row.at >= oldest or self._clock.in_doubt:
                    self._rows[key.decode()] = row
                    continue
            dropped.append(SessionChange(NAME, key, None))
        if dropped:
            await self._session.commit(dropped)

    @contextlib.contextmanager
    def sending(self, message: OutboundMessage) -> Iterator[SessionChange]:
        """While a message is sent. Gives the change that `Session.sending` makes durable with it."""
        place, ref = canonical(message.conversation_id), message.client_ref
        row = _Row(place, _digest(message.text, isinstance(message, OutboundMedia)), self._clock.now_ms())
        self._rows[ref] = row
        self._in_progress[place] += 1
        try:
            yield SessionChange(NAME, ref.encode(), msgspec.msgpack.encode(row))
        except ChannelError as error:
            if not error.maybe_applied:
                self._rows.pop(ref, None)  # the row on the disk is dropped when the next connection begins
            raise
        finally:
            self._in_progress[place] -= 1
            if not self._in_progress[place]:
                del self._in_progress[place]
            self._ended.set()
            self._ended = trio.Event()

    def answered(self, ref: str, message_id: str) -> None:
        """X has given a message its id."""
        self._rows.pop(ref, None)
        self._known[message_id] = ref
        while len(self._known) > _MAX_ROWS:
            self._known.popitem(last=False)
        self._unsaved.append(message_id)
        self._answer.set()

    async def remember(self, link: Link, me: str) -> None:
        """Make the ids of answers durable as they come, until cancelled. A send does not wait for that."""
        while True:
            await self._answer.wait()
            self._answer = trio.Event()
            ids, self._unsaved = self._unsaved, []
            events: list[ProviderEvent] = [Ignored(message_key(me, id_)) for id_ in ids]
            changes = [
                SessionChange(NAME, self._known[id_].encode(), None) for id_ in ids if id_ in self._known
            ]
            await link.deliver(Batch(events, changes))

    async def settle(
        self, events: list[ProviderEvent], hold: float = HOLD_SECONDS
    ) -> tuple[list[ProviderEvent], list[SessionChange]]:
        """The events to commit, with those that settle a send in place of its echo. An echo waits for at most
        `hold` seconds.
        """
        found: list[ProviderEvent] = []
        changes: list[SessionChange] = []
        until = trio.current_time() + hold
        for event in events:
            if not isinstance(event, PlatformEvent) or event.name != "message_echo" or event.content is None:
                found.append(event)
                continue
            await self._wait_for_sends(event, until)
            if event.content.id in self._known:
                found.append(Ignored(event.key))
                continue
            ref = self._match(event)
            if ref is None:
                found.append(event)
                continue
            del self._rows[ref]
            changes.append(SessionChange(NAME, ref.encode(), None))
            assert event.conversation is not None
            at = event.at if event.at is not None else self._clock.now_ms()
            sent = StatusChanged(
                event.key, event.conversation, [event.content.id], Status.SENT, at, client_ref=ref
            )
            sent.provider_data = event.provider_data
            found.append(sent)
        return found, changes

    async def _wait_for_sends(self, event: PlatformEvent, until: float) -> None:
        """Wait until no send of its conversation is in progress, whose answer would name this message."""
        with trio.move_on_at(until):
            while any(self._in_progress[place] for place in _places(event)):
                await self._ended.wait()

    def _match(self, event: PlatformEvent) -> str | None:
        assert event.content is not None
        digest, places = _digest(event.content.text, bool(event.content.attachments)), _places(event)
        at = event.at if event.at is not None else self._clock.now_ms()
        for ref, row in self._rows.items():
            if row.conversation not in places or row.digest != digest:
                continue
            if -SKEW_SECONDS * 1000 <= at - row.at <= MATCH_SECONDS * 1000:
                return ref
        return None


def _places(event: PlatformEvent) -> list[str]:
    if event.conversation is None:
        return []
    return [event.conversation.id, *(event.conversation.aliases or ())]


def _digest(text: str, with_file: bool) -> bytes:
    """Of what a message says. X does not keep space around a text."""
    return hashlib.sha256(b"%d" % with_file + text.strip().encode()).digest()
