"""kill -9 of a gateway with an account of X: what X gave us arrives once, by the stream and by the webhook,
and a refresh token that serves once does not lock the account out.
"""

import contextlib
import os
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.api.x_world import ME, x_account
from tests.harness import Process, Receiver, endpoint, free_port, public, receiver, sandbox, write_config
from unifyport.sandbox.x.api import XPlatform

pytestmark = pytest.mark.chaos

SCRIPT = Path(__file__).with_name("x_server.py")
MESSAGES, KILLS = (2000, 12) if os.environ.get("CHAOS") == "full" else (300, 4)
ENCRYPTED = MESSAGES // 4
CUSTOMERS = ("2222", "3333", "4444")
QUICK = (
    '[supervision.policies.default]\nbackoff = { initial = "100ms", max = "500ms" }\nmax_restarts = 1000\n'
)


class Rig:
    def __init__(self, x: XPlatform, inbox: Receiver, process: Process) -> None:
        self.x, self.inbox, self.process = x, inbox, process

    async def running(self) -> Any:
        [account] = await self.process.client.until(
            lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts", 30
        )
        return account

    @property
    def arrived(self) -> int:
        return len({event["text"] for event in self.inbox.of("message.received")})


@contextlib.asynccontextmanager
async def rig(
    directory: Path, receive: str = "poll", script: Path | None = None, *, chat: bool = False
) -> AsyncIterator[Rig]:
    """A gateway that is not started yet. `chat`: the account has its keys of XChat."""
    async with sandbox() as platform, receiver() as inbox:
        x = platform.sandbox.platforms["x"]
        assert isinstance(x, XPlatform)
        x.deliveries.heartbeat = 0.2  # so that it soon notices a connection that is gone
        port = free_port()
        keys = {"chat_keys": x.people.enrol(ME).exported()} if chat else {}
        more = x_account(receive=receive, **keys) + endpoint(inbox.url) + platform.sandbox.config() + QUICK
        process = Process(write_config(directory, more=more, **public(port)), port, script)
        try:
            yield Rig(x, inbox, process)
        finally:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                await process.kill()


async def write_all(x: XPlatform) -> None:
    for number in range(MESSAGES):
        customer = CUSTOMERS[number % len(CUSTOMERS)]
        x.messages.write(customer, x.directory.pair(ME, customer), {"text": str(number)})
        await trio.sleep(0.002)  # as customers do, while it is killed


async def kill_at_random(found: Rig, rng: random.Random, messages: int = MESSAGES) -> None:
    kills = min(KILLS, messages // 30)
    for number in range(kills):
        aim = round(messages * (number + rng.random()) / (kills + 1))
        with trio.move_on_after(20):
            await found.inbox.until(lambda aim=aim: found.arrived >= aim, 60)  # type: ignore[misc]
        await found.process.kill()
        await found.process.start()


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_messages_under_kills_arrive_once(tmp_path: Path, receive: str) -> None:
    rng = random.Random(5)
    async with rig(tmp_path, receive) as found:
        await found.process.start()
        await found.running()
        first = ME, "2222"
        found.x.messages.write(first[1], found.x.directory.pair(*first), {"text": "begin"})
        await found.inbox.until(lambda: found.arrived == 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_all, found.x)
            nursery.start_soon(kill_at_random, found, rng)
        await found.inbox.until(lambda: found.arrived == MESSAGES + 1, 120)
        ids: dict[str, set[str]] = defaultdict(set)
        for event in found.inbox.of("message.received"):
            ids[event["text"]].add(event["id"])
        assert set(ids) == {"begin", *map(str, range(MESSAGES))}
        assert all(len(each) == 1 for each in ids.values()), "a message came under two ids"


async def write_encrypted(x: XPlatform) -> None:
    for number in range(ENCRYPTED):
        x.people.write(CUSTOMERS[number % len(CUSTOMERS)], ME, str(number))
        await trio.sleep(0.002)


@pytest.mark.parametrize("receive", ["poll", "webhook"] if os.environ.get("CHAOS") == "full" else ["webhook"])
async def test_encrypted_messages_under_kills_arrive_once(tmp_path: Path, receive: str) -> None:
    """X repeats nothing: what it reported to a process that was killed is read from the conversation."""
    rng = random.Random(7)
    async with rig(tmp_path, receive, chat=True) as found:
        await found.process.start()
        await found.running()
        found.x.people.write("2222", ME, "begin")
        await found.inbox.until(lambda: found.arrived == 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_encrypted, found.x)
            nursery.start_soon(kill_at_random, found, rng, ENCRYPTED)
        await found.inbox.until(lambda: found.arrived == ENCRYPTED + 1, 120)
        ids: dict[str, set[str]] = defaultdict(set)
        for event in found.inbox.of("message.received"):
            ids[event["text"]].add(event["id"])
        assert set(ids) == {"begin", *map(str, range(ENCRYPTED))}
        assert all(len(each) == 1 for each in ids.values()), "a message came under two ids"
        assert not any(found.x.chat.realms.asked.values())


async def test_killed_after_the_new_pair_was_durable(tmp_path: Path) -> None:
    async with rig(tmp_path, script=SCRIPT) as found:
        found.x.tokens.lifetime = 1.5
        for _ in range(3):
            await found.process.start_with({"DIE_AT": "after"})
            assert await found.process.ended() == -signal.SIGKILL
        await found.process.start()
        await found.running()
        asked = found.x.oauth.asked
        with trio.fail_after(20):
            while found.x.oauth.asked < asked + 2:
                await trio.sleep(0.02)  # the platform has no event for it
        await found.running()


async def test_killed_before_x_has_acted(tmp_path: Path) -> None:
    async with rig(tmp_path, script=SCRIPT) as found:
        found.x.order_fault({"kind": "delay", "method": "token", "value": 60, "count": 1})
        await found.process.start_with({})
        with trio.fail_after(20):
            while not any(call["method"] == "token" for call in found.x.connections):
                await trio.sleep(0.02)
        assert found.x.oauth.asked == 0
        await found.process.kill()
        await found.process.start()
        await found.running()


async def test_killed_between_the_answer_and_the_commit(tmp_path: Path) -> None:
    """Nothing can prevent that; the failure says what is to be done, and X is not asked again and again."""
    async with rig(tmp_path, script=SCRIPT) as found:
        await found.process.start_with({"DIE_AT": "before"})
        assert await found.process.ended() == -signal.SIGKILL
        await found.process.start()
        [account] = await found.process.client.data("GET", "/v1/accounts")
        path = f"/v1/accounts/{account['id']}"
        state = await found.process.client.until(lambda s: s["status"] == "failed", f"{path}/auth")
        assert state["last_error"] == "refresh_token_refused"
        explained = await found.process.client.data("GET", f"{path}/explain")
        assert "refresh token" in explained["action"]
        asked = found.x.oauth.asked
        await found.process.client.data("GET", f"{path}/runtime")
        assert found.x.oauth.asked == asked
