"""Deliveries on a mock clock: a real store, writer, actor and client, and a receiver that a test scripts.

The store works in the loop: a mock clock cannot see threads, and would jump over what they do. A world can be
killed and begun again on the same database, as a process is.
"""

import contextlib
import functools
import ipaddress
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from actors.delivery import Deliveries
from actors.endpoint import DeliveryServices
from actors.writer import Writer
from supervisors import Incarnation
from unifyport.delivery.client import HttpDeliveryClient
from unifyport.delivery.scripted import Ends, ScriptedBackend, Step, answer
from unifyport.fleet.doorbells import LocalBus
from unifyport.fleet.leases import LocalFleet
from unifyport.model.account import Account
from unifyport.model.event import Event, EventType
from unifyport.model.unit import Item, Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.net.guard import Address, AddressGuard
from unifyport.process.clock import Clock
from unifyport.storage.contract import PutAccount, PutEndpoint
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore

Reaction = int | Ends | Sequence[Step]
EPOCH_MS = 1_800_000_000_000
RING = KeyRing.parse(KeyRing.new_key())


class InLoopStore(SqliteStore):
    """The same store without threads.

    `hangs`: a commit returns to nobody, as when the process dies just then.
    """

    hangs = False

    async def _in_writer(self, work: Any) -> Any:
        await trio.lowlevel.checkpoint()
        result = work()
        if self.hangs:
            await trio.sleep_forever()
        return result

    async def _read(self, query: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return self._read_in_thread(query)


def now_ms() -> int:
    """The wall clock of a world: trio's."""
    return int(trio.current_time() * 1000) + EPOCH_MS


@attrs.define
class Received:
    at: float
    headers: dict[str, str]
    text: str

    @property
    def replay(self) -> bool:
        return "x-device-replay" in self.headers

    @property
    def number(self) -> int:
        """Of the attempt."""
        return int(self.headers["x-device-delivery-id"].rpartition(".")[2])


async def _resolve(host: str) -> Sequence[Address]:
    await trio.lowlevel.checkpoint()
    return [ipaddress.ip_address("93.184.216.34")]


class World:
    """`answer(text, nth)` says what the receiver does with the nth attempt of an event: a status, an end,
    or steps.
    """

    def __init__(self, store: InLoopStore) -> None:
        self.store = store
        self.answer: Callable[[str, int], Reaction] = lambda text, nth: 204
        self.requests: list[Received] = []
        self.delivered: list[str] = []  # texts that were answered with 2xx
        self.bus: LocalBus
        self.writer: Writer
        self.deliveries: Deliveries
        self._backend = ScriptedBackend(self._react)
        self._count: dict[str, int] = defaultdict(int)
        self._epoch = 0
        self.ahead = 0  # ms by which the wall clock of the gateway is wrong
        self.clock = Clock(lambda: now_ms() + self.ahead, now_ms)
        self._number = 0

    # -- the receiver ----------------------------------------------------------------------------------------

    def _react(self, request: bytes) -> list[Step]:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        received = Received(trio.current_time(), {name: value for name, _, value in lines}, body.decode())
        self._count[received.text] += 1
        self.requests.append(received)
        reaction = self.answer(received.text, self._count[received.text])
        if isinstance(reaction, int):
            reaction = [answer(reaction)]
        elif isinstance(reaction, Ends):
            reaction = [reaction]
        if reaction and isinstance(reaction[0], bytes) and reaction[0].startswith(b"HTTP/1.1 2"):
            self.delivered.append(received.text)
        return list(reaction)

    @property
    def attempts(self) -> list[tuple[float, str]]:
        return [(received.at, received.text) for received in self.requests]

    # -- lives -----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """From a start to a kill: what is not committed by then never is."""
        self.bus, root = LocalBus(), Incarnation(1, float("inf"))
        self.writer = Writer(self.store, lambda kinds: self.deliveries.events_committed(kinds))
        guard = AddressGuard(_resolve)
        services = DeliveryServices(
            self.store,
            self.writer,
            self.bus,
            LocalFleet(self.store, "t"),
            lambda: HttpDeliveryClient(guard, self._backend, services.sweeper),
            self.clock,
            draw=lambda: 0.0,
        )
        self.deliveries = Deliveries(services)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.writer.run, root)
            nursery.start_soon(self.deliveries.run, root)
            yield
            nursery.cancel_scope.cancel()
        self.store.hangs = False

    # -- what goes in ----------------------------------------------------------------------------------------

    async def commit(self, *texts: str, lane: int = 1, expires_at: int | None = None) -> None:
        """An event for each text."""
        if not self._epoch:
            [lease] = await LocalFleet(self.store, "t").claim(["account:acct_1"])
            self._epoch = lease.epoch
        unit = Unit(1, "acct_1", "telegram", self._epoch)
        for text in texts:
            self._number += 1
            kind, body = EventType.MESSAGE_RECEIVED.number, text.encode()
            event = Event(f"evt_{self._number:04}", kind, lane, 0, body, expires_at)
            unit.items.append(Item(body, [event]))
        await self.writer.submit(unit)

    async def change(self, **changes: Any) -> WebhookEndpoint:
        """As the API does it."""
        endpoint = await self.endpoint()
        await self.writer.submit(PutEndpoint(attrs.evolve(endpoint, **changes)))
        self.bus.ring("endpoints")
        return await self.endpoint()

    async def order(self, write: Any) -> Any:
        """A replay or a retry, as the API does it."""
        result = await self.writer.submit(write)
        self.bus.ring("endpoints")
        return result

    async def endpoint(self) -> WebhookEndpoint:
        endpoint = await self.store.endpoint("we_1")
        assert endpoint is not None
        return endpoint

    async def until(self, enough: Callable[[], Any]) -> None:
        for _ in range(20_000):
            if enough():
                return
            await trio.sleep(0.05)
        raise AssertionError((self.delivered, self.attempts[-5:]))


async def new_world(path: Path, **endpoint: Any) -> World:
    """One account and one endpoint, `we_1`."""
    store = InLoopStore(path, RING, now_ms)
    store.open()
    account = Account("acct_1", "a", "telegram", "telegram", "global", "token")
    await store.commit(
        [PutAccount(account), PutEndpoint(WebhookEndpoint("we_1", "https://x.example", **endpoint))]
    )
    return World(store)


def on_a_mock_clock(
    test: Callable[[World], Awaitable[None]] | None = None, **endpoint: Any
) -> Callable[..., Any]:
    """Run a test in a world of its own, whose endpoint is as `endpoint` says."""
    endpoint = {"secret": "s", "retry_policy": {"max_attempts": 2}} | endpoint

    def decorate(test: Callable[[World], Awaitable[None]]) -> Callable[[Path], None]:
        async def main(directory: Path) -> None:
            world = await new_world(directory / "t.db", **endpoint)
            async with world.alive():
                await test(world)
            world.store.close()

        @functools.wraps(test)
        def run(tmp_path: Path) -> None:
            trio.run(main, tmp_path, clock=MockClock(autojump_threshold=0))

        del run.__wrapped__  # pytest shall see `tmp_path`, not `world`
        return run

    return decorate if test is None else decorate(test)
