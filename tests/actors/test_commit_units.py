"""Commit units under random crashes and cancellations: each caller is answered, in order; nothing is lost.

Producers play account actors: they pipeline units of one generation, and after a failure begin a new
generation from the first unit that was not acknowledged, as an incarnation does.
"""

import random
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.actor import Job
from actors.normalizer import Normalizer, Normalizers
from actors.reply import Failed
from actors.writer import Writer
from supervisors import Backoff, ChildSpec, Incarnation, OneForOne, Policy
from unifyport.fleet.leases import LocalFleet
from unifyport.model.account import Account
from unifyport.model.event import ALL_MASK
from unifyport.model.ids import EventIds
from unifyport.model.inbound import Content, Conversation, MessageReceived, Sender, dedupe_key
from unifyport.model.unit import SessionChange, Unit
from unifyport.storage.contract import Committed, Duplicate, PutAccount, Result, Write
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore

POLICY = Policy(backoff=Backoff(0.001, 1, 0.001, 0), max_restarts=10_000)
ACCOUNTS, MESSAGES, PIPELINED = 3, 12, 4


class Crash(Exception):
    """Ordered by the test."""


class CrashingNormalizer(Normalizer):
    rng = random.Random(0)

    async def handle(self, batch: list[Job[Unit, Result]]) -> None:
        for job in batch:
            if self.rng.random() < 0.1:
                raise Crash
            await super().handle([job])


class CrashingWriter(Writer):
    rng = random.Random(0)

    async def _commit(self, group: list[Job[Write, Result]]) -> None:
        if self.rng.random() < 0.1:
            raise Crash
        if self.rng.random() < 0.1:  # committed, and crashed before any caller was answered
            await self._store.commit([job.work for job in group])
            raise Crash
        await super()._commit(group)


def message(account_no: int, number: int) -> MessageReceived:
    key = dedupe_key("test", account_no, number)
    content = Content(str(number), "text", str(number))
    return MessageReceived(key, Conversation("c", "user"), Sender("s"), content, number)


class Producer:
    """One account: MESSAGES messages to be committed, in order."""

    def __init__(self, no: int, epoch: int, road: Normalizers, rng: random.Random) -> None:
        self.no, self.epoch, self.road, self.rng = no, epoch, road, rng
        self.acknowledged = 0
        self.waiting = 0
        self.generation = 0

    async def run(self) -> None:
        while self.acknowledged < MESSAGES:
            self.generation += 1
            with trio.CancelScope() as scope:
                if self.rng.random() < 0.3:  # stop, probe or deadline of the account
                    scope.deadline = trio.current_time() + self.rng.random() * 0.005
                await self.incarnation()

    async def incarnation(self) -> None:
        first = self.acknowledged
        answers: dict[int, Any] = {}
        async with trio.open_nursery() as nursery:
            for number in range(first, min(first + PIPELINED, MESSAGES)):
                nursery.start_soon(self.send, number, answers)
                await trio.lowlevel.checkpoint()
        for number in sorted(answers):
            if not isinstance(answers[number], Committed | Duplicate):
                assert isinstance(answers[number], Failed)
                return
            assert number == self.acknowledged
            self.acknowledged += 1

    async def send(self, number: int, answers: dict[int, Any]) -> None:
        unit = Unit(self.no, f"acct_{self.no}", "telegram", self.epoch, self.generation)
        unit.provider_events = [message(self.no, number)]
        unit.session = [SessionChange("ratchet", b"key", str(number).encode())]
        self.waiting += 1
        try:
            answers[number] = await self.road.commit(unit)
        finally:
            self.waiting -= 1


async def scenario(directory: Path, seed: int) -> None:
    rng = random.Random(seed)
    CrashingNormalizer.rng = CrashingWriter.rng = rng
    store = SqliteStore(directory / "test.db", KeyRing.parse(KeyRing.new_key()), lambda: 1)
    store.open()
    writer = CrashingWriter(store)
    ids = EventIds(lambda: 1)
    road = Normalizers([CrashingNormalizer(writer, ids, b"lane", lambda *_: "") for _ in range(2)])
    await store.commit(
        [
            PutAccount(Account(f"acct_{n}", str(n), "telegram", "telegram", "global", "token"))
            for n in range(1, ACCOUNTS + 1)
        ]
    )
    leases = await LocalFleet(store, "test").claim([f"account:acct_{n}" for n in range(1, ACCOUNTS + 1)])
    supervisor, root = OneForOne(), Incarnation(1, float("inf"))
    supervisor.add(ChildSpec("writer", writer.run, POLICY))
    for number, partition in enumerate(road.partitions):
        supervisor.add(ChildSpec(f"normalizer-{number}", partition.run, POLICY))
    producers = [Producer(n, lease.epoch, road, rng) for n, lease in enumerate(leases, 1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run, root)
        async with trio.open_nursery() as working:
            for producer in producers:
                working.start_soon(producer.run)
        root.stop(10)
    assert [producer.waiting for producer in producers] == [0] * ACCOUNTS
    for producer in producers:
        events = await store.events(0, 10_000, mask=ALL_MASK, account_no=producer.no)
        bodies = [msgspec.json.decode(event.body) for event in events]
        assert [body["text"] for body in bodies] == [str(n) for n in range(MESSAGES)]
        assert [body["id"] for body in bodies] == sorted(body["id"] for body in bodies)
        session = await store.session(producer.no)
        assert session == {("ratchet", b"key"): str(MESSAGES - 1).encode()}
    store.close()


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_units_commit_in_order_and_nobody_waits_for_ever(seed: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        trio.run(scenario, Path(directory), seed)
