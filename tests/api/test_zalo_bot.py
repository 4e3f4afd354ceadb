"""A bot of Zalo's Bot Platform, whole: what it brings, what goes back, and what becomes of it."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.harness import (
    Client,
    Platform,
    Receiver,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from tests.zalo import (
    BOT,
    BOT_TOKEN,
    GROUP,
    USER,
    bot_account,
    failed_login,
    order,
    refusal,
    text_to,
)
from unifyport.providers.zalo.bot.signature import SECRET_TOKEN, secret_of
from unifyport.sandbox.zalo.bot import ZaloBotPlatform


def bots(platform: Platform) -> ZaloBotPlatform:
    found = platform.sandbox.platforms["zalo"]
    assert isinstance(found, ZaloBotPlatform)
    return found


async def connected(api: Client, inbox: Receiver) -> dict[str, Any]:
    await inbox.until(lambda: len(inbox.of("account.started")) == 1)
    [account] = await api.data("GET", "/v1/accounts")
    found: dict[str, Any] = account
    return found


async def eventually(check: Callable[[], Any]) -> None:
    with trio.fail_after(10):
        while not check():
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("way", ["poll", "webhook"])
async def test_a_text_in_and_a_text_out(tmp_path: Path, way: str) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = bot_account(f'receive = "{way}"') + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, inbox)
            assert account["provider_account_ref"] == BOT
            assert account["provider_profile"]["username"] == f"bot.{BOT}"
            assert "sandbox-token" not in json.dumps(account)
            written = await order(platform, "messages", {"text": "xin chào", "name": "Mai"})
            await order(platform, "messages", {"text": "@bot hi", "chat": GROUP})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            person, group = inbox.of("message.received")
            if person["data"]["conversation"]["type"] == "group":  # webhooks may overtake each other
                person, group = group, person
            assert (person["from"], person["text"], person["message_kind"]) == (USER, "xin chào", "text")
            assert person["message_id"] == written["message_id"]
            assert person["data"]["conversation"] | {"identities": 0} == {
                "id": USER,
                "type": "user",
                "title": "Mai",
                "identities": 0,
            }
            assert group["data"]["conversation"]["id"] == GROUP
            for to, kind in ((USER, "user"), (GROUP, "group")):
                sent = await api.data("POST", "/v1/messages", text_to(account, to, "yes", type=kind))
                assert bots(platform).sent()[-1]["message_id"] == sent["message_id"]
            path = f"/v1/accounts/{account['id']}/conversations/typing"
            assert await api.data("POST", path, {"conversation_id": USER}) == {"ok": True}
            assert [*bots(platform).bots[BOT_TOKEN].typing] == [USER]
            assert inbox.bad_signatures == 0


async def test_a_file_is_fetched_without_a_credential(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = bot_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await connected(api, inbox)
            media = {"type": "image", "content": base64.b64encode(b"picture").decode()}
            await order(platform, "messages", {"media": media, "caption": "look"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [event] = inbox.of("message.received")
            assert (event["message_type"], event["text"]) == ("image", "look")
            [attachment] = event["data"]["message"]["attachments"]
            assert (await api.http.get(attachment["url"])).content == b"picture"
            assert "/files/" not in json.dumps(event["data"]["provider_data"])


async def test_contents_beside_text(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = bot_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            account = await connected(api, inbox)
            await order(platform, "messages", {"text": "hi"})
            styles = [{"start": 0, "len": 2, "st": ["b"]}]
            for text, data, field in (
                ("look", {"photo": "https://x.example/a.jpg"}, "photo"),
                ("", {"sticker": "bfe458bf64fa8da4d4eb"}, "sticker"),
                ("", {"voice_url": "https://x.example/a.aac"}, "voice_url"),
                ("hi 👍", {"text_styles": styles}, "text_styles"),
            ):
                await api.data("POST", "/v1/messages", text_to(account, USER, text, provider_data=data))
                assert bots(platform).sent()[-1][field] == data[field]
            image = {"type": "image", "url": "https://x.example/b.jpg", "caption": "look"}
            body = {**text_to(account, USER), "message": image}
            await api.data("POST", "/v1/messages", body)
            sent = bots(platform).sent()[-1]
            assert (sent["photo"], sent["caption"]) == (image["url"], "look")
            for wrong in ({"url": "http://x.example/b.jpg"}, {"caption": "x" * 2001}, {"type": "video"}):
                refused = await api("POST", "/v1/messages", {**body, "message": image | wrong})
                assert 400 <= refused.status_code < 500, wrong
            for text, data, kind in (
                ("", {"photo": "http://x.example/a.jpg"}, "user"),
                ("", {"photo": "https://[::"}, "user"),
                ("x", {"sticker": "1"}, "user"),
                ("", {"voice_url": "https://x.example/a.aac"}, "group"),
                ("", {"sticker": "1", "photo": "https://x.example/a.jpg"}, "user"),
                ("👍", {"text_styles": [{"start": 0, "len": 3, "st": ["b"]}]}, "user"),
                ("x" * 2001, {}, "user"),
            ):
                body = text_to(account, USER, text, provider_data=data, type=kind)
                refused = await api("POST", "/v1/messages", body)
                assert 400 <= refused.status_code < 500, (text, data)
            assert len(bots(platform).sent()) == 5


@pytest.mark.parametrize("status_is_code", [False, True])
async def test_faults_of_sends(tmp_path: Path, status_is_code: bool) -> None:
    async with sandbox() as platform, receiver() as inbox:
        bots(platform).status_is_code = status_is_code
        more = bot_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            account = await connected(api, inbox)
            await order(platform, "messages", {"text": "hi"})

            for to in ("nobody", "../getMe"):
                outcome, reason = await refusal(api, text_to(account, to, "x"))
                assert (outcome, reason) in (("rejected", "bad_request"), ("refused", "invalid_request"))
            for fault in ("error_500", "garbage", "lost_answer"):
                await order(platform, "faults", {"kind": fault, "method": "sendMessage"})
                outcome, _ = await refusal(api, text_to(account, USER, "x"))
                assert outcome == "unknown", fault
            assert len(bots(platform).sent()) == 1  # of the lost answer
            await order(platform, "faults", {"kind": "rate_limit", "method": "sendMessage"})
            answer = await api("POST", "/v1/messages", text_to(account, USER, "x"))
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
            assert len(bots(platform).sent()) == 1


@pytest.mark.parametrize("token", [f"{BOT}:wrong"])
async def test_a_wrong_token(tmp_path: Path, token: str) -> None:
    async with sandbox() as platform:
        more = bot_account(token=token) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            assert await failed_login(api) == "invalid_credentials"


async def test_a_revoked_token_and_an_idle_poll(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = bot_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await connected(api, inbox)
            await order(platform, "faults", {"kind": "logout", "method": "getUpdates"})
            await order(platform, "messages", {"text": "the poll ends"})
            await inbox.until(lambda: len(inbox.of("account.auth.failed")) == 1)
            assert await failed_login(api) == "invalid_credentials"


@pytest.mark.parametrize("take_over", [False, True])
async def test_a_webhook_of_another_program(tmp_path: Path, take_over: bool) -> None:
    async with sandbox() as platform, receiver() as inbox:
        async with httpx.AsyncClient(trust_env=False) as http:
            url = platform.sandbox.endpoints["zalo"]["bot_api_url"]
            body = {"url": "https://other.example/hook", "secret_token": "s" * 8}
            await http.post(f"{url}/bot{BOT_TOKEN}/setWebhook", json=body)
        lines = ["take_over = true"] if take_over else []
        more = bot_account(*lines) + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            if take_over:
                await connected(api, inbox)
                await order(platform, "messages", {"text": "mine now"})
                await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            else:
                found = await api.until(
                    lambda found: found[0]["runtime_status"] not in ("starting", "running"), "/v1/accounts"
                )
                explained = await api.data("GET", f"/v1/accounts/{found[0]['id']}/explain")
                assert "foreign_webhook" in json.dumps(explained)
                assert bots(platform).bots[BOT_TOKEN].webhook is not None


async def test_webhooks_need_the_secret_and_repeats_are_known(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = bot_account('receive = "webhook"') + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, inbox)
            await eventually(lambda: bots(platform).bots[BOT_TOKEN].webhook is not None)
            await order(platform, "faults", {"kind": "duplicate", "method": "webhook"})
            await order(platform, "messages", {"text": "once"})
            await order(platform, "messages", {"text": "twice"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            secret = secret_of({"bot_token": BOT_TOKEN})
            for header, status in ((secret, 200), ("wrong", 401), ("\u1ea1".encode().decode("latin-1"), 401)):
                answer = await api.http.post(
                    account["ingress_url"],
                    content=b"not json",
                    headers={SECRET_TOKEN.encode(): header.encode("latin-1")},
                )
                assert answer.status_code == status
            assert sorted(event["text"] for event in inbox.of("message.received")) == ["once", "twice"]
