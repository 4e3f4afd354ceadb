"""A connection with ratchets, as its peer sees it: the link is cut, the connection replaced, the lease lost,
a send cancelled, the store away. No key is ever used for two messages, and both directions go on.
"""

import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.harness import Client, Receiver, endpoint, gateway, receiver, sandbox, settings_of
from tests.reference.ratchet.channel import CHANNEL
from tests.reference.ratchet.platform import RatchetPlatform
from unifyport.gateway import sends
from unifyport.gateway.platform import DEADLINE_MS
from unifyport.model.message import CommandState
from unifyport.model.unit import Unit
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Refused, StoreUnavailable
from unifyport.storage.sqlite.store import SqliteStore

AWAY = 30.0 if os.environ.get("CHAOS") == "full" else 1.0  # seconds that the store is away
ACCOUNT = '\n[[accounts]]\nname = "me"\nprovider = "zalo"\ncredentials = { token = "token-of-me" }\n'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "20ms", max = "50ms" }\nmax_restarts = 1000\n'


@attrs.define
class World:
    platform: RatchetPlatform
    inbox: Receiver
    api: Client
    account_id: str
    database: Path
    written: list[str] = attrs.field(factory=list)

    async def send(self, chat: str, text: str) -> httpx.Response:
        body = {
            "account_id": self.account_id,
            "to": {"id": chat, "type": "user"},
            "message": {"type": "text", "text": text},
        }
        return await self.api("POST", "/v1/messages", body)

    async def outcome(self, chat: str, text: str) -> str:
        answer = await self.send(chat, text)
        return "sent" if answer.is_success else str(answer.json()["error"]["outcome"])

    def write(self, chat: str) -> None:
        self.written.append(f"in {len(self.written)}")
        self.platform.receive({"to": "me", "from": chat, "text": self.written[-1]})

    async def runtime(self, check: Callable[[Any], bool]) -> Any:
        return await self.api.until(check, f"/v1/accounts/{self.account_id}/runtime")

    def read(self) -> list[str]:
        """What the customers have read, in order of arrival."""
        return [sent["text"] for sent in self.platform.sent()]

    async def works(self) -> None:
        """Both directions go on, and no key was ever used twice."""
        for chat in ("anna", "bert"):
            self.write(chat)
            assert await self.outcome(chat, f"last to {chat}") == "sent"
        await self.inbox.until(
            lambda: {e["text"] for e in self.inbox.of("message.received")} == set(self.written)
        )
        assert self.platform.violations == []
        assert [ref for ref, count in self.platform.refs.items() if count > 1] == []


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    registry = Registry([CHANNEL])
    async with sandbox(registry) as platforms, receiver() as inbox:
        more = ACCOUNT + endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        async with gateway(settings_of(tmp_path, more, registry), [CHANNEL]) as api:
            await inbox.until(lambda: bool(inbox.of("account.started")))
            [known] = await api.data("GET", "/v1/accounts")
            platform: Any = platforms.sandbox.platforms["zalo"]
            yield World(platform, inbox, api, known["id"], tmp_path / "unifyport.db")


async def test_both_directions(world: World) -> None:
    for number in range(5):
        world.write("anna")
        assert await world.outcome("anna", f"out {number}") == "sent"
    await world.works()
    assert world.read()[:5] == [f"out {number}" for number in range(5)]


async def test_the_link_is_cut_again_and_again(world: World) -> None:
    outcomes: list[str] = []

    async def send(number: int) -> None:
        for count in range(10):
            outcomes.append(await world.outcome(f"chat {number}", f"out {number} {count}"))

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(send, number)
        for number in range(5):
            world.write(f"chat {number % 4}")
            world.platform.order_fault({"kind": "disconnect"})
            await world.runtime(lambda runtime: runtime["runtime_status"] == "running")
    assert set(outcomes) <= {"sent", "unknown", "not_sent"}
    assert outcomes.count("sent") <= len(world.read())
    await world.works()


