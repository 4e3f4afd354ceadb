"""kill -9 around a refresh of tokens that serve once: an account is locked out only if the platform had
answered and the new pair was not durable; then a human is asked, and one consent brings it back.
"""

import os
import random
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.api.tiktok_world import APP, APP_SECRET, World
from tests.harness import Process, endpoint, free_port, public, receiver, sandbox, write_config

pytestmark = pytest.mark.chaos

ROUNDS = 24 if os.environ.get("CHAOS") == "full" else 6
QUICK = '[supervision.policies.default]\nbackoff = { initial = "100ms", max = "1s" }\nmax_restarts = 1000\n'


async def settled(world: World, account: str) -> str:
    """`running`, or `failed` where the login has ended."""
    with trio.fail_after(30):
        while True:
            found = await world.api.data("GET", f"/v1/accounts/{account}")
            if found["runtime_status"] == "running":
                return "running"
            state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
            if state["status"] == "failed":
                return "failed"
            await trio.sleep(0.02)  # a process has no event to wait for


async def send_once(world: World, account: str, chat: str, answers: list[int]) -> None:
    try:
        answers.append((await world.send(account, chat)).status_code)
    except httpx.TransportError:
        answers.append(0)


async def test_killed_around_a_refresh(tmp_path: Path) -> None:
    rng, ends = random.Random(3), []
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = endpoint(inbox.url) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        await process.start()
        world = World(platform, inbox, process.client)
        grants = world.tiktok.grants
        try:
            account = await world.account(client_key=APP, client_secret=APP_SECRET)
            await world.consent(account)
            assert await settled(world, account) == "running"
            chat = (await world.write("hello"))["conversation_id"]
            for round_ in range(ROUNDS):
                issued, answers = grants.issued, list[int]()
                for token in grants.good_access_tokens():
                    grants.expire(token)
                if round_ == 0:  # certainly before the platform's answer
                    await world.order("faults", {"kind": "delay", "method": "refresh_token", "value": 60})
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send_once, world, account, chat, answers)
                    await trio.sleep(rng.random() * 0.04 + (0.1 if round_ == 0 else 0))
                    if round_ == 1:  # certainly after it was kept
                        await until_answered(answers)
                    await process.kill()
                platform.sandbox.platforms["tiktok"].faults.clear()  # type: ignore[attr-defined]
                await process.start()
                end = await settled(world, account)
                ends.append(end)
                lost_pair = grants.issued > issued and answers != [200]
                assert end == "running" or lost_pair, (round_, answers)
                if end == "failed":
                    state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
                    assert state["last_error"] == "refresh_token_refused"
                    await world.consent(account)
                    assert await settled(world, account) == "running"
                await world.write(f"after round {round_}")  # opens the window again
                assert (await world.send(account, chat)).status_code == 200
        finally:
            await process.kill()
    assert ends[:2] == ["running", "running"]


async def until_answered(answers: list[Any]) -> None:
    with trio.fail_after(20):
        while not answers:
            await trio.sleep(0.005)


async def test_a_refresh_that_was_answered_and_not_kept_is_told_as_it_is(tmp_path: Path) -> None:
    """The answer is lost on its way, which is as good as a kill before the commit."""
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = endpoint(inbox.url) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        await process.start()
        world = World(platform, inbox, process.client)
        try:
            account = await world.account(client_key=APP, client_secret=APP_SECRET)
            await world.consent(account)
            assert await settled(world, account) == "running"
            chat = (await world.write("hello"))["conversation_id"]
            for token in world.tiktok.grants.good_access_tokens():
                world.tiktok.grants.expire(token)
            await world.order("faults", {"kind": "lost_answer", "method": "refresh_token"})
            _, error = await world.refused(account, chat)
            assert error["outcome"] == "not_sent"
            await process.kill()
            await process.start()
            assert await settled(world, account) == "failed"
            await inbox.until(lambda: bool(inbox.of("account.auth.required")))
            found = await world.api.data("GET", f"/v1/accounts/{account}/explain")
            assert "auth/start" in found["action"]
            await world.consent(account)
            assert await settled(world, account) == "running"
            assert not await platform.sent("tiktok")
        finally:
            await process.kill()
