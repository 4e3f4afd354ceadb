"""Behaviours of X that no other test of the channel shows."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
from quart import Response

from tests.api.test_x import media
from tests.api.x_world import APP, ME, MEI, World, x_account, x_world
from tests.parity.disk import SlowDisk
from tests.x_session_world import XSessionWorld
from unifyport.providers import x as declaration
from unifyport.providers.registry import Registry
from unifyport.sandbox.x.open_stream import OpenStream

QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "100ms" }\nmax_restarts = 1000\n'


def said(id_: str, text: str, at: int) -> dict[str, Any]:
    return {
        "type": "message_create",
        "id": id_,
        "created_timestamp": str(at),
        "message_create": {
            "target": {"recipient_id": ME},
            "sender_id": MEI,
            "message_data": {"text": text, "entities": {}},
        },
    }


async def report(world: World, *items: dict[str, Any]) -> None:
    await world.order("updates", event_type="dm.received", payload={"direct_message_events": [*items]})


async def test_what_comes_out_of_order_is_emitted_as_it_comes(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        now = time.time_ns() // 1_000_000
        await report(world, said("9000000000000000002", "second", now), said("17", "first", now - 60_000))
        await world.inbox.until(lambda: len(world.texts()) == 2)
        assert world.texts() == ["second", "first"]


async def test_the_other_id_of_a_conversation(tmp_path: Path) -> None:
    """X's own id of a conversation, and that of encrypted messages, name the one with the person."""
    async with x_world(tmp_path) as world:
        await world.write("hello")
        await world.inbox.until(lambda: world.texts())
        [event] = world.inbox.of("message.received")
        identities = {each["type"]: each["id"] for each in event["data"]["conversation"]["identities"]}
        assert identities["conversation_id"] == f"{ME}-{MEI}"
        for to in (f"{ME}-{MEI}", f"{MEI}:{ME}"):
            sent = await world.send(to=to)
            assert sent.status_code == 200
            assert [warning["code"] for warning in sent.json()["warnings"]] == ["conversation_aliased"]
        assert {each["conversation_id"] for each in world.x.sent()} == {f"{ME}-{MEI}"}


async def test_an_event_older_than_its_key_is_kept_for(tmp_path: Path) -> None:
    async with x_world(tmp_path, x_account(receive="webhook")) as world:
        await report(world, said("17", "long ago", (int(time.time()) - 400 * 86_400) * 1000))
        await world.write("now")
        await world.inbox.until(lambda: world.texts() == ["now"])
        assert "unifyport_quarantined_total 1" in (await world.api.http.get("/metrics")).text