async def test_a_connection_is_replaced_while_five_sends_are_in_progress(world: World) -> None:
    world.platform.order_fault({"kind": "delay", "method": "send", "value": 4, "count": 5})
    outcomes: dict[str, str] = {}

    async def send(chat: str, text: str) -> None:
        outcomes[text] = await world.outcome(chat, text)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(send, f"chat {number}", f"begun {number}")
        await world.runtime(lambda runtime: runtime["sends"]["in_progress"] == 5)
        for number in range(5):
            nursery.start_soon(send, f"chat {number}", f"waits {number}")
        await world.runtime(lambda runtime: runtime["sends"]["queued"] == 10)
        await world.api("POST", f"/v1/accounts/{world.account_id}/runtime/reconnect")
    assert outcomes == dict.fromkeys(outcomes, "sent")
    assert len(outcomes) == 10
    await world.works()


async def test_a_send_that_the_platform_does_not_answer_skips_its_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sends, "DEADLINE_MS", 3000)
    world.platform.order_fault({"kind": "delay", "method": "send", "value": 60, "count": 1})
    assert await world.outcome("anna", "not answered") == "unknown"
    assert await world.outcome("anna", "next") == "sent"
    assert max(world.platform.users["me"].peers["anna"].used) == 1
    await world.works()


async def test_what_has_lost_its_lease_writes_no_byte(world: World) -> None:
    assert await world.outcome("anna", "before") == "sent"
    with sqlite3.connect(world.database) as database:
        database.execute("update lease set epoch = epoch + 1 where resource like 'account:%'")
    assert await world.outcome("anna", "after") == "not_sent"
    runtime = await world.runtime(lambda runtime: runtime["phase"] == "terminal")
    assert runtime["terminal"] == "lease_lost"
    assert world.read() == ["before"]
    assert world.platform.violations == []


@pytest.mark.parametrize(("times", "expected"), [(1, "sent"), (100, "not_sent")])
async def test_a_refused_unit_ends_the_incarnation_and_the_send_is_tried_on_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int, expected: str
) -> None:
    commit, left = SqliteStore._commit, [times]

    def refusing(self: SqliteStore, writes: Any) -> Any:
        if any(isinstance(write, Unit) and write.session for write in writes) and left[0]:
            left[0] -= 1
            return [Refused("the test says so") for _ in writes]
        return commit(self, writes)

    monkeypatch.setattr(SqliteStore, "_commit", refusing)
    with trio.fail_after(15):
        assert await world.outcome("anna", "x") == expected
    left[0] = 0
    await world.works()


def marks(writes: Any) -> bool:
    """Whether a send is marked as `sending` by one of these writes."""
    return any(
        isinstance(write, Unit) and write.command is not None and write.command.state is CommandState.SENDING
        for write in writes
    )


async def test_a_store_that_is_away_holds_everything_up_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes away in the moment in which a send is to be marked, while another one has begun."""
    commit, away, begun = SqliteStore._commit, [False], threading.Event()

    def unavailable(self: SqliteStore, writes: Any) -> Any:
        if marks(writes):
            away[0] |= begun.is_set()
            begun.set()
        if away[0]:
            raise StoreUnavailable("the test says so")
        return commit(self, writes)

    outcomes: dict[str, str] = {}
    took: dict[str, float] = {}

    async def send(text: str) -> None:
        started = trio.current_time()
        outcomes[text] = await world.outcome(f"chat of {text}", text)
        took[text] = trio.current_time() - started

    world.api.http.timeout = httpx.Timeout(60)
    world.platform.order_fault({"kind": "delay", "method": "send", "value": 3, "count": 1})
    monkeypatch.setattr(SqliteStore, "_commit", unavailable)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, "begun")
        assert await trio.to_thread.run_sync(begun.wait, 10)
        nursery.start_soon(send, "marked")
        with trio.fail_after(10):
            while not away[0]:
                await trio.lowlevel.checkpoint()
        world.write("anna")
        nursery.start_soon(send, "refused")
        with trio.move_on_after(AWAY):
            await trio.sleep_forever()
        monkeypatch.setattr(SqliteStore, "_commit", commit)
    back_in_time = AWAY < DEADLINE_MS / 1000
    assert outcomes == {
        # Its answer comes behind a message that waits for the disk.
        "begun": "sent" if back_in_time else "unknown",
        "marked": "sent" if back_in_time else "not_sent",
        "refused": "not_sent",
    }
    assert max(took.values()) < 28
    with trio.fail_after(10):  # until the writer has tried again
        while (await world.api.http.get("/readyz")).status_code != 200:
            await trio.sleep(0.02)
    await world.works()
    runtime = await world.runtime(lambda runtime: True)
    assert runtime["incarnations"] == 1
