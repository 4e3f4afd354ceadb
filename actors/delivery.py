"""Keeps one actor for each endpoint in the table. It learns of changes from the table and a doorbell only."""

import logging
from collections.abc import Iterator

import trio

from supervisors import Backoff, ChildSpec, Incarnation, OneForOne, OnExhausted, Policy
from unifyport.fleet.doorbells import ENDPOINTS_TOPIC
from unifyport.model.webhook import WebhookDefaults, WebhookEndpoint
from unifyport.storage.contract import StoreUnavailable

from .endpoint import POLL_SECONDS, DeliveryServices, EndpointActor

log = logging.getLogger("unifyport.delivery")

RECONCILE_SECONDS = 5.0
HEARD_SECONDS = 1.0
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
        self._reconciled = trio.Event()

    def __iter__(self) -> Iterator[EndpointActor]:
        return iter(self._actors.values())

    def actor(self, endpoint_id: str) -> EndpointActor | None:
        return self._actors.get(endpoint_id)

    async def run(self, incarnation: Incarnation) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._services.sweeper.run)
            nursery.start_soon(self._reconcile_forever)
            await self.supervisor.run(incarnation)
            nursery.cancel_scope.cancel()

    def events_committed(self, kinds: int) -> None:
        """Wake the endpoints that subscribe to any of these kinds (bits). Never blocks."""
        for actor in self:
            actor.events_committed(kinds)

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

    async def _reconcile_forever(self) -> None:
        seen = -1
        while True:
            seen = await self._services.bus.wait(ENDPOINTS_TOPIC, seen, RECONCILE_SECONDS)
            try:
                await self._reconcile(await self._services.store.endpoints())
            except StoreUnavailable as error:
                log.warning("endpoints cannot be read: %s", error.reason)
                await trio.sleep(POLL_SECONDS)

    async def _reconcile(self, rows: list[WebhookEndpoint]) -> None:
        new = [row for row in rows if row.id not in self._actors]
        leases = await self._services.fleet.claim([f"endpoint:{row.id}" for row in new]) if new else []
        for row, lease in zip(new, leases, strict=True):
            actor = self._actors[row.id] = EndpointActor(row, lease, self._services)
            self.supervisor.add(ChildSpec(row.id, actor.run, POLICY))
        for row in rows:
            actor = self._actors[row.id]
            if row.version != actor.endpoint.version:
                actor.replace(row)
            if row.orders != actor.endpoint.orders:
                actor.order(row.orders)
        reconciled, self._reconciled = self._reconciled, trio.Event()
        reconciled.set()
        for gone in self._actors.keys() - {row.id for row in rows}:
            del self._actors[gone]
            self.supervisor.remove(gone)
