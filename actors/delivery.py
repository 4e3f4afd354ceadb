"""Keeps one actor for each endpoint in the table. It learns of changes from the table and a doorbell only.

Code that writes a row in this process also says which one (`Deliveries.changed`), so that a change costs what
one row costs however many there are. A ring without a row, and every `RECONCILE_SECONDS`, the whole table is
compared with what the actors have.
"""

import logging
import math
from collections.abc import Collection, Iterator

import trio

from supervisors import Backoff, ChildSpec, Incarnation, OneForOne, OnExhausted, Policy
from supervisors.turnstile import turnstile
from supervisors.wake import Wake
from unifyport.fleet.doorbells import ENDPOINTS_TOPIC
from unifyport.model.webhook import WebhookDefaults, WebhookEndpoint
from unifyport.storage.contract import StoreUnavailable

from .endpoint import POLL_SECONDS, DeliveryServices, EndpointActor

log = logging.getLogger("unifyport.delivery")

RECONCILE_SECONDS = 5.0
HEARD_SECONDS = 1.0
WOKEN_AT_ONCE = 32  # endpoints that one event wakes in one turn of the loop
ADDED_AT_ONCE = 32
POLLS_A_SECOND = 100  # of all endpoints together
POLICY = Policy(
    backoff=Backoff(initial=0.5, max=30.0),
    max_restarts=100,
    on_exhausted=OnExhausted.PARK,
    park_interval=60.0,
    stop_grace=11.0,  # covers the usual time-out; a longer attempt is cut off and made again after the start
    stop_timeout=2.0,
)


class Deliveries:
    def __init__(self, services: DeliveryServices) -> None:
        self._services = services
        self.supervisor = OneForOne()
        self._actors: dict[str, EndpointActor] = {}
        self._changed: set[str] = set()  # ids of rows that were written
        self._told = 0  # rings that came with one of them, since the bell was heard last
        self._reconciled = trio.Event()
        self._to_wake: dict[EndpointActor, int] = {}  # kinds of the events that it was not told of yet
        self._some_to_wake = Wake()

    def __iter__(self) -> Iterator[EndpointActor]:
        return iter(self._actors.values())

    def actor(self, endpoint_id: str) -> EndpointActor | None:
        return self._actors.get(endpoint_id)

    async def run(self, incarnation: Incarnation) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._services.sweeper.run)
            nursery.start_soon(self._reconcile_forever)
            nursery.start_soon(self._wake_in_turns)
            await self.supervisor.run(incarnation)
            nursery.cancel_scope.cancel()

    def events_committed(self, kinds: int) -> None:
        """Wake the endpoints that subscribe to any of these kinds (bits). Never blocks.

        Where many do, some are woken at once, and the others some in each turn of the loop.
        """
        woken = 0
        for actor in self:
            if not actor.mask & kinds:
                continue
            woken += 1
            if woken <= WOKEN_AT_ONCE:
                actor.events_committed(kinds)
            else:
                self._to_wake[actor] = self._to_wake.get(actor, 0) | kinds
        if self._to_wake:
            self._some_to_wake.ring()

    def changed(self, endpoint_id: str) -> None:
        """Look at this row: it, or an order to the endpoint, was written. Never blocks."""
        self._changed.add(endpoint_id)
        self._told += 1
        self._services.bus.ring(ENDPOINTS_TOPIC)

    def behind(self) -> bool:
        """Whether attempts wait for the loop, of an endpoint that could start them."""
        now = trio.current_time()
        return any(actor.behind(now) for actor in self)

    async def heard(self, endpoint: WebhookEndpoint) -> None:
        """Wait until the endpoint's actor has this version of the row, at most `HEARD_SECONDS`."""
        with trio.move_on_after(HEARD_SECONDS):
            while (
                actor := self._actors.get(endpoint.id)
            ) is None or actor.endpoint.version < endpoint.version:
                await self._reconciled.wait()

    def reconfigure(self, defaults: WebhookDefaults) -> None:
        """Replace the defaults, which apply where an endpoint has no value of its own. Never blocks."""
        if defaults != self._services.defaults:
            self._services.defaults = defaults
            for actor in self:
                actor.replace(actor.endpoint)

    async def _wake_in_turns(self) -> None:
        while True:
            while self._to_wake:
                await turnstile().enter()
                if self._to_wake:
                    actor = next(iter(self._to_wake))
                    actor.events_committed(self._to_wake.pop(actor))
            await self._some_to_wake.wait()

    async def _reconcile_forever(self) -> None:
        bus, seen, all_due = self._services.bus, -1, -math.inf
        while True:
            rings = await bus.wait(ENDPOINTS_TOPIC, seen, max(0.0, all_due - trio.current_time()))
            untold = rings - seen > self._told
            seen, self._told = rings, 0
            changed, self._changed = self._changed, set()
            try:
                if untold or trio.current_time() >= all_due:
                    all_due = trio.current_time() + RECONCILE_SECONDS
                    await self._compare(None)
                else:
                    await self._compare(changed)
            except StoreUnavailable as error:
                all_due = -math.inf
                log.warning("endpoints cannot be read: %s", error.reason)
                await trio.sleep(POLL_SECONDS)

    async def _compare(self, among: Collection[str] | None) -> None:
        """Compare these rows with what the actors have; None: all rows. Raises `StoreUnavailable`."""
        if among is None:
            known = {actor.endpoint.id: actor.known for actor in self}
        else:
            known = {id_: actor.known for id_ in among if (actor := self._actors.get(id_)) is not None}
        await self._reconcile(*await self._services.store.changed_endpoints(known, among))

    async def _reconcile(self, rows: list[WebhookEndpoint], gone: list[str]) -> None:
        """Take over rows that are new or have changed, and stop the actors of those that are gone."""
        new = [row for row in rows if row.id not in self._actors]
        leases = await self._services.fleet.claim([f"endpoint:{row.id}" for row in new]) if new else []
        for number, (row, lease) in enumerate(zip(new, leases, strict=True), 1):
            actor = self._actors[row.id] = EndpointActor(row, lease, self._services)
            self.supervisor.add(ChildSpec(row.id, actor.run, POLICY))
            if number % ADDED_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        for row in rows:
            actor = self._actors[row.id]
            if row.version != actor.endpoint.version:
                actor.replace(row)
            if row.orders != actor.endpoint.orders:
                actor.order(row.orders)
        reconciled, self._reconciled = self._reconciled, trio.Event()
        reconciled.set()
        for each in gone:
            self._to_wake.pop(self._actors.pop(each), None)
            self.supervisor.remove(each)
            self._services.fleet.release(f"endpoint:{each}")
        self._services.poll_seconds = max(POLL_SECONDS, len(self._actors) / POLLS_A_SECOND)
