"""One connection of a personal account: what reads it, and the parts that work on it.

reader      reads frames; what a file's upload waits for goes there, all else into the inbox
missed      fetches what came before this connection, and holds back what came after it
inbox       makes it durable in batches
alive       pings, keeps the HTTP session alive, and asks for messages that a deaf socket does not tell
keeper      commits renewed cookies, and what is remembered of sent messages
the rest    receipts that tell senders that their messages came in
"""

import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable
from itertools import groupby

import trio

from unifyport.model.inbound import PlatformEvent, dedupe_key
from unifyport.model.unit import SessionChange
from unifyport.protocols.zalo_frames import Command
from unifyport.providers.contract.base import ConnectorContext, Link
from unifyport.providers.contract.errors import ChannelError, LoggedOut, SessionLost, Transient, worst
from unifyport.providers.records import Records

from . import references, requests
from .alive import Alive
from .calls import Session, read_answer
from .inbox import Frame, Inbox
from .login_info import Limits
from .messages import Reference
from .missed import Missed
from .own_changes import OwnChanges
from .parse import Read, parse
from .presence import Presence
from .records import CLIENT, Marks
from .references import References
from .socket import FrameSocket
from .transport import Transport
from .uploads import Uploads

log = logging.getLogger(__name__)
FIRST_SWEEP_SECONDS, SWEEP_SECONDS = 600.0, 6 * 3600.0
MOST_WORK = 256
SAVE_SECONDS = 5.0
LONG = 64 * 1024  # bytes of a payload; to read more would hold the loop


class PersonalLink:
    """One connection, from its login on. `marks`: up to where messages are durable."""

    def __init__(
        self,
        context: ConnectorContext,
        transport: Transport,
        session: Session,
        limits: Limits,
        socket: FrameSocket,
        *,
        marks: Marks,
        last_client_id: int,
    ) -> None:
        self.transport = transport
        self.session = session
        self.records = Records(context.session)
        self.clock = context.clock
        self.lost = trio.Event()
        self.own_changes = OwnChanges()
        self.references = References(self.records)
        self.uploads = Uploads(transport, session, limits)
        self._socket = socket
        self._marks = marks
        self._last_client_id = last_client_id
        self._inbox = Inbox(self.records, self.references, self.own_changes, self._confirm)
        self._presence = Presence(context)
        self._missed = Missed(marks, socket, self._inbox, self._tell_gap)
        self._alive = Alive(
            transport, session, limits, socket, clock=context.clock, questions=self._missed.gaps.ask_again
        )
        self._pending: list[SessionChange] = []
        self._work, self._works = trio.open_memory_channel[Callable[[], Awaitable[None]]](MOST_WORK)

    async def aclose(self) -> None:
        self._socket.close()
        await self.transport.aclose()

    # -- in use ---------------------------------------------------------------------------------------------

    async def run(self, link: Link, ready: Callable[[], None]) -> None:
        """Until the connection is lost. Raises a failure class. `ready` is called when sends may begin."""
        failure: ChannelError = Transient("connection_lost")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, link)
                nursery.start_soon(self._inbox.run, link, self._marks)
                nursery.start_soon(self._missed.fetch)
                alive = (self._alive.ping, self._alive.keep_alive)
                for work in (*alive, self._keep, self._do_work, self._sweep):
                    nursery.start_soon(work)
                ready()
        except* ChannelError as group:
            failure = worst(group)
        finally:
            self.lost.set()
            self.uploads.fail()
            self._socket.close()
        raise failure

    async def _read(self, link: Link) -> None:
        while True:
            command, text = await self._socket.receive()
            link.observed()
            if text:
                await self._take(command, text)

    async def _take(self, command: int, text: bytes) -> None:
        after = self._missed.gaps.after(command)
        now = self.clock.now_ms()
        reading = functools.partial(
            parse, command, text, self.session.uid, now, after=after, presence=self._presence.wanted
        )
        read = reading() if len(text) <= LONG else await trio.to_thread.run_sync(reading)
        if command == Command.ACTIONS:
            read.events = self._presence.news(read.events, now)
        for uploaded in read.uploaded:
            self.uploads.take(uploaded)
        if read.unknown:
            log.info("zalo: not known: %s", ", ".join(read.unknown[:8]))
        highest = read.last_user, read.last_group, read.last_user_reaction, read.last_group_reaction
        marks = Marks(*(id_ or None for id_ in highest))
        await self._missed.take(command, Frame(read, len(text), marks))

    async def _tell_gap(self, missing: str) -> None:
        now = self.clock.now_ms()
        key = dedupe_key("zalo", self.session.uid, "gap", missing, now)
        event = PlatformEvent(key, "gap", now, details={"missing": missing})
        await self._inbox.put(Frame(Read([event])))

    async def probe(self) -> None:
        """Ask for messages over the socket: it may be deaf although it is open."""
        await self._alive.ask_for_news()
        await self._missed.answer()

    # -- what becomes durable beside events -----------------------------------------------------------------

    def next_client_id(self) -> int:
        """Above all that were used, and like a time, as the platform's own clients have it."""
        self._last_client_id = max(self.clock.now_ms(), self._last_client_id + 1)
        return self._last_client_id

    def client_change(self) -> SessionChange:
        return SessionChange(CLIENT, b"", str(self._last_client_id).encode())

    def remember_sent(self, reference: Reference) -> None:
        """A message that the account has sent; it is made durable soon."""
        self._pending.append(SessionChange(*references.change_of(reference)))
        self.transport.changed.set()

    async def _keep(self) -> None:
        try:
            while True:
                changed = self.transport.changed
                await self.transport.save()
                pending, self._pending = self._pending, []
                if pending:
                    await self.records.commit(pending)
                await changed.wait()
                if self.transport.changed is changed:
                    self.transport.changed = trio.Event()
        finally:  # the next connection needs the cookies that came last
            with trio.CancelScope(deadline=trio.current_time() + SAVE_SECONDS, shield=True):
                with contextlib.suppress(SessionLost):
                    await self.transport.save()

    async def _sweep(self) -> None:
        await trio.sleep(FIRST_SWEEP_SECONDS)
        while True:
            if not self.clock.in_doubt:
                await references.sweep(self.records, self.clock.now_ms())
            await trio.sleep(SWEEP_SECONDS)

    # -- work that asks the platform ------------------------------------------------------------------------

    def later(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it beside the frames, one after another. What is too much is left out."""
        try:
            self._work.send_nowait(work)
        except trio.WouldBlock:
            log.warning("zalo: too much is waiting for the platform")

    async def _do_work(self) -> None:
        async for work in self._works:
            try:
                await work()
            except (LoggedOut, SessionLost):
                raise
            except ChannelError as error:
                log.info("zalo: work beside the frames failed: %s", error.reason)

    def _confirm(self, received: list[Reference]) -> None:
        """Tell senders that their messages have come in."""
        theirs = [ref for ref in received if ref.sender != self.session.uid and ref.client_id]
        for _, some in groupby(theirs, key=lambda ref: ref.conversation_id):
            targets = list(some)
            for start in range(0, len(targets), requests.MAX_RECEIPTS):
                page = targets[start : start + requests.MAX_RECEIPTS]
                self.later(functools.partial(self._send_receipt, page))

    async def _send_receipt(self, targets: list[Reference]) -> None:
        call = requests.receipt_call(self.session, targets, seen=False)
        read_answer(await self.transport.ask(call), self.session.cipher)
