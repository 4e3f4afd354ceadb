"""LINE over the Messaging API, whole: what the platform brings, and what becomes of it."""

import base64
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.harness import (
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from tests.line_world import (
    CHANNEL,
    CHANNEL_SECRET,
    MEI,
    TEAM,
    World,
    line,
    line_data,
    line_of,
    order_line,
    world,
)
from unifyport.providers.line.messaging.signature import SIGNATURE, sign

OTHER = "1656789099"


async def test_a_message_in_a_reply_out_and_a_push(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        assert here.account["provider_account_ref"] == CHANNEL
        assert here.account["receive"] == "webhook"
        assert here.account["provider_profile"]["display_name"] == f"Sandbox {CHANNEL}"
        assert CHANNEL_SECRET not in json.dumps(here.account)
        assert here.channel.endpoint == here.account["ingress_url"]

        written = await here.write("hello")
        event = await here.received(written["message_id"])
        assert (event["from"], event["text"], event["message_type"]) == (MEI, "hello", "text")
        assert event["data"]["conversation"]["id"] == MEI
        assert {"replyToken", "message.markAsReadToken"} <= set(event["data"]["provider_data_redacted"])

        first = await here.sent({"type": "text", "text": "yes"})
        second = await here.sent({"type": "text", "text": "and more"})
        by = [(message["by"], message["text"], message["id"]) for message in here.line.sent()]
        assert by == [("reply", "yes", first["message_id"]), ("push", "and more", second["message_id"])]
        assert here.channel.usage == 1
        outcome = await here.api.data("GET", f"/v1/commands/{second['command_id']}")
        assert (outcome["outcome"], outcome["message_id"]) == ("sent", second["message_id"])
        assert here.inbox.bad_signatures == 0


async def test_files_come_by_links(tmp_path: Path) -> None:
    content = bytes(range(256)) * 100
    async with world(tmp_path) as here:
        for kind, ours in (
            ("image", "image"),
            ("video", "video"),
            ("audio", "audio"),
            ("file", "document"),
        ):
            media = {"type": kind, "content": base64.b64encode(content).decode(), "processing": 1}
            if kind in ("image", "file"):
                del media["processing"]
            written = await here.order("messages", {"media": media})
            event = await here.received(written["message_id"])
            assert event["message_type"] == ours
            [attachment] = event["data"]["message"]["attachments"]
            async with httpx.AsyncClient(trust_env=False) as stranger:
                answer = await stranger.get(attachment["url"])
            assert (answer.status_code, answer.content) == (200, content)
            assert "api-data" not in json.dumps(event)


async def test_a_batch_comes_whole_and_in_order(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        events = [
            {"type": "message", "message": {"id": str(10**17 + n), "type": "text", "text": f"number {n}"}}
            for n in range(20)
        ]
        events.insert(7, {"type": "hologram", "hologram": {"depth": 3}})
        await here.order("updates", {"events": events})
        await here.inbox.until(lambda: len(here.inbox.of("message.received")) == 20)
        assert [e["text"] for e in here.inbox.of("message.received")] == [f"number {n}" for n in range(20)]
        await here.inbox.until(lambda: here.inbox.of("provider.event"))
        [unknown] = here.inbox.of("provider.event")
        assert unknown["event_name"] == "hologram"
        assert unknown["data"]["provider_data"]["hologram"] == {"depth": 3}
        [call] = here.line.calls()
        assert call["statuses"] == [200]


async def test_a_repeat_is_one_event_and_brings_its_reply_token(tmp_path: Path) -> None:
    """Of a redelivery the ids are the same, and the reply token is another, which then serves."""
    async with world(tmp_path) as here:
        written = await here.write("hello")
        [used] = here.channel.reply_tokens.values()
        used.used = True  # as if LINE no longer took it
        fresh = here.channel.new_reply_token(MEI)
        event = (await here.received(written["message_id"]))["data"]["provider_data"]
        again = {**event, "replyToken": fresh, "deliveryContext": {"isRedelivery": True}}
        await here.order("updates", {"webhook": {"destination": here.channel.bot, "events": [again]}})
        await until(lambda: here.line.calls()[-1]["statuses"] == [200])
        await here.sent()
        assert [message["by"] for message in here.line.sent()] == ["reply"]
        assert len(here.inbox.of("message.received")) == 1


async def test_the_platform_repeats_until_it_is_answered(tmp_path: Path) -> None:
    """A stopped account answers 503; LINE sends again, as a redelivery."""
    async with world(tmp_path) as here:
        await here.api.data("POST", here.path("runtime/stop"))
        await here.order("messages", {"text": "kept"})
        await until(lambda: 503 in here.line.calls()[-1]["statuses"])
        await here.api.data("POST", here.path("runtime/start"))
        await here.inbox.until(lambda: here.inbox.of("message.received"))
        [event] = here.inbox.of("message.received")
        assert (event["text"], event["data"]["provider_data"]["deliveryContext"]) == (
            "kept",
            {"isRedelivery": True},
        )


async def test_a_slow_store_is_answered_in_time_and_loses_nothing(tmp_path: Path) -> None:
    """LINE gives up after two seconds: it is told to come again before that."""
    async with world(tmp_path) as here:
        await here.write("before")
        with sqlite3.connect(tmp_path / "unifyport.db", isolation_level=None) as other:
            other.execute("begin immediate")  # nothing can be committed meanwhile
            began = trio.current_time()
            message = {"id": "4711", "type": "text", "text": "slow"}
            event = {
                "type": "message",
                "timestamp": time.time_ns() // 1_000_000,
                "webhookEventId": "SLOW",
                "source": {"type": "user", "userId": MEI},
                "message": message,
            }
            body = json.dumps({"destination": here.channel.bot, "events": [event]}).encode()
            answer = await post(here, body)
            assert answer.status_code == 503
            assert trio.current_time() - began < 2.0
            assert [e["text"] for e in here.inbox.of("message.received")] == ["before"]
            other.execute("rollback")
        while (await post(here, body)).status_code != 200:
            await trio.sleep(0.05)  # as LINE would, if later
        await here.received("4711")
        await here.write("after")
        assert [e["text"] for e in here.inbox.of("message.received")] == ["before", "slow", "after"]


async def test_what_comes_out_of_order(tmp_path: Path) -> None:
    """Of edits the one with the largest time counts (https://developers.line.biz/en/reference/messaging-api/,
    edit event); what was never seen is edited and taken back all the same.
    """
    async with world(tmp_path) as here:
        at = time.time_ns() // 1_000_000
        edits = [("4711", "second", 2000), ("4711", "first", 1000), ("4712", "another", 0)]
        events: list[dict[str, Any]] = [
            {
                "type": "messageEdited",
                "message": {"id": id_, "type": "text", "text": text},
                "timestamp": at - 5000 + after,
            }
            for id_, text, after in edits
        ]
        events.append({"type": "unsend", "unsend": {"messageId": "4711"}})
        await here.order("updates", {"events": events, "group": "team"})
        await here.inbox.until(lambda: here.inbox.of("message.deleted"))
        assert [e["text"] for e in here.inbox.of("message.updated")] == ["second", "another"]
        [deleted] = here.inbox.of("message.deleted")
        assert (deleted["message_id"], deleted["conversation_id"]) == ("4711", TEAM)


async def test_what_another_channel_is_to_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.order("messages", {"text": "to another", "mode": "standby"})
        await here.inbox.until(lambda: here.inbox.of("provider.event"))
        [standby] = here.inbox.of("provider.event")
        assert (standby["event_name"], standby["text"]) == ("standby", "to another")
        await here.write("to us", group="team")  # the token of the other message is not taken
        await here.sent()
        assert [message["by"] for message in here.line.sent()] == ["push"]


async def test_garbage_is_kept_and_stops_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for body in (b"{", b"[]", b'{"destination": 1, "events": []}', b'{"events": [null, {"type": 5}]}'):
            answer = await post(here, body)
            assert answer.status_code == 200
        half = {"destination": here.channel.bot, "events": [{"type": "message", "timestamp": "x"}, 7]}
        assert (await post(here, json.dumps(half).encode())).status_code == 200
        many = f'{{"destination": "{here.channel.bot}", "events": [{{}}'.encode() + b",{}" * 300_000 + b"]}"
        with trio.fail_after(3):  # it is not read item by item
            assert (await post(here, many)).status_code == 200
        await here.write("still here")
        metrics = (await here.api.http.get("/metrics")).text
        assert "unifyport_quarantined_total 7.0" in metrics


async def test_a_check_of_the_address_is_no_event(tmp_path: Path) -> None:
    """The console's "Verify": a signed list without events."""
    async with world(tmp_path) as here:
        body = json.dumps({"destination": here.channel.bot, "events": []}).encode()
        assert (await post(here, body)).status_code == 200
        unsigned = await here.api.http.post(here.account["ingress_url"], content=body)
        assert unsigned.status_code == 401
        page = await here.api.data("GET", "/v1/events")
        assert {e["event"] for e in page["items"]} <= {
            "account.status.updated", "account.started", "account.auth.succeeded"
        }  # fmt: skip


async def test_a_signature_serves_its_own_account_only(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        rival = line("rival", OTHER, channel_secret="f" * 32)
        more = line() + rival + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            mine, other = await api.data("GET", "/v1/accounts")
            event = {"type": "message", "timestamp": 1, "webhookEventId": "E"}
            body = json.dumps({"destination": "U1", "events": [event]}).encode()
            forged = {SIGNATURE: sign("f" * 32, body)}
            assert (await api.http.post(mine["ingress_url"], content=body, headers=forged)).status_code == 401
            assert (await api.http.post(other["ingress_url"], content=body)).status_code == 401
            await order_line(platform, "messages", {"to": CHANNEL, "text": "one"})
            await order_line(platform, "messages", {"to": OTHER, "text": "two"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            by_text = {e["text"]: e["account_id"] for e in inbox.of("message.received")}
            assert by_text == {"one": mine["id"], "two": other["id"]}


async def test_old_events_are_set_aside(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.order("messages", {"text": "of last year", "timestamp": 1_600_000_000_000})
        await here.write("of today")
        assert [e["text"] for e in here.inbox.of("message.received")] == ["of today"]
        assert "unifyport_quarantined_total 1.0" in (await here.api.http.get("/metrics")).text


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ({"channel_secret": "wrongwrongwrong1"}, "invalid_credentials"),
        ({"channel_access_token": "expired"}, "invalid_credentials"),
        ({"channel_access_token": f"line-token-{OTHER}"}, "token_of_another_channel"),
    ],
    ids=["secret", "token", "of another channel"],
)
async def test_logins_that_are_refused(tmp_path: Path, credentials: dict[str, str], reason: str) -> None:
    async with sandbox() as platform, receiver() as inbox:
        await order_line(platform, "webhooks", {"channel_id": CHANNEL, "channel_secret": CHANNEL_SECRET})
        more = endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            body = {"provider": "line", "auth_mode": "token", "provider_data": line_data(**credentials)}
            await api.data("POST", "/v1/accounts", body)
            await inbox.until(lambda: inbox.of("account.auth.failed"))
            [failed] = inbox.of("account.auth.failed")
            assert (failed["auth_status"], failed["last_error"]) == ("failed", reason)


async def test_a_token_that_was_given_is_used(tmp_path: Path) -> None:
    token = f"line-token-{CHANNEL}"
    async with sandbox() as platform, receiver() as inbox:
        await order_line(platform, "webhooks", {"channel_id": CHANNEL, "channel_secret": CHANNEL_SECRET})
        config = line(channel_access_token=token) + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, config, **public(free_port()))) as api:
            await inbox.until(lambda: inbox.of("account.started"))
            [account] = await api.data("GET", "/v1/accounts")
            assert token not in json.dumps(account)
            methods = {call["method"] for call in line_of(platform).connections}
            assert "verify" in methods
            assert "token" not in methods
            line_of(platform).revoked.add(token)
            answer = await api("POST", "/v1/messages", text_to(account["id"]))
            assert answer.status_code == 409
            await inbox.until(lambda: inbox.of("account.auth.failed"))


async def test_a_token_of_its_own_is_renewed(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.write("hello")
        here.line.expire_tokens()
        await here.sent()
        tokens = [call["method"] for call in here.line.connections]
        assert tokens.count("token") == 2


async def test_the_webhook_of_another_program_is_left_alone(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        console = {"channel_id": CHANNEL, "callback_url": "https://other.example/hook"}
        await order_line(platform, "webhooks", console)
        config = endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, config, **public(free_port()))) as api:
            body = {"provider": "line", "auth_mode": "token", "provider_data": line_data()}
            account = await api.data("POST", "/v1/accounts", body)
            path = f"/v1/accounts/{account['id']}"
            await api.until(lambda data: "foreign_webhook" in json.dumps(data), f"{path}/runtime")
            assert line_of(platform).channels[CHANNEL].endpoint == "https://other.example/hook"
            await api.data("PATCH", path, {"take_over": True})
            await inbox.until(lambda: inbox.of("account.started"))
            assert line_of(platform).channels[CHANNEL].endpoint == account["ingress_url"]


def text_to(account_id: str, to: str = MEI) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "to": {"id": to, "type": "user"},
        "message": {"type": "text", "text": "yes"},
    }


async def post(here: World, body: bytes) -> httpx.Response:
    """A signed request, as LINE makes it."""
    headers = {SIGNATURE: sign(CHANNEL_SECRET, body)}
    return await here.api.http.post(here.account["ingress_url"], content=body, headers=headers)


async def until(true: Any) -> None:
    with trio.fail_after(10):
        while not true():
            await trio.sleep(0.01)  # the sandbox has no event to wait for
