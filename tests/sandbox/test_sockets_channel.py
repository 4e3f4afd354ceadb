"""A channel of sockets through a whole gateway: WebSocket in, raw TCP out, both against the sandbox."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.harness import Client, Platform, Receiver, endpoint, gateway, receiver, sandbox, settings_of
from tests.reference.sockets.channel import CHANNEL
from unifyport.model.structuring import Problems
from unifyport.providers.registry import Registry

QUICK = """
[supervision.policies.default]
backoff = { initial = "50ms", max = "200ms", jitter = 0.0 }
max_restarts = 100
"""
REGISTRY = Registry([CHANNEL])


@attrs.define
class World:
    platform: Platform
    inbox: Receiver
    api: Client
    account: dict[str, Any]

    async def order(self, what: str, **order: Any) -> Any:
        response = await self.platform.http.post(f"/sandbox/tiktok/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def ask(self, what: str) -> Any:
        return (await self.platform.http.get(f"/sandbox/tiktok/{what}")).json()

    async def write(self, text: str) -> dict[str, Any]:
        """A customer writes; the event that it becomes."""
        before = len(self.inbox.of("message.received"))
        await self.order("messages", to="7", **{"from": "customer-1"}, text=text)
        await self.inbox.until(lambda: len(self.inbox.of("message.received")) > before)
        return self.inbox.of("message.received")[-1]

    async def send(self, text: str) -> Any:
        body = {
            "account_id": self.account["id"],
            "to": {"id": "customer-1", "type": "user"},
            "message": {"type": "text", "text": text},
        }
        return await self.api("POST", "/v1/messages", body)

    async def logins(self) -> int:
        return sum(call["method"] == "login" for call in await self.ask("connections"))


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    async with sandbox(REGISTRY) as platform, receiver() as inbox:
        more = endpoint(inbox.url) + platform.sandbox.config() + QUICK
        async with gateway(settings_of(tmp_path, more, registry=REGISTRY), [CHANNEL]) as api:
            body = {"provider": "tiktok", "auth_mode": "token", "provider_data": {"token": "token-of-7"}}
            account = await api.data("POST", "/v1/accounts", body)
            await inbox.until(lambda: bool(inbox.of("account.started")))
            yield World(platform, inbox, api, account)


async def test_it_logs_in_receives_and_sends(world: World) -> None:
    account = await world.api.data("GET", f"/v1/accounts/{world.account['id']}")
    assert account["provider_profile"]["display_name"] == "User 7"
    event = await world.write("hello")
    assert (event["text"], event["data"]["conversation"]["id"]) == ("hello", "customer-1")
    sent = await world.send("hello yourself")
    assert sent.json()["data"]["message_id"] == "sent-1", sent.text
    assert await world.ask("messages") == [
        {"id": "sent-1", "account": "7", "chat": "customer-1", "text": "hello yourself"}
    ]
    seen = await world.ask("connections")
    assert [call["method"] for call in seen] == ["events", "login", "events", "login", "messages", "send"]
    assert all(call["peer"].startswith("127.0.0.1:") for call in seen)
    assert [call["account"] for call in seen] == ["", "7", "", "7", "", "7"]


def test_plain_websocket_goes_only_to_this_machine(tmp_path: Path) -> None:
    for url, fits in (("ws://127.0.0.1:1", True), ("wss://x.example", True), ("ws://x.example", False)):
        more = f'[providers.tiktok]\nevents_url = "{url}"\n'
        if fits:
            settings_of(tmp_path, more, registry=REGISTRY)
            continue
        with pytest.raises(Problems) as refused:
            settings_of(tmp_path, more, registry=REGISTRY)
        assert "ws is only for this machine, use wss" in str(refused.value.problems)


async def test_a_refused_token_fails_the_login(world: World) -> None:
    body = {"provider": "tiktok", "auth_mode": "token", "provider_data": {"token": "wrong"}}
    account = await world.api.data("POST", "/v1/accounts", body)
    failed = await world.api.until(
        lambda auth: auth["status"] == "failed", f"/v1/accounts/{account['id']}/auth"
    )
    assert failed["last_error"] == "invalid_credentials"


async def test_after_a_disconnect_it_comes_back_and_nothing_is_lost(world: World) -> None:
    await world.write("before")
    logins = await world.logins()
    await world.order("faults", kind="disconnect")
    assert (await world.write("after"))["text"] == "after"
    assert await world.logins() > logins
    assert [event["text"] for event in world.inbox.of("message.received")] == ["before", "after"]
    assert (await world.send("x")).status_code == 200  # the disconnect was spent on the open connection


async def test_a_message_that_was_not_confirmed_comes_once_only(world: World) -> None:
    """The platform repeats what was not confirmed; the event's key knows it."""
    await world.write("first")
    user = world.platform.sandbox.platforms["tiktok"].users["7"]  # type: ignore[attr-defined]
    user.kept.append(
        {"number": 1, "id": "message-1", "chat": "customer-1", "from": "customer-1", "text": "first"}
    )
    await world.order("faults", kind="disconnect")
    await world.write("second")
    assert [event["text"] for event in world.inbox.of("message.received")] == ["first", "second"]


async def test_garbage_on_the_event_connection_is_a_lost_link(world: World) -> None:
    await world.write("before")
    await world.order("faults", kind="garbage", method="login")
    await world.order("faults", kind="disconnect", method="events")
    assert (await world.write("after"))["text"] == "after"


async def test_a_lost_answer_leaves_the_outcome_unknown(world: World) -> None:
    await world.order("faults", kind="lost_answer", method="send")
    answer = await world.send("once")
    assert answer.json()["error"]["outcome"] == "unknown", answer.text
    assert [message["text"] for message in await world.ask("messages")] == ["once"]


async def test_the_platform_cuts_a_send_before_it_acts(world: World) -> None:
    await world.order("faults", kind="disconnect", method="messages")
    answer = await world.send("never")
    assert answer.status_code >= 500
    assert await world.ask("messages") == []
