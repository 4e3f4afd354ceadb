"""Makes what the frames said durable, in batches, and what is told of sends from their echoes.

It never waits for an answer of the platform; delivered receipts are handed to `later`.
"""

import functools
import logging
from collections.abc import Callable

import attrs
import trio

from unifyport.model.inbound import Ignored, PlatformEvent, ProviderEvent
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.session import MAX_KEY
from unifyport.providers.records import Draft, Records

from .messages import Reference, settled
from .own_changes import OwnChanges
from .parse import Read
from .records import SENT, Marks
from .references import References

log = logging.getLogger(__name__)
MOST_EVENTS = 200  # of one unit: each may change four records
MOST_FRAMES = 64  # that wait
MOST_BYTES = 8 * 1024 * 1024  # of payloads that wait or are being committed; one may be larger


@attrs.define
class Frame:
    """`size`: bytes of its payload. `marks`: what is known when it is durable."""

    read: Read
    size: int = 0
    marks: Marks = attrs.field(factory=Marks)


class Inbox:
    """`received` is called with what was committed of customers' messages."""

    def __init__(
        self,
        records: Records,
        references: References,
        own_changes: OwnChanges,
        received: Callable[[list[Reference]], None],
    ) -> None:
        self._records = records
        self._references = references
        self._own_changes = own_changes
        self._received = received
        self._put, self._take = trio.open_memory_channel[Frame](MOST_FRAMES)
        self._putting = trio.Lock()
        self._bytes = 0
        self._committed = trio.Event()  # set and replaced

    async def put(self, frame: Frame) -> None:
        """In the order of the calls. Waits while there is too much."""
        async with self._putting:
            while self._bytes and self._bytes + frame.size > MOST_BYTES:
                await self._committed.wait()
            self._bytes += frame.size
            await self._put.send(frame)

    async def run(self, link: Link, stored: Marks) -> None:
        """Until cancelled. Raises a failure class. `stored`: what is durable."""
        while True:
            frames = [await self._take.receive()]
            try:
                while sum(len(frame.read.events) for frame in frames) < MOST_EVENTS:
                    frames.append(self._take.receive_nowait())
            except trio.WouldBlock:
                pass
            marks = functools.reduce(Marks.raised, (frame.marks for frame in frames), stored)
            await self._deliver(link, frames, [] if marks == stored else [marks.change()])
            stored = marks
            self._bytes -= sum(frame.size for frame in frames)
            self._committed.set()
            self._committed = trio.Event()

    async def _deliver(self, link: Link, frames: list[Frame], state: list[SessionChange]) -> None:
        """All events of these frames, in units; the last one has `state`."""
        events = [event for frame in frames for event in frame.read.events]
        known = {
            (ref.conversation_id, ref.message_id): ref for frame in frames for ref in frame.read.references
        }
        size = sum(frame.size for frame in frames)
        for start in range(0, len(events), MOST_EVENTS) or (0,):
            some = events[start : start + MOST_EVENTS]
            async with self._records.lock:
                draft = Draft(self._records)
                fresh: list[Reference] = []
                told = [await self._told(draft, event, known, fresh) for event in some]
                if start + MOST_EVENTS >= len(events):
                    for change in state:
                        draft.put(change.name, change.key, change.value)
                if told or len(draft):
                    await self._records.deliver(link, Batch(told, draft.changes, 0 if start else size))
            self._received(fresh)

    async def _told(
        self,
        draft: Draft,
        event: ProviderEvent,
        known: dict[tuple[str, str], Reference],
        fresh: list[Reference],
    ) -> ProviderEvent:
        """What is committed of an event. A message that was not known by another id joins `fresh`."""
        reference = _reference(event, known)
        if reference is not None and await self._references.remember(draft, reference):
            fresh.append(reference)
        await self._references.translate(draft, event)
        if not isinstance(event, PlatformEvent) or event.name != "message_echo":
            return event
        ref = reference.client_id if reference is not None else ""
        if ref and await draft.get(SENT, ref.encode()[:MAX_KEY]) is not None:
            return settled(event, ref) or event
        return Ignored(event.key) if self._own_changes.has(event) else event


def _reference(event: ProviderEvent, known: dict[tuple[str, str], Reference]) -> Reference | None:
    conversation, content = getattr(event, "conversation", None), getattr(event, "content", None)
    if conversation is None or content is None:
        return None
    return known.get((conversation.id, content.id))
