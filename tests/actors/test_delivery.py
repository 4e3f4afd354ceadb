"""Endpoint actors on a real store, with a scripted client: retries, dead letters, gone, order, breaker."""

import functools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from actors.delivery import EVENTS_TOPIC, Deliveries, DeliveryServices
from actors.writer import Writer
from supervisors import Incarnation
from unifyport.delivery.verdict import Attempt
from unifyport.model.account import Account
from unifyport.model.event import Event, EventType
from unifyport.model.unit import Item, Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.base import PutAccount, PutEndpoint
from unifyport.storage.bus import LocalBus
from unifyport.storage.fleet import LocalFleet
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite import SqliteStore

Answer = Callable[[str, int], Attempt]


class InLoopStore(SqliteStore):
    """The same store without threads: a MockClock cannot see those, and would jump over what they do."""

    async def commit(self, writes: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return self._commit(writes)

    async def claim(self, resources: Any, owner: str) -> list[int]:
        await trio.lowlevel.checkpoint()
        return self._claim(resources, owner)

    async def _read(self, query: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return self._read_in_thread(query)


class World:
    """A store, a writer and the deliveries; `answer(body, nth attempt of it)` scripts the receiver."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.bus = LocalBus()
        self.writer = Writer(store, lambda: self.bus.ring(EVENTS_TOPIC))
        self.answer: Answer = lambda body, nth: Attempt(204)
        self.attempts: list[tuple[float, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.delivered: list[str] = []
        self._count: dict[str, int] = defaultdict(int)
        self._epoch = 0
        self._number = 0

    def now_ms(self) -> int:
        return int(trio.current_time() * 1000) + 1_700_000_000_000

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Attempt:
        text = body.decode()
        self._count[text] += 1
        self.attempts.append((trio.current_time(), text))
        self.headers.append(headers)
        await trio.lowlevel.checkpoint()
        attempt = self.answer(text, self._count[text])
        if attempt.status is not None and attempt.status < 300:
            self.delivered.append(text)
        return attempt

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    async def commit(self, *texts: str, lane: int = 1) -> None:
        if not self._epoch:
            [lease] = await LocalFleet(self.store, "t").claim(["account:acct_1"])
            self._epoch = lease.epoch
        unit = Unit(1, "acct_1", "telegram", self._epoch)
        for text in texts:
            self._number += 1
            kind = EventType.MESSAGE_RECEIVED.number
            unit.items.append(
                Item(text.encode(), [Event(f"evt_{self._number:04}", kind, lane, 0, text.encode())])
            )
        await self.writer.ask(unit)

    async def until(self, enough: Callable[[], Any]) -> None:
        for _ in range(20_000):
            if enough():
                return
            await trio.sleep(0.05)
        raise AssertionError((self.delivered, self.attempts[-5:]))

    def services(self) -> DeliveryServices:
        fleet = LocalFleet(self.store, "t")
        return DeliveryServices(
            self.store,
            self.writer,
            self.bus,
            fleet,
            lambda: self,
            self.now_ms,
            draw=lambda: 0.0,
            disable_after=1500.0,
        )


async def run_in_a_world(test: Callable[["World"], Awaitable[None]], directory: Path) -> None:
    store = InLoopStore(directory / "t.db", KeyRing.parse(KeyRing.new_key()), lambda: 1)
    store.open()
    endpoint = WebhookEndpoint("we_1", "https://x.example", secret="s", retry_policy={"max_attempts": 2})
    await store.commit(
        [PutAccount(Account("acct_1", "a", "telegram", "telegram", "global", "token")), PutEndpoint(endpoint)]
    )
    world, root = World(store), Incarnation(1, float("inf"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.writer.run, root)
        nursery.start_soon(Deliveries(world.services()).run, root)
        await test(world)
        nursery.cancel_scope.cancel()


def on_a_mock_clock(test: Callable[[World], Awaitable[None]]) -> Callable[[Path], None]:
    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        trio.run(run_in_a_world, test, tmp_path, clock=MockClock(autojump_threshold=0))

    del run.__wrapped__  # pytest shall see `tmp_path`, not `world`
    return run


@on_a_mock_clock
async def test_retries_follow_the_schedule_and_the_lane_waits(world: World) -> None:
    world.answer = lambda body, nth: Attempt(500 if body == "a" and nth < 3 else 204)
    await world.commit("a", "b")
    await world.commit("c", lane=2)
    await world.until(lambda: len(world.delivered) == 3)
    assert world.delivered == ["c", "a", "b"]
    first, second, third = [at for at, text in world.attempts if text == "a"]
    assert 5 <= second - first < 6.5
    assert 30 <= third - second < 31.5
    assert [
        h["x-device-delivery-id"].rpartition(".")[2]
        for h, (_, text) in zip(world.headers, world.attempts, strict=True)
        if text == "a"
    ] == ["1", "2", "3"]
    assert {
        h["x-device-event-id"]
        for h, (_, text) in zip(world.headers, world.attempts, strict=True)
        if text == "a"
    } == {"evt_0001"}


@on_a_mock_clock
async def test_dead_letters_let_the_lane_go_on(world: World) -> None:
    world.answer = lambda body, nth: Attempt({"poison": 404, "tired": 500}.get(body, 204))
    await world.commit("poison", "tired", "good")
    await world.until(lambda: world.delivered == ["good"])
    assert [text for _, text in world.attempts] == ["poison", *["tired"] * 3, "good"]
    await trio.sleep(1)
    assert await world.store.owed(1) == (0, 2)


@on_a_mock_clock
async def test_an_outage_makes_no_dead_letters(world: World) -> None:
    down = [True]
    world.answer = lambda body, nth: Attempt(None, "connect_error") if down[0] else Attempt(204)
    for number in range(40):
        await world.commit(f"m{number:02}", lane=number % 8)
    await trio.sleep(700)
    assert world.delivered == []
    assert len(world.attempts) < 100  # probes back off to one in five minutes
    known = await world.store.endpoint("we_1")
    assert known is not None
    assert known.failing_since is not None
    down[0] = False
    await world.until(lambda: len(world.delivered) == 40)
    for lane in range(8):
        mine = [text for text in world.delivered if int(text[1:]) % 8 == lane]
        assert mine == sorted(mine)
    await trio.sleep(1)
    assert await world.store.owed(1) == (0, 0)
    names = [e.type for e in await world.store.events(0, 1000) if e.type.startswith("gateway.")]
    assert names == ["gateway.endpoint.failing", "gateway.endpoint.recovered"]


@on_a_mock_clock
async def test_nothing_but_failures_disables_and_activation_resumes_with_the_oldest(world: World) -> None:
    down = [True]
    world.answer = lambda body, nth: Attempt(503) if down[0] else Attempt(204)
    for number in range(6):
        await world.commit(f"m{number}", lane=number)
    await trio.sleep(2500)
    known = await world.store.endpoint("we_1")
    assert known is not None
    assert (known.status, known.reason) == ("disabled", "failing")
    tried = len(world.attempts)
    await trio.sleep(400)
    assert len(world.attempts) == tried
    down[0] = False
    await world.store.commit(
        [PutEndpoint(attrs.evolve(known, status="active", reason=None, failing_since=None))]
    )
    await world.until(lambda: len(world.delivered) == 6)


@on_a_mock_clock
async def test_gone_disables_and_keeps_what_is_owed(world: World) -> None:
    world.answer = lambda body, nth: Attempt(410)
    await world.commit("a")
    await world.until(lambda: world.attempts)
    await trio.sleep(60)
    known = await world.store.endpoint("we_1")
    assert known is not None
    assert (known.status, known.reason) == ("disabled", "gone")
    assert await world.store.owed(1) == (1, 0)
    assert len(world.attempts) == 1


@on_a_mock_clock
async def test_a_bug_in_an_attempt_is_its_outcome(world: World) -> None:
    def answer(body: str, nth: int) -> Attempt:
        if nth == 1:
            raise RuntimeError("a bug that the test ordered")
        return Attempt(204)

    world.answer = answer
    await world.commit("a", "b")
    await world.until(lambda: world.delivered == ["a", "b"])
    assert [text for _, text in world.attempts] == ["a", "a", "b", "b"]


@on_a_mock_clock
async def test_retry_after_holds_everything_back(world: World) -> None:
    world.answer = lambda body, nth: (
        Attempt(429, retry_after=50.0) if (body, nth) == ("a", 1) else Attempt(204)
    )
    await world.commit("a")
    await world.until(lambda: world.attempts)
    await trio.sleep(0.1)
    await world.commit("b", lane=2)
    await world.until(lambda: len(world.delivered) == 2)
    began = world.attempts[0][0]
    assert all(at - began >= 49 for at, _ in world.attempts[1:])


@on_a_mock_clock
async def test_a_thousand_events_of_one_conversation_in_order(world: World) -> None:
    for start in range(0, 1000, 100):
        await world.commit(*[f"{number:04}" for number in range(start, start + 100)])
    await world.until(lambda: len(world.delivered) == 1000)
    assert world.delivered == [f"{number:04}" for number in range(1000)]


@on_a_mock_clock
async def test_an_endpoint_that_is_not_active_does_not_spin(world: World) -> None:
    reads = [0]
    fresh = world.store.fresh

    async def counting(*arguments: Any) -> Any:
        reads[0] += 1
        return await fresh(*arguments)

    world.store.fresh = counting  # type: ignore[method-assign]
    world.answer = lambda body, nth: Attempt(500)
    await world.commit("a")
    await world.until(lambda: world.attempts)
    await trio.sleep(0.5)
    known = await world.store.endpoint("we_1")
    assert known is not None
    await world.store.commit([PutEndpoint(attrs.evolve(known, status="inactive"))])
    await trio.sleep(6)
    turns = world.bus.count(EVENTS_TOPIC), reads[0]
    await trio.sleep(60)
    assert reads[0] - turns[1] < 10
    assert len(world.attempts) == 1
