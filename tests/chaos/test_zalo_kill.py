"""kill -9 of a gateway with an Official Account of Zalo: while Zalo calls, and while a refresh token that
serves once is being used.
"""

import contextlib
import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.chaos.test_ingress_kill import AT_ONCE, QUICK, WEBHOOKS, Sender, kill_at_random, texts
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
    APP_ID,
    BOT_TOKEN,
    CUSTOMER,
    OA,
    OA_SECRET,
    SEED,
    bot_account,
    connect,
    official_account,
    order,
    text_to,
)
from unifyport.providers.zalo.bot.signature import SECRET_TOKEN, secret_of
from unifyport.providers.zalo.official.signature import SIGNATURE, sign
from unifyport.sandbox.zalo.official import ZaloOfficialPlatform

pytestmark = pytest.mark.chaos


class ZaloSender(Sender):
    def headers(self, body: bytes) -> dict[str, str]:
        stamp = json.loads(body).get("timestamp", "")
        secret = secret_of({"bot_token": BOT_TOKEN})
        return {SIGNATURE: sign(APP_ID, body, stamp, OA_SECRET), SECRET_TOKEN: secret}


def update(number: int, at: int) -> bytes:
    """A webhook of a bot."""
    user = f"6ede9afa66b88fe6d6{number % 10:02}"
    head = {"message_id": f"m-{number}", "date": at, "from": {"id": user}, "chat": {"id": user}}
    event = {"event_name": "message.text.received", "message": {**head, "text": str(number)}}
    return json.dumps({"ok": True, "result": event}).encode()


def webhook(number: int, at: int) -> bytes:
    """A webhook of an Official Account."""
    event = {
        "event_name": "user_send_text",
        "app_id": APP_ID,
        "timestamp": str(at),
        "sender": {"id": f"25125236254{number % 10:02}"},
        "recipient": {"id": OA},
        "message": {"msg_id": f"m-{number}", "text": str(number)},
    }
    return json.dumps(event).encode()


@pytest.mark.parametrize("connection", ["bot", "official"])
async def test_webhooks_under_kills(tmp_path: Path, connection: str) -> None:
    rng, at = random.Random(12), int(time.time() * 1000)
    async with (
        sandbox() as platform,
        receiver() as inbox,
        httpx.AsyncClient(trust_env=False, timeout=10) as client,
    ):
        port = free_port()
        more = official_account() if connection == "official" else bot_account('receive = "webhook"')
        make = webhook if connection == "official" else update
        more += endpoint(inbox.url) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        await process.start()
        try:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [shop] = await process.client.data("GET", "/v1/accounts")
            sender, limiter = ZaloSender(shop["ingress_url"], client), trio.CapacityLimiter(AT_ONCE)

            async def one(number: int) -> None:
                async with limiter:
                    await sender.send(make(number, at))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kill_at_random, process, sender, rng)
                for number in range(WEBHOOKS):
                    nursery.start_soon(one, number)
            assert sender.answers["cut off"] > 0  # the kills fell into the work
            assert set(sender.answers) <= {"200", "503", "cut off"}
            await inbox.until(lambda: len(texts(inbox)) == WEBHOOKS, 240)
            ids: dict[str, set[str]] = {}
            for event in inbox.of("message.received"):
                ids.setdefault(event["text"], set()).add(event["id"])
            assert all(len(found) == 1 for found in ids.values()), "an event came under two ids"
            assert await process.stop() == 0
        finally:
            await process.kill()


# -- refresh tokens ------------------------------------------------------------------------------------------


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
