"""The delivery side of a gateway, wired as in `unifyport/server.py`: one endpoint, 64 accounts."""

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import attrs
import trio

from actors.delivery import Deliveries
from actors.endpoint import DeliveryServices
from actors.normalizer import Normalizer, Normalizers
from actors.writer import Writer
from supervisors import Incarnation
from unifyport.delivery.client import HttpDeliveryClient
from unifyport.delivery.signing import EVENT_ID
from unifyport.delivery.verdict import Attempt, Verdict
from unifyport.fleet.doorbells import LocalBus
from unifyport.fleet.leases import LocalFleet
from unifyport.model.account import Account
from unifyport.model.ids import EventIds
from unifyport.model.unit import Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.net.clients import ssl_context
from unifyport.net.guard import AddressGuard, Resolver
from unifyport.net.sockets import Sockets
from unifyport.net.sweeper import Sweeper
from unifyport.process.clock import Clock, wall_clock_ms
from unifyport.server import PARTITIONS
from unifyport.storage.contract import PutAccount, PutEndpoint
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore

from .client_ours import LOOPBACK
from .job import Job

ACCOUNTS = 64
_PREFIX = f"{EVENT_ID}: ".encode()


class Timed(HttpDeliveryClient):
    """Records when each event's attempt was answered."""

    answered: dict[str, float]

    async def post(self, url: str, fields: bytes, body: bytes, timeout: float) -> Attempt:
        attempt = await super().post(url, fields, body, timeout)
        event_id = fields[len(_PREFIX) : fields.index(b"\r\n")].decode()
        self.answered[event_id] = time.perf_counter()
        return attempt


class Part(Protocol):
    async def run(self, incarnation: Incarnation) -> None: ...


@attrs.define
class House:
    """The parts that a load uses. `answered` (only with a rate): event id -> time of its answer."""

    store: SqliteStore
    normalizers: Normalizers
    deliveries: Deliveries
    epochs: list[int]
    answered: dict[str, float]

    def unit(self, account: int) -> Unit:
        """An empty unit, as the actor of that account makes it."""
        return Unit(account + 1, f"acct_{account + 1}", "telegram", self.epochs[account], generation=1)

    @property
    def verdicts(self) -> Counter[Verdict]:
        return sum((actor.verdicts for actor in self.deliveries), Counter())

    async def owed(self) -> int:
        return (await self.store.owed(1, 1))[0]


@contextlib.asynccontextmanager
async def opened(job: Job) -> AsyncIterator[House]:
    """A new database in the job's directory, with all parts running on it."""
    store = SqliteStore(Path(job.directory) / "ours.db", KeyRing.parse(KeyRing.new_key()), wall_clock_ms)
    store.open()
    assert store._writer is not None
    store._writer.execute(f"pragma synchronous = {job.synchronous}")
    policy = {"max_in_flight": job.connections}
    endpoint = WebhookEndpoint("we_1", job.url, secret=job.secret, delivery=policy)
    accounts = [
        Account(f"acct_{n}", f"{n}", "telegram", "telegram", "global", "token")
        for n in range(1, ACCOUNTS + 1)
    ]
    await store.commit([*map(PutAccount, accounts), PutEndpoint(endpoint)])
    fleet, bus = LocalFleet(store, f"{os.getpid()}"), LocalBus()
    leases = await fleet.claim([f"account:{account.id}" for account in accounts])
    writer = Writer(store, lambda kinds: deliveries.events_committed(kinds))
    answered: dict[str, float] = {}
    deliveries = Deliveries(_services(job, store, writer, bus=bus, fleet=fleet, answered=answered))
    event_id, lane_key = EventIds(wall_clock_ms), await store.lane_key()
    partitions = [Normalizer(writer, event_id, lane_key, lambda *file: "") for _ in range(PARTITIONS)]
    parts: list[Part] = [writer, *partitions, deliveries]
    async with trio.open_nursery() as nursery:
        for part in parts:
            nursery.start_soon(part.run, Incarnation(1, float("inf")))
        epochs = [lease.epoch for lease in leases]
        yield House(store, Normalizers(partitions), deliveries, epochs, answered)
        nursery.cancel_scope.cancel()
    store.close()


def _services(
    job: Job,
    store: SqliteStore,
    writer: Writer,
    *,
    bus: LocalBus,
    fleet: LocalFleet,
    answered: dict[str, float],
) -> DeliveryServices:
    guard = AddressGuard(Resolver(), LOOPBACK)
    sockets, sweeper = Sockets(ssl_context()), Sweeper()

    def new_client() -> HttpDeliveryClient:
        if not job.rate:
            return HttpDeliveryClient(guard, sockets, sweeper)
        client = Timed(guard, sockets, sweeper)
        client.answered = answered
        return client

    return DeliveryServices(
        *(store, writer, bus, fleet, new_client, Clock()),
        draw=lambda: random.uniform(-1.0, 1.0),
        sweeper=sweeper,
    )