async def test_while_the_disk_is_slow_x_keeps_the_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X waits for ten seconds."""
    disk = SlowDisk(monkeypatch)
    spec = next(each for each in declaration.CHANNEL.connections if each.auth_mode == "token")
    assert spec.ingress is not None
    assert spec.ingress.commit_seconds < 10
    hasty = attrs.evolve(spec, ingress=attrs.evolve(spec.ingress, commit_seconds=0.5))
    channel = attrs.evolve(declaration.CHANNEL, connections=[hasty])
    async with x_world(tmp_path, x_account(receive="webhook"), registry=Registry([channel])) as world:
        disk.stall()
        try:
            await world.write("once")
            await world.api.until(lambda _: called(world, 503), f"/v1/accounts/{world.id}")
        finally:
            disk.go_on()
        await world.write("end")
        await world.inbox.until(lambda: "end" in world.texts())
        assert sorted(world.texts()) == ["end", "once"]


def called(world: World, status: int) -> bool:
    return any(status in call["statuses"] for call in world.x.calls())


async def test_a_challenge_is_answered_while_the_disk_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with x_world(tmp_path, x_account(receive="webhook")) as world, httpx.AsyncClient() as client:
        [webhook] = world.x.deliveries.webhooks.values()
        disk.stall()
        try:
            with trio.fail_after(3):
                answer = await client.get(webhook.url, params={"crc_token": "a-token"})
        finally:
            disk.go_on()
        digest = hmac.new(APP["consumer_secret"].encode(), b"a-token", hashlib.sha256).digest()
        assert answer.json() == {"response_token": "sha256=" + base64.b64encode(digest).decode()}


async def test_a_page_that_does_not_move_on(tmp_path: Path) -> None:
    """It neither loops nor passes for the whole: the account says so, and what it knows is not lost."""
    async with x_world(tmp_path, more=QUICK) as world:
        await world.write("before")
        await world.inbox.until(lambda: world.texts() == ["before"])
        for number in range(60):
            world.x.messages.write(MEI, world.x.directory.pair(ME, MEI), {"text": f"{number}"})
        await world.inbox.until(lambda: len(world.texts()) == 61)
        events = world.x.directory.events
        newest = {**events[-1], "id": str(int(events[-1]["id"]) + 5), "text": "newest"}
        page = {"data": [newest], "meta": {"next_token": "the-same-token-again"}}
        world.x.app.view_functions["GET /2/dm_events"] = answering(page)
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        path = f"/v1/accounts/{world.id}/explain"
        await world.api.until(lambda found: found["why"] == "endless_list", path)


def answering(page: Any) -> Any:
    async def view() -> Response:
        await trio.lowlevel.checkpoint()
        return Response(json.dumps(page), 200, content_type="application/json")

    return view


async def test_others_have_all_connections_of_the_app(tmp_path: Path) -> None:
    async with x_world(tmp_path, more=QUICK) as world:
        streams = [OpenStream() for _ in range(2)]
        world.x.open.update(streams)
        await world.order("faults", kind="disconnect", method="stream")
        for stream in streams:
            stream.broken = False
        path = f"/v1/accounts/{world.id}"
        await world.api.until(lambda found: found["why"] == "stream_in_use", f"{path}/explain")
        world.x.open.difference_update(streams)
        await world.api("POST", f"{path}/runtime/reset")
        await world.write("again")
        await world.inbox.until(lambda: world.texts() == ["again"], 30)


async def test_a_file_that_x_no_longer_has(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        await world.write("look", media=media("photo"))
        await world.inbox.until(lambda: world.texts())
        [event] = world.inbox.of("message.received")
        [file] = event["data"]["message"]["attachments"]
        async with httpx.AsyncClient(trust_env=False) as client:
            await world.order("faults", kind="error_500", method="download")
            assert (await client.get(file["url"])).status_code in (502, 503)
            world.x.directory.files.clear()
            assert (await client.get(file["url"])).status_code == 410


async def test_a_file_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    """No report leads the gateway to another host, and no token goes there."""
    async with x_world(tmp_path) as world:
        item = said("17", "look", time.time_ns() // 1_000_000)
        url = "http://127.0.0.1:1/secret"
        found = {"type": "photo", "id_str": "5", "media_url_https": url, "url": "https://t.co/a"}
        item["message_create"]["message_data"]["attachment"] = {"type": "media", "media": found}
        await report(world, item)
        await world.inbox.until(lambda: world.texts())
        [event] = world.inbox.of("message.received")
        [file] = event["data"]["message"]["attachments"]
        assert url not in json.dumps(event)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(file["url"])).status_code >= 400


async def test_what_the_capability_list_says(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        listed = await world.api.data("GET", "/v1/capabilities")
        [found] = [each for each in listed if each["provider"] == "x"]
        assert found["aliases"] == ["twitter"]
        connection = next(each for each in found["connections"] if each["auth_mode"] == "token")
        assert (connection["auth_mode"], connection["inbound"]) == ("token", "replayable")
        assert connection["receipts"] == ["read"]
        assert connection["can_start_conversation"] is True
        assert "window_hours" not in connection
        assert {"send_text", "send_image", "send_video", "create_group"} <= {*connection["capabilities"]}
        of_encrypted = {"send_audio", "send_reply", "edit_message", "revoke_message", "react_to_message"}
        assert of_encrypted | {"mark_read"} <= {*connection["capabilities"]}


async def test_a_user_is_one_account_whichever_way_it_connects(tmp_path: Path) -> None:
    """Both connections name the same user, so the second one is refused, and the first one goes on."""
    async with x_world(tmp_path) as world:
        session = XSessionWorld(world.platform, world.inbox, world.api)
        await session.account(ME)
        refused = await session.give_session(ME, await session.cookies(ME))
        assert refused.json()["error"]["code"] == "duplicate_provider_account"
        await world.write("by the API")
        await world.inbox.until(lambda: world.texts() == ["by the API"])
