"""What goes out to TikTok: texts, images, cards, posts, actions; and what is refused, limited or lost."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.api.tiktok_world import BUSINESS, CUSTOMER, World, a_world

HOUR_MS = 3_600_000
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 500


@attrs.define
class Shop:
    world: World
    account: str
    chat: str  # whose customer has written once

    async def sent(self, message: Any = None, **more: Any) -> dict[str, Any]:
        answer = await self.world.send(self.account, self.chat, message, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = (await self.world.platform.sent("tiktok"))[-1]
        return found

    async def refused(self, message: Any = None, to: str = "", **more: Any) -> Any:
        return await self.world.refused(self.account, to or self.chat, message, **more)

    async def fault(self, kind: str, method: str = "send", **more: Any) -> None:
        await self.world.order("faults", {"kind": kind, "method": method, **more})

    async def outcome(self, error: dict[str, Any]) -> str:
        known = await self.world.api.data("GET", f"/v1/commands/{error['command_id']}")
        return str(known["outcome"])

    async def image(self, content: bytes = PNG, name: str = "a.png", **more: Any) -> dict[str, Any]:
        """A message with an image that was uploaded to the gateway."""
        answer = await self.world.api("POST", "/v1/media", files={"file": (name, content)})
        assert answer.is_success, answer.text
        return {"type": "image", "file_key": answer.json()["data"]["file_key"], **more}

    def path(self, operation: str) -> str:
        return f"/v1/accounts/{self.account}/conversations/{operation}"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with a_world(tmp_path) as world:
        [account] = await world.online()
        written = await world.write("hello")
        yield Shop(world, account["id"], written["conversation_id"])


async def test_cards_and_posts(shop: Shop) -> None:
    card = {"type": "QA_BUTTON_CARD", "title": "Which?", "buttons": [{"title": "One", "id": "1"}]}
    seen = await shop.sent({"type": "text", "text": ""}, provider_data={"template": card})
    assert seen["template"] == {**card, "buttons": [{"type": "REPLY", "title": "One", "id": "1"}]}
    seen = await shop.sent({"type": "text", "text": ""}, provider_data={"share_post": {"item_id": "7301"}})
    assert seen["share_post"] == {"item_id": "7301"}
    status, error = await shop.refused(provider_data={"template": {**card, "title": "x" * 41}})
    assert (status, "template.title" in error["message"] or "message.text" in error["message"]) == (400, True)


async def test_images(shop: Shop) -> None:
    seen = await shop.sent(await shop.image())
    assert seen["message_type"] == "IMAGE"
    assert shop.world.tiktok.media[seen["image"]["media_id"]].content == PNG
    status, error = await shop.refused(await shop.image(text="with a caption"))
    assert (status, "two messages" in error["message"]) == (400, True)
    before = len(shop.world.tiktok.media)
    status, error = await shop.refused(await shop.image(b"x" * 3_000_001))
    assert (status, "3000000 bytes" in error["message"]) == (400, True)
    status, error = await shop.refused(await shop.image(name="a.gif"))
    assert (status, error["reason"]) == (500, "unsupported_file_type")
    assert len(shop.world.tiktok.media) == before


async def test_where_the_countries_of_both_sides_allow_no_images(shop: Shop) -> None:
    shop.world.tiktok.business(BUSINESS).images = False
    status, error = await shop.refused(await shop.image())
    assert (status, error["reason"]) == (500, "image_not_supported")
    assert not shop.world.tiktok.media
    assert not await shop.world.platform.sent("tiktok")


@pytest.mark.parametrize("kind", ["error_500", "disconnect", "lost_answer", "garbage"])
async def test_an_image_that_cannot_be_uploaded_is_not_sent(shop: Shop, kind: str) -> None:
    await shop.fault(kind, "upload")
    _, error = await shop.refused(await shop.image())
    assert (error["outcome"], await shop.outcome(error)) == ("not_sent", "not_sent")
    assert not await shop.world.platform.sent("tiktok")


async def test_marking_as_read_and_typing(shop: Shop) -> None:
    assert await shop.world.api.data("POST", shop.path("read"), {"conversation_id": shop.chat}) == {
        "ok": True
    }
    typed = await shop.world.api.data("POST", shop.path("typing"), {"conversation_id": shop.chat})
    assert typed == {"ok": True}
    actions = [each["action"] for each in shop.world.tiktok.business(BUSINESS).actions]
    assert actions == ["MARK_READ", "TYPING"]
    nobody = await shop.world.api("POST", shop.path("typing"), {"conversation_id": "unknown"})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (404, "conversation_not_found")


async def test_what_the_platform_refuses_is_told_as_it_is(shop: Shop) -> None:
    status, error = await shop.refused(to="a-conversation-that-is-none")
    assert (status, error["code"]) == (404, "conversation_not_found")
    assert error["provider"]["code"] == "40007"
    calls = len((await shop.world.platform.http.get("/sandbox/tiktok/connections")).json())
    for wrong in ({"to": "x" * 600}, {"message": {"type": "text", "text": "x" * 6001}}):
        status, error = await shop.refused(**wrong)
        assert (status, error["code"]) == (400, "invalid_request")
    body = {"account_id": shop.account, "to": {"id": shop.chat, "type": "group"}, "message": {"text": "x"}}
    group = await shop.world.api("POST", "/v1/messages", body | {"message": {"type": "text", "text": "x"}})
    assert group.json()["error"]["code"] == "unsupported_conversation_type"
    assert len((await shop.world.platform.http.get("/sandbox/tiktok/connections")).json()) == calls


async def test_ten_messages_until_the_customer_answers(shop: Shop) -> None:
    for number in range(10):
        await shop.sent(f"message {number}")
    status, error = await shop.refused("the eleventh")
    assert (status, error["outcome"]) == (500, "rejected")
    assert error["reason"] == "outside_messaging_window_or_blocked"
    assert error["provider"]["code"] == "40064"
    assert "10 messages until the customer answers" in error["message"]
    await shop.world.write("go on")
    for number in range(11):
        await shop.sent(f"more {number}")


async def test_three_messages_after_the_window(shop: Shop) -> None:
    late = time.time_ns() // 1_000_000 - 49 * HOUR_MS
    await shop.world.write("long ago", timestamp=late)
    for number in range(3):
        await shop.sent(f"message {number}")
    _, error = await shop.refused("the fourth")
    assert error["reason"] == "outside_messaging_window_or_blocked"


async def test_too_fast(shop: Shop) -> None:
    await shop.fault("rate_limit")
    status, error = await shop.refused()
    assert (status, error["code"], error["outcome"]) == (429, "rate_limited", "not_sent")
    assert not await shop.world.platform.sent("tiktok")


@pytest.mark.parametrize("kind", ["error_500", "garbage", "disconnect", "lost_answer"])
async def test_what_may_have_been_sent_is_unknown_and_never_repeated(shop: Shop, kind: str) -> None:
    await shop.fault(kind)
    _, error = await shop.refused("once")
    assert await shop.outcome(error) == "unknown"
    sent = await shop.world.platform.sent("tiktok")
    assert len(sent) == (1 if kind == "lost_answer" else 0)
    if sent:  # its echo tells the caller that it was sent, and what it was
        inbox = shop.world.inbox
        await inbox.until(lambda: len(inbox.of("message.status.updated")) == 1)
        [status] = inbox.of("message.status.updated")
        assert status["message_id"] == sent[0]["id"]
        assert status["data"]["provider_data"]["content"]["text"] == {"body": "once"}
    await shop.sent("another")


async def test_an_echo_that_comes_before_the_answer(shop: Shop) -> None:
    shop.world.tiktok.echo_first = True
    seen = await shop.sent("yes")
    inbox = shop.world.inbox
    await inbox.until(lambda: len(inbox.of("message.status.updated")) == 1)
    assert inbox.of("message.status.updated")[0]["message_id"] == seen["id"]
    assert len(inbox.of("message.received")) == 1
    assert not inbox.of("provider.event")


async def test_what_the_owner_writes_in_the_app_is_an_echo(shop: Shop) -> None:
    echo = {"type": "text", "text": {"body": "from the app"}, "message_tag": {"source": "APP"}}
    await shop.world.order("updates", {"from": CUSTOMER, "echo": echo})
    inbox = shop.world.inbox
    await inbox.until(lambda: len(inbox.of("provider.event")) == 1)
    [event] = inbox.of("provider.event")
    assert (event["event_name"], event["text"]) == ("message_echo", "from the app")
    assert event["conversation_id"] == shop.chat
    assert event["data"]["message"]["direction"] == "outbound"


async def test_files_of_customers(shop: Shop) -> None:
    content = bytes(range(256)) * 500
    for kind in ("image", "video"):
        media = {"type": kind, "content": base64.b64encode(content).decode()}
        seen = len(shop.world.inbox.of("message.received"))
        await shop.world.write(media=media)
        message = shop.world.inbox.of("message.received")[seen]["data"]["message"]
        [attachment] = message["attachments"]
        assert (message["type"], attachment["type"]) == (kind, kind)
        answer = await shop.world.api.http.get(attachment["url"], headers={"x-api-key": ""})
        assert (answer.status_code, answer.content) == (200, content)
    media = {"type": "image", "content": base64.b64encode(b"x").decode()}
    await shop.world.write(media=media)
    [gone] = shop.world.inbox.of("message.received")[-1]["data"]["message"]["attachments"]
    shop.world.tiktok.media.clear()
    assert (await shop.world.api.http.get(gone["url"])).status_code == 410


async def test_stickers_come_from_known_hosts_only(shop: Shop) -> None:
    """The API's own origin and TikTok's domains; no other address is asked for a file."""
    platform = shop.world.tiktok
    media = {"type": "image", "content": base64.b64encode(b"sticker").decode()}
    await shop.world.write(media=media)
    [file] = platform.media.values()
    base = shop.world.platform.sandbox.endpoints["tiktok"]["api_url"]
    for url, status in (
        (f"{base}/files/{file.id}?public=1", 200),
        ("https://tiktokcdn.com.evil.example/x", 502),
        ("http://169.254.169.254/latest", 502),
    ):
        await shop.world.write(type="sticker", sticker={"url": url})
        message = shop.world.inbox.of("message.received")[-1]["data"]["message"]
        [attachment] = message["attachments"]
        assert (message["type"], url in str(message)) == ("sticker", False)
        assert (await shop.world.api.http.get(attachment["url"])).status_code == status


async def test_conversations(shop: Shop) -> None:
    api, path = shop.world.api, f"/v1/accounts/{shop.account}/conversations"
    await shop.world.write("hello", **{"from": "customer-2"})
    await shop.sent("yes")
    page = await api.data("GET", f"{path}?limit=1")
    found = list(page["items"])
    while page.get("next_cursor"):
        page = await api.data("GET", f"{path}?limit=1&cursor={page['next_cursor']}")
        found += page["items"]
    assert {row["conversation_id"] for row in found} >= {shop.chat}
    assert len(found) == 2
    assert found[0]["conversation_id"] == shop.chat  # answered ones come first
