"""One connection of a linked device: what reads it, and the parts that work on it.

    reader      reads stanzas; answers go to the requests that wait for them, the rest into the inbox
    worker      handles stanzas of the inbox in batches: one unit of events and state, then replies
    pinger      shows the platform, and us, that the connection lives; says when upkeep is due
    the rest    work that asks the platform for something, while there is any: keys, tokens, retries, history

The worker never waits for the platform, so that a full inbox cannot keep an answer from being read.
"""

import functools
import logging
from collections.abc import Awaitable, Callable

import trio

from unifyport.model.inbound import ProviderEvent
from unifyport.protocols.binary_node import Node
from unifyport.providers.contract.base import Batch, ConnectorContext, Link
from unifyport.providers.contract.errors import (
    ChannelError,
    LoggedOut,
    Rejected,
    SessionLost,
    Transient,
    worst,
)

from . import upkeep
from .addresses import SERVER
from .errors import login_failure, stream_failure
from .inbox import MOST_STANZAS, Inbox
from .keys import RECORD, DeviceKeys
from .parts import Parts
from .presence import TAGS
from .records import Draft, Records
from .socket import NodeSocket
from .worker import HANDLED, Worker

log = logging.getLogger(__name__)
PING_SECONDS = 25.0
MOST_WORK = 256
OFFLINE_BATCH = "100"
_LID_ADDRESSED = "9435"  # AB property: persons are named by LID


