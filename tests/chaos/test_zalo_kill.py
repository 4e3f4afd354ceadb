"""kill -9 while a refresh token of an Official Account of Zalo, which serves once, is being used."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.chaos.test_ingress_kill import QUICK
from tests.harness import (
    Client,
    Platform,
    Process,
    Receiver,
    endpoint,
    free_port,
    public,
    receiver,
    sandbox,
    write_config,
)
from tests.zalo import (
    CUSTOMER,
    SEED,
    connect,
    official_account,
    order,
    text_to,
)
from unifyport.sandbox.zalo.official import ZaloOfficialPlatform

pytestmark = pytest.mark.chaos


class World:
    def __init__(self, process: Process, platform: Platform, inbox: Receiver) -> None:
        self.process, self.inbox, self.platform = process, inbox, platform
        zalo = platform.sandbox.platforms["zalo-official"]
        assert isinstance(zalo, ZaloOfficialPlatform)
        self.zalo = zalo

    @property
    def api(self) -> Client:
        return self.process.client

    async def running(self) -> dict[str, Any]:
        [found] = await self.api.until(
            lambda accounts: accounts[0]["runtime_status"] == "running", "/v1/accounts"
        )
        account: dict[str, Any] = found
        return account

    async def killed_at(self, where: str) -> None:
        """Kill the gateway while the token endpoint holds its request, then start it again."""
        with trio.fail_after(20):
            while self.zalo.hold == where:
                await trio.sleep(0.01)  # a gateway in a process of its own
        await self.process.kill()
        await self.process.start()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        try:
            yield World(process, platform, inbox)
        finally:
            await process.kill()


async def test_killed_before_the_token_is_used_up(world: World) -> None:
    world.zalo.hold = "before"
    await world.process.start()
    await world.killed_at("before")
    await world.running()
    assert world.zalo.refreshes == [SEED]


async def test_killed_between_the_answer_and_its_record(world: World) -> None:
    """The pair is lost with the process. The old token is tried once, and the reason is shown."""
    world.zalo.hold = "after"
    await world.process.start()
    await world.killed_at("after")
    [account] = await world.api.data("GET", "/v1/accounts")
    path = f"/v1/accounts/{account['id']}"
    state = await world.api.until(lambda found: found["status"] == "failed", f"{path}/auth")
    assert state["last_error"] == "refresh_token_refused"
    assert "consent" in (await world.api.data("GET", f"{path}/explain"))["action"]
    assert world.zalo.refreshes == [SEED, SEED]  # no loop
    await world.process.kill()
    await world.process.start()
    assert (await world.api.data("GET", f"{path}/auth"))["status"] == "failed"
    assert world.zalo.refreshes == [SEED, SEED]


@pytest.mark.parametrize("where", ["before", "after"])
async def test_killed_while_a_later_token_is_used(world: World, where: str) -> None:
    await world.process.start()
    account = await world.running()
    await world.process.kill()
    await world.process.start()
    account = await world.running()
    assert world.zalo.refreshes == [SEED]  # what it got is durable, and needs no refresh
    await connect(world.platform, account["ingress_url"])
    await order(world.platform, "messages", {"text": "hi"}, of="zalo-official")
    for token, (oa, _) in list(world.zalo.access_tokens.items()):
        world.zalo.access_tokens[token] = oa, trio.current_time()
    world.zalo.hold = where
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            with trio.move_on_after(20):
                with contextlib.suppress(httpx.TransportError):
                    await world.api("POST", "/v1/messages", text_to(account, CUSTOMER, "x"))

        nursery.start_soon(send)
        await world.killed_at(where)
        nursery.cancel_scope.cancel()
    if where == "before":
        await world.running()
        assert len(world.zalo.refreshes) == len(set(world.zalo.refreshes)) == 2
    else:
        state = await world.api.until(
            lambda found: found["status"] == "failed", f"/v1/accounts/{account['id']}/auth"
        )
        assert state["last_error"] == "refresh_token_refused"
        assert world.zalo.refreshes[1] == world.zalo.refreshes[2]
        assert len(world.zalo.refreshes) == 3
    assert world.zalo.sent() == []
