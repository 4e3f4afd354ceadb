"""One connection of a session, from its login on: what reads the chat socket, and what asks for more.

    reader      reads frames of the socket into the inbox; keeps nothing durable itself
    inbox       one task: fills gaps, opens events, delivers them
    catch-up    at the beginning, every five minutes, and when X asks for it: the inbox from the mark on
    keeper      commits renewed cookies
    keep-alive  a frame every 30 s
    sweep       drops old records of XChat every hour
    classic     fetches the older messages, which are not encrypted (`classic_polling.py`)

The mark moves by a catch-up only: an event that the socket has dropped in one conversation is found even
after events of others came in and the process was killed. What a catch-up brings again is known by the signed
message ids.
"""

import logging
from collections.abc import Callable
from typing import Final

import trio

from unifyport.model.inbound import PlatformEvent, dedupe_key
from unifyport.process.clock import Clock
from unifyport.protocols.xchat import Frame, MessageEvent, encode_event
from unifyport.providers.contract.base import Batch, ConnectorContext, Link
from unifyport.providers.contract.errors import ChannelError, Transient, worst
from unifyport.providers.recent import Recent

from ..xchat.chat import XChat
from ..xchat.opening import MOST_EVENTS
from .catch_up import CatchUp, Fetched, in_order, sequences
from .classic import Classic
from .client import WebClient
from .encrypted import Encrypted
from .records import load_mark, mark_change
from .socket import ChatSocket
from .transport import WebTransport

log = logging.getLogger(__name__)
CATCH_UP_SECONDS: Final = 300.0
SWEEP_SECONDS: Final = 3600.0
MOST_FRAMES: Final = 64  # that wait
MOST_CONVERSATIONS: Final = 4096  # whose newest sequence id is remembered


class SessionLink:
    """`mark`: up to where the inbox was read. `chat`: XChat of the account."""

    def __init__(
        self,
        context: ConnectorContext,
        client: WebClient,
        socket: ChatSocket,
        *,
        chat: XChat,
        catch_up: CatchUp,
        transport: WebTransport,
        classic: Classic,
        encrypted: Encrypted,
    ) -> None:
        self.lost = trio.Event()
        self.client = client
        self.chat = chat
        self.transport = transport
        self.classic = classic
        self.encrypted = encrypted
        self._session = context.session
        self._clock: Clock = context.clock
        self._socket = socket
        self.catch_up = catch_up
        self._mark = 0
        self._newest: Recent[str, int] = Recent(MOST_CONVERSATIONS)
        self._wanted = trio.Event()  # a catch-up; set and replaced
        self._put, self._take = trio.open_memory_channel[tuple[MessageEvent, ...] | None](MOST_FRAMES)

    async def run(self, link: Link, ready: Callable[[], None]) -> None:
        """Until the connection is lost. Raises a failure class. `ready` is called when sends may begin."""
        failure: ChannelError = Transient("connection_lost")
        self._mark = await load_mark(self._session)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._inbox, link, ready)
                for work in (self._socket.keep_alive, self._remind, self._keep, self._sweep):
                    nursery.start_soon(work)
                nursery.start_soon(self._read, link)
                nursery.start_soon(self.classic.run, link)
        except* ChannelError as group:
            failure = worst(group)
        finally:
            self.lost.set()
            self._socket.close()
        raise failure

    async def _read(self, link: Link) -> None:
        while True:
            frame = await self._socket.receive()
            link.observed()
            self._look_at(frame)
            if frame.events:
                await self._put.send(frame.events)

    def _look_at(self, frame: Frame) -> None:
        instruction = frame.instruction
        if instruction is not None and instruction.pull_messages is not None:
            self._wanted.set()

    async def _remind(self) -> None:
        while True:
            with trio.move_on_after(CATCH_UP_SECONDS):
                await self._wanted.wait()
            self._wanted = trio.Event()
            await self._put.send(None)

    # -- the inbox ------------------------------------------------------------------------------------------

    async def _inbox(self, link: Link, ready: Callable[[], None]) -> None:
        await self._fetch(link)
        ready()
        while True:
            waiting = [await self._take.receive()]
            try:
                while len(waiting) < MOST_FRAMES:
                    waiting.append(self._take.receive_nowait())
            except trio.WouldBlock:
                pass
            events = [encode_event(event) for events in waiting for event in events or ()]
            if events:
                await self._deliver(link, await self._whole(events))
            if None in waiting:
                await self._fetch(link)
                link.observed()

    async def _fetch(self, link: Link) -> None:
        """The inbox from the mark on. The mark is durable after all of what it brought."""

        async def deliver(fetched: Fetched) -> None:
            await self._deliver(link, fetched, mark=fetched.mark or None)
            self._mark = max(fetched.mark, self._mark)

        await self.catch_up.since(self._mark, deliver)

    async def _whole(self, events: list[str]) -> Fetched:
        """Events of the socket, and before each of them what was missing of its conversation."""
        fetched = Fetched()
        for event in events:
            at = sequences(event)
            if at is None:
                fetched.events.append(event)
                continue
            sequence, previous, conversation = at
            known = max(self._newest.get(conversation) or 0, self._mark)
            if previous is not None and known < previous < sequence:
                missing = Fetched()
                await self.catch_up.back_to(missing, conversation, below=sequence, above=known)
                fetched.events += in_order(missing.events)
                fetched.keys += missing.keys
                fetched.complete &= missing.complete
            fetched.events.append(event)
            self._newest.put(conversation, max(sequence, self._newest.get(conversation) or 0))
        return fetched

    async def _deliver(self, link: Link, fetched: Fetched, *, mark: int | None = None) -> None:
        """In units; the last one has the mark."""
        events = fetched.events
        for start in range(0, len(events), MOST_EVENTS) or (0,):
            some = events[start : start + MOST_EVENTS]
            last = start + MOST_EVENTS >= len(events)
            opened = await self.chat.open_events(some, keys=fetched.keys if some else ())
            marks = self.encrypted.mark([*some, *(fetched.keys if start == 0 else ())])
            batch = Batch(opened.events, [*opened.changes, *marks], sum(map(len, some)))
            if last and not fetched.complete:
                batch.events.append(self._gap())
            if last and mark is not None and mark != self._mark:
                batch.state = [*batch.state, mark_change(mark)]
            if batch.events or batch.state:
                await link.deliver(batch)

    def _gap(self) -> PlatformEvent:
        """Told where more was missed than is fetched, once for each mark."""
        key = dedupe_key("x", self.client.me, "gap", self._mark)
        return PlatformEvent(key, "gap", self._clock.now_ms())

    # -- beside it ------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            changed = self.client.changed
            await self.client.save()
            await changed.wait()

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(SWEEP_SECONDS)
            await self.chat.sweep()

    async def aclose(self) -> None:
        self._socket.close()
        await self.client.aclose()