class DeviceLink(Parts):
    """One connection, from its login on."""

    def __init__(
        self, context: ConnectorContext, records: Records, keys: DeviceKeys, socket: NodeSocket
    ) -> None:
        super().__init__(context, records, keys, socket)
        self._clock = context.clock
        self._inbox = Inbox()
        self._worker = Worker(self, self._inbox, self.later)
        self._early: list[tuple[Node, int]] = []
        self._work: list[Callable[[], Awaitable[None]]] = []
        self._nursery: trio.Nursery | None = None
        self._working = False
        self._periods = 0
        self.lost = trio.Event()

    # -- before it is used ----------------------------------------------------------------------------------

    async def log_in(self) -> None:
        """Wait for the platform's yes, and prove it by a request. Raises a failure class."""
        while True:
            node, _ = await self.socket.receive()
            if node.tag == "success":
                break
            self._raise_if_ended(node)
        async with self.records.lock:
            self.keys.logins += 1
            if node.get("lid") and not self.keys.lid:
                self.keys.lid = node.get("lid")
            draft = Draft(self.records)
            draft.put(*RECORD, self.keys.dump())
            await self.records.commit(draft.changes)
        await self.socket.send(
            Node("iq", {"id": "hello", "to": SERVER, "type": "get", "xmlns": "w:p"}, [Node("ping")])
        )
        while True:
            node, size = await self.socket.receive()
            if node.tag == "iq" and node.get("id") == "hello":
                return
            self._raise_if_ended(node)
            self._early.append((node, size))
            if len(self._early) > MOST_STANZAS:
                raise Transient("no_answer")

    def _raise_if_ended(self, node: Node) -> None:
        if node.tag == "failure":
            raise login_failure(node)
        if node.tag == "stream:error":
            raise stream_failure(node)
        if node.tag == "xmlstreamend":
            raise Transient("connection_lost")

    # -- in use ---------------------------------------------------------------------------------------------

    async def run(self, link: Link, ready: Callable[[], None]) -> None:
        """Until the connection is lost. Raises a failure class. `ready` is called when sends may begin."""
        failure: ChannelError = Transient("connection_lost")
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._read, link)
                nursery.start_soon(self._worker.run, link)
                nursery.start_soon(self._ping, link)
                nursery.start_soon(self._begin)
                ready()
        except* ChannelError as group:
            failure = worst(group)
        finally:
            self._nursery = None
            self.requests.fail(failure)
            self.lost.set()
            self.socket.close()
        raise failure

    async def _read(self, link: Link) -> None:
        for node, size in self._early:
            await self._sort(node, size)
        self._early.clear()
        while True:
            node, size = await self.socket.receive()
            link.observed()
            await self._sort(node, size)

    async def _sort(self, node: Node, size: int) -> None:
        self._raise_if_ended(node)
        if node.tag in HANDLED or (node.tag in TAGS and self.presence.wanted):
            await self._inbox.put(node, size)
        elif node.tag in ("iq", "ack"):
            if not self.requests.answer(node) and node.tag == "iq" and node.get("type") in ("get", "set"):
                answer = {"to": node.get("from", SERVER), "type": "result", "id": node.get("id")}
                await self.socket.send(Node("iq", answer))
        elif node.tag == "ib":
            await self._told(node)

    async def _told(self, node: Node) -> None:
        """`<ib>`: what waited for us is asked for in batches, until there is no more."""
        if node.child("offline_preview") is not None:
            batch = Node("offline_batch", {"count": OFFLINE_BATCH})
            await self.socket.send(Node("ib", {}, [batch]))
        dirty = node.child("dirty")
        if dirty is not None and dirty.get("type") in ("groups", "account_sync"):
            attributes = {"type": dirty.get("type"), "timestamp": dirty.get("timestamp")}
            clean = functools.partial(
                self.requests.ask, "urn:xmpp:whatsapp:dirty", "set", Node("clean", attributes)
            )
            self.later(functools.partial(_ignoring_answer, clean))

    async def _ping(self, link: Link) -> None:
        kept_up = trio.current_time()
        while True:
            await trio.sleep(PING_SECONDS)
            await self.requests.ask("w:p", "get", Node("ping"))
            if trio.current_time() - kept_up >= upkeep.PERIOD_SECONDS:
                kept_up = trio.current_time()
                self.later(functools.partial(self._keep_up, link))

    async def _begin(self) -> None:
        """What a client asks after it has logged in. A refusal of one of them ends nothing."""
        active = functools.partial(self.requests.ask, "passive", "set", Node("active"))
        for step in (active, self.prekeys.keep_up, self._ask_properties, self.presence.begin):
            try:
                await step()
            except (Rejected, Transient) as error:
                log.info("whatsapp: a request after the login failed: %s", error.reason)
        self.later(self.history.resume)

    async def _ask_properties(self) -> None:
        answer = await self.requests.ask("abt", "get", Node("props", {"protocol": "1"}))
        props = answer.child("props")
        for prop in props.all("prop") if props is not None else ():
            if prop.get("config_code") == _LID_ADDRESSED:
                by_lid = prop.get("config_value") in ("1", "true")
                if by_lid != self.keys.lid_migrated:
                    await self.routes.remember_addressing(by_lid)

    async def probe(self) -> None:
        await self.requests.ask("w:p", "get", Node("ping"))

    # -- work that asks the platform ------------------------------------------------------------------------

    def later(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it beside the stanzas, one after another. What is too much is left out: it comes again."""
        if len(self._work) >= MOST_WORK:
            log.warning("whatsapp: too much is waiting for the platform")
            return
        self._work.append(work)
        if self._nursery is not None and not self._working:
            self._working = True
            self._nursery.start_soon(self._do_work)

    async def _do_work(self) -> None:
        """Until there is no more: a task for each connection that waits would be memory of its own."""
        while self._work:
            work = self._work.pop(0)
            try:
                await work()
            except (LoggedOut, SessionLost):
                raise
            except ChannelError as error:
                log.info("whatsapp: work beside the stanzas failed: %s", error.reason)
        self._working = False

    async def _keep_up(self, link: Link) -> None:
        async with self.records.lock:
            draft = Draft(self.records)
            events: list[ProviderEvent] = await upkeep.give_up_old(
                self.records, draft, self.messages.given_up, now=self._clock.steady_ms() // 1000
            )
            if events:
                await self.records.deliver(link, Batch(events, draft.changes))
        due = self._periods % upkeep.SWEEP_EVERY == 0 or self.outgoing.unswept > upkeep.MOST_SENT_BYTES // 4
        if due and not self._clock.in_doubt:
            self.outgoing.unswept = 0
            await upkeep.sweep(self.records, now=self._clock.now_ms() // 1000)
        self._periods += 1
        await self.prekeys.keep_up()


async def _ignoring_answer(ask: Callable[[], Awaitable[Node]]) -> None:
    await ask()
