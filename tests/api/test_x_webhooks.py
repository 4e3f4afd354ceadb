"""X calls the gateway: registration with its challenge, signatures, invalid webhooks, accounts of one app."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.x_world import APP, ME, World, x_account, x_world
from tests.providers.documentation import X
from unifyport.providers.x.api import connector
from unifyport.providers.x.api.signature import SIGNATURE
from unifyport.sandbox.x.delivery import Webhook

HOOK = x_account(receive="webhook")


async def url_of(world: World) -> str:
    found = await world.api.data("GET", f"/v1/accounts/{world.id}")
    return str(found["ingress_url"])


def signed(body: bytes, secret: str = APP["consumer_secret"]) -> dict[str, str]:
    """Not by the code that verifies it."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {SIGNATURE: "sha256=" + base64.b64encode(digest).decode()}


def report(event_type: str = "dm.received", user: str = ME) -> bytes:
    text = json.dumps({"data": {"filter": {"user_id": user}, "event_type": event_type}})
    body = json.loads(text.replace("1111111111111111111", user))
    now = json.dumps(X["payload"][event_type]).replace("1111111111111111111", user)
    import time

    body["data"]["payload"] = json.loads(now.replace("1780790400123", str(int(time.time() * 1000))))
    return json.dumps(body).encode()


async def test_events_come_by_the_webhook(tmp_path: Path) -> None:
    async with x_world(tmp_path, HOOK) as world:
        [webhook] = world.x.deliveries.webhooks.values()
        assert webhook.url == await url_of(world)
        assert webhook.valid
        assert not world.x.open  # no stream
        await world.write("hello", name="Mei")
        await world.inbox.until(lambda: world.texts() == ["hello"])
        sent = (await world.send()).json()["data"]["message_id"]
        await world.order("receipts", message_id=sent, status="read")
        await world.inbox.until(lambda: world.inbox.of("message.read"))
        await world.order("faults", kind="duplicate", method="stream")
        await world.write("twice")
        await world.write("last")
        await world.inbox.until(lambda: "last" in world.texts())
        assert world.texts() == ["hello", "twice", "last"]
        calls = world.x.calls()
        assert {status for call in calls for status in call["statuses"]} == {200}


async def test_what_is_missed_while_the_webhook_is_away_is_fetched(tmp_path: Path) -> None:
    async with x_world(tmp_path, HOOK) as world:
        [webhook] = world.x.deliveries.webhooks.values()
        webhook.valid = False  # X has switched it off: it calls nobody
        await world.write("unheard")
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        await world.inbox.until(lambda: world.texts() == ["unheard"])
        await world.api.until(
            lambda _: webhook.valid, f"/v1/accounts/{world.id}"
        )  # X was told to check it again
        await world.write("heard")
        await world.inbox.until(lambda: "heard" in world.texts())


async def test_an_invalid_webhook_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "CHECK_SECONDS", 0.05)
    async with x_world(tmp_path, HOOK) as world:
        [webhook] = world.x.deliveries.webhooks.values()
        world.x.deliveries.consumer_secret = "another-secret"  # so that no challenge is answered as X wants
        webhook.valid = False
        path = f"/v1/accounts/{world.id}/explain"
        await world.api.until(lambda found: found["why"] == "webhook_invalid", path)
        world.x.deliveries.consumer_secret = APP["consumer_secret"]
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reset")
        await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{world.id}")
        assert webhook.valid


@pytest.mark.parametrize("take_over", [False, True])
async def test_the_webhook_of_another_program(tmp_path: Path, take_over: bool) -> None:
    async with x_world(tmp_path, "") as world:
        world.x.deliveries.webhooks["5"] = Webhook("5", "https://elsewhere.example/hook")
        body = {
            "provider": "x",
            "receive": "webhook",
            "provider_data": {**APP, "refresh_token": "refresh-1111-a"},
        }
        made = await world.api.data("POST", "/v1/accounts", {**body, "take_over": take_over})
        world.id = made["id"]
        path = f"/v1/accounts/{world.id}"
        if take_over:
            await world.api.until(lambda a: a["runtime_status"] == "running", path)
            assert [each.url for each in world.x.deliveries.webhooks.values()] == [made["ingress_url"]]
        else:
            await world.api.until(lambda found: found["why"] == "foreign_webhook", f"{path}/explain")
            assert [*world.x.deliveries.webhooks] == ["5"]


