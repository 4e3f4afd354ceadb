"""What a business account's connection must show beside what its other tests do."""

import json
import time
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.api.tiktok_world import APP, APP_SECRET, BUSINESS, CUSTOMER, World, tiktok, tiktok_data
from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of
from tests.parity.disk import SlowDisk
from tests.providers.platform import answer, context, scripted
from unifyport.providers import tiktok as declaration
from unifyport.providers.contract.errors import ChannelError
from unifyport.providers.tiktok.business.api import BusinessApi
from unifyport.providers.tiktok.business.signature import SIGNATURE, sign

DAY_MS = 86_400_000


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    async with sandbox() as platform, receiver() as inbox:
        file = tiktok() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, file, **public(free_port()))) as api:
            yield World(platform, inbox, api)


async def test_two_refreshes_at_once_are_one(world: World) -> None:
    [account] = await world.online()
    chats = [(await world.write("hi", **{"from": f"customer-{n}"}))["conversation_id"] for n in range(5)]
    grants = world.tiktok.grants
    for token in grants.good_access_tokens():
        grants.expire(token)
    before, answers = grants.issued, list[int]()

    async def send(chat: str) -> None:
        answers.append((await world.send(account["id"], chat)).status_code)

    async with trio.open_nursery() as nursery:
        for chat in chats:
            nursery.start_soon(send, chat)
    assert answers == [200] * 5
    assert grants.issued == before + 1


async def test_new_tokens_by_patch_hold_while_a_refresh_is_under_way(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, file, **public(free_port()))) as api:
            world = World(platform, inbox, api)
            account = await world.account(**tiktok_data())
            await world.online()
            chat = (await world.write("hello"))["conversation_id"]
            for token in world.tiktok.grants.good_access_tokens():
                world.tiktok.grants.expire(token)
            await world.order("faults", {"kind": "delay", "method": "refresh_token", "value": 0.5})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(world.send, account, chat)
                await world.api.until(
                    lambda _: any(c["method"] == "refresh_token" for c in world.tiktok.connections),
                    f"/v1/accounts/{account}",
                )
                seed = world.tiktok.grants.new_seed(BUSINESS, APP)
                data = {"client_key": APP, "client_secret": APP_SECRET, "refresh_token": seed}
                await world.api.data("PATCH", f"/v1/accounts/{account}", {"provider_data": data})
            await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account}")
            assert (await world.send(account, chat)).status_code == 200


async def test_a_refresh_without_a_token_changes_nothing() -> None:
    """An answer with no token, or none at all: the old refresh token is used again."""
    empty = {"code": 0, "message": "OK", "data": {}}
    good = {
        "code": 0,
        "data": {"access_token": "a1", "refresh_token": "r1", "expires_in": 86400, "open_id": "b1"},
    }
    async with scripted(answer(empty), answer({"code": 0, "data": None}), answer(good)) as platform:
        credentials = {"client_key": "k", "client_secret": "s", "refresh_token": "r0"}
        endpoints = declaration.Endpoints(api_url=platform.url)
        api = BusinessApi(attrs.evolve(context(None, **credentials), endpoints=endpoints), lambda _: None)
        for _ in range(2):
            with pytest.raises(ChannelError) as caught:
                await api.token()
            assert (caught.value.reason, caught.value.maybe_applied) == ("malformed_answer", False)
        assert await api.token() == "a1"
        await api.http.aclose()
    sent = [json.loads(request.body)["refresh_token"] for request in platform.requests]
    assert sent == ["r0", "r0", "r0"]
    assert {request.path for request in platform.requests} == {"/open_api/v1.3/tt_user/oauth2/refresh_token/"}


async def test_a_stale_event_is_acknowledged_and_set_aside(world: World) -> None:
    await world.online()
    old = time.time_ns() // 1_000_000 - 20 * DAY_MS
    await world.order("messages", {"from": CUSTOMER, "text": "long ago", "timestamp": old})
    await world.api.until(lambda _: world.tiktok.callbacks.pending == 0, "/v1/accounts")
    assert world.tiktok.calls()[-1]["statuses"] == [200]
    assert (await world.api.data("GET", "/v1/events?type=message.received"))["items"] == []
    assert "unifyport_quarantined_total 1.0" in (await world.api.http.get("/metrics")).text


async def test_while_the_disk_is_slow_tiktok_keeps_the_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    [spec] = declaration.CHANNEL.connections
    assert spec.ingress is not None
    hasty = attrs.evolve(spec, ingress=attrs.evolve(spec.ingress, commit_seconds=0.5))
    channel = attrs.evolve(declaration.CHANNEL, connections=[hasty])
    async with sandbox() as platform, receiver() as inbox:
        places = platform.sandbox.endpoints["tiktok"]
        file = tiktok() + endpoint(inbox.url) + "[providers.tiktok]\n"
        file += "".join(f'{name} = "{value}"\n' for name, value in places.items())
        async with gateway(settings_of(tmp_path, file, **public(free_port())), [channel]) as api:
            world = World(platform, inbox, api)
            await world.online()
            disk.stall()
            try:
                await world.order("messages", {"from": CUSTOMER, "text": "once"})
                with trio.fail_after(20):
                    while not world.tiktok.calls()[-1]["statuses"]:
                        await trio.lowlevel.checkpoint()
                assert set(world.tiktok.calls()[-1]["statuses"]) == {503}
            finally:
                disk.go_on()
            await inbox.until(lambda: bool(inbox.of("message.received")))
            await world.write("end")
            assert [event["text"] for event in inbox.of("message.received")] == ["once", "end"]


@pytest.mark.parametrize("age", [3600, -3600])
async def test_stale_and_future_signatures_are_refused(world: World, age: int) -> None:
    [account] = await world.online()
    body = json.dumps({"event": "im_receive_msg", "user_openid": BUSINESS, "content": "{}"}).encode()
    headers = {SIGNATURE: sign(APP_SECRET, body, int(time.time()) - age)}
    answered = await world.api.http.post(account["ingress_url"], content=body, headers=headers)
    assert answered.status_code == 401