async def test_accounts_of_one_app_share_a_webhook(tmp_path: Path) -> None:
    """An app has few webhooks; each item names its user."""
    accounts = x_account("x1", "1111", "webhook") + x_account("x2", "1112", "webhook")
    async with x_world(tmp_path, accounts) as world:
        for account in await world.api.data("GET", "/v1/accounts"):
            await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account['id']}")
        assert len(world.x.deliveries.webhooks) == 1
        for user in ("1111", "1112"):
            await world.write(f"to {user}", to=user)
        await world.inbox.until(lambda: len(world.texts()) == 2)
        by_account = {event["account_id"] for event in world.inbox.of("message.received")}
        assert len(by_account) == 2


async def test_what_is_taken_and_what_is_refused(tmp_path: Path) -> None:
    async with x_world(tmp_path, HOOK) as world, httpx.AsyncClient(trust_env=False) as client:
        url, body = await url_of(world), report()

        async def post(content: bytes, headers: dict[str, str]) -> int:
            return (await client.post(url, content=content, headers=headers)).status_code

        for headers in ({}, signed(body, "wrong"), signed(body + b" "), {SIGNATURE: "sha256=x"}):
            assert await post(body, headers) == 401
        strange = url.rpartition("/")[0] + "/acct_00000000000000000000000000"
        assert (await client.post(strange, content=body, headers=signed(body))).status_code == 401
        assert world.texts() == []
        for _ in range(2):
            assert await post(body, signed(body)) == 200
        for content in (b"{}", b"[]", b"\xff", b"[" * 5000):
            assert await post(content, signed(content)) == 200  # quarantined
        other = report(user="7777")  # of a user who is no account here
        assert await post(other, signed(other)) == 200
        large = report()[:-1] + b" " * (1024 * 1024 + 1) + b"}"
        assert await post(large, signed(large)) == 413
        await world.inbox.until(lambda: world.texts() == ["hello!"])
        assert world.inbox.of("message.received")[0]["conversation_id"] == "2222222222222222222"
        metrics = (await world.api.http.get("/metrics")).text
        assert "unifyport_quarantined_total 5" in metrics


async def test_challenges(tmp_path: Path) -> None:
    async with x_world(tmp_path, HOOK) as world, httpx.AsyncClient(trust_env=False) as client:
        url = await url_of(world)
        answer = await client.get(url, params={"crc_token": "a-token=="})
        wanted = signed(b"a-token==")[SIGNATURE]
        assert (answer.status_code, answer.json()) == (200, {"response_token": wanted})
        assert answer.headers["content-type"] == "application/json"
        for params in ({}, {"crc_token": '{"data":{}}'}, {"crc_token": "x" * 600}):
            assert (await client.get(url, params=params)).status_code == 401
        strange = url.rpartition("/")[0] + "/acct_00000000000000000000000000"
        assert (await client.get(strange, params={"crc_token": "x"})).status_code == 401


async def test_a_deleted_account_leaves_nothing_at_x(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        body: dict[str, Any] = {"provider": "x", "receive": "webhook"}
        body["provider_data"] = {**APP, "refresh_token": "refresh-1111-a"}
        world.id = (await world.api.data("POST", "/v1/accounts", body))["id"]
        await world.connected()
        assert len(world.x.deliveries.subscriptions) == 6
        assert (await world.api("DELETE", f"/v1/accounts/{world.id}")).status_code == 204
        await world.api.until(lambda _: not world.x.deliveries.webhooks, "/v1/accounts")
        assert not world.x.deliveries.subscriptions
