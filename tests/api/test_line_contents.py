"""What LINE can say beyond texts, and what can be asked of it: files, quotes, templates, people, groups."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import (
    endpoint,
    free_port,
    gateway,
    receiver,
    sandbox,
    settings_of,
)
from tests.line_world import MEI, TEAM, World, line, line_of, order_line, world
from unifyport.sandbox.line.state import id_of

PICTURE, PREVIEW = "https://shop.example/a.jpg", "https://shop.example/preview.jpg"
MENU = "richmenu-" + "0" * 32
BUBBLE = {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": []}}
ACTION = {"type": "message", "label": "Yes", "text": "yes"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        await found.write("hello", group="team")
        await found.write("hello")
        yield found


def last(here: World, count: int = 1) -> list[dict[str, Any]]:
    """The newest message objects, without what the sandbox adds."""
    extra = ("account", "at", "to", "by", "id")
    found = here.line.sent()[-count:]
    return [{name: value for name, value in message.items() if name not in extra} for message in found]


async def test_files_go_out_by_their_urls(here: World) -> None:
    await here.sent({"type": "image", "url": PICTURE})
    assert last(here) == [{"type": "image", "originalContentUrl": PICTURE, "previewImageUrl": PICTURE}]
    data = {"preview_image_url": PREVIEW, "tracking_id": "t1"}
    video = {"type": "video", "file_url": "https://shop.example/a.mp4", "caption": "look"}
    sent = await here.sent(video, provider_data=data)
    assert last(here, 2) == [
        {
            "type": "video",
            "originalContentUrl": "https://shop.example/a.mp4",
            "previewImageUrl": PREVIEW,
            "trackingId": "t1",
        },
        {"type": "text", "text": "look"},
    ]
    ids = [message["id"] for message in here.line.sent()[-2:]]
    assert (sent["message_id"], sent["provider_ref"]) == (ids[0], ",".join(ids))
    recording = '{"url": "https://shop.example/a.m4a", "seconds": 7}'
    await here.sent({"type": "audio", "url": recording})
    assert last(here)[0]["duration"] == 7000
    audio = {"type": "audio", "url": "https://shop.example/a.m4a"}
    await here.sent(audio, provider_data={"duration": 1234})
    assert last(here)[0]["duration"] == 1234


@pytest.mark.parametrize(
    ("message", "data", "words"),
    [
        ({"type": "image", "url": "http://shop.example/a.jpg"}, {}, "https"),
        ({"type": "video", "url": "https://shop.example/a.mp4"}, {}, "preview_image_url"),
        ({"type": "audio", "url": "https://shop.example/a.m4a"}, {}, "duration"),
        ({"type": "image", "url": PICTURE}, {"sticker": {"packageId": "1", "stickerId": "2"}}, "sticker"),
        ({"type": "text", "text": "x" * 5001}, {}, "5000"),
        ({"type": "text", "text": "\U0001f600" * 2501}, {}, "5000"),
        ({"type": "text"}, {"sticker": {"packageId": "1"}}, "stickerId"),
        ({"type": "text"}, {"flex": {"contents": BUBBLE}}, "altText"),
        ({"type": "text", "text": "x"}, {"template": {"template": {"type": "wheel"}}}, "buttons"),
        ({"type": "text", "text": "x"}, {"quick_reply": {"items": []}}, "quick_reply.items"),
        ({"type": "text", "text": "x"}, {"rich_menu": "../x"}, "rich_menu"),
        ({"type": "text", "text": "x"}, {"sender": {"name": "x" * 21}}, "sender.name"),
    ],
)  # fmt: skip
async def test_what_line_cannot_say_is_refused_before(
    here: World, message: dict[str, Any], data: dict[str, Any], words: str
) -> None:
    answer = await here.send(message, provider_data=data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert words in answer.json()["error"]["message"]
    assert here.line.sent() == []


async def test_files_that_line_has_no_message_for(here: World) -> None:
    document = await here.send({"type": "document", "url": "https://shop.example/a.pdf"})
    assert document.json()["error"]["code"] == "unsupported_message_type"
    contact = await here.send({"type": "contact", "contacts": [{"name": "Mei"}]})
    assert contact.json()["error"]["code"] == "unsupported_message_type"


async def test_an_upload_has_a_link_that_line_can_fetch(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        config = line() + endpoint(inbox.url) + platform.sandbox.config()
        port = free_port()
        server: dict[str, Any] = {"port": port, "server": 'public_url = "https://gateway.example"'}
        console = {"channel_id": "1656789012", "callback_url": "https://gateway.example/x"}
        await order_line(platform, "webhooks", console)
        settings = settings_of(
            tmp_path, config.replace("[[accounts]]", "[[accounts]]\ntake_over = true"), **server
        )
        async with gateway(settings) as api:
            await inbox.until(lambda: inbox.of("account.started"))
            [account] = await api.data("GET", "/v1/accounts")
            here = World(api, inbox, platform, account)
            here.channel.user("Mei")
            content = b"\xff\xd8" + bytes(5000)
            upload = (await api("POST", "/v1/media", files={"file": ("a.jpg", content)})).json()["data"]
            await here.sent({"type": "image", "file_key": upload["file_key"]})
            [message] = line_of(platform).sent()
            url = message["originalContentUrl"]
            assert url.startswith("https://gateway.example/media/upload.")
            assert upload["file_key"] not in url
            async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as stranger:
                path = url.removeprefix("https://gateway.example")
                answer = await stranger.get(path)
                assert (answer.content, answer.headers["content-type"]) == (content, "image/jpeg")
                assert (await stranger.get(path + "x")).status_code == 404
            gone = await here.send({"type": "image", "file_key": "file_" + "0" * 24})
            assert gone.json()["error"]["outcome"] == "not_sent"
            assert len(line_of(platform).sent()) == 1


async def test_quotes(here: World) -> None:
    written = await here.write("what does it cost?")
    token = (await here.received(written["message_id"]))["data"]["message"]["reply_token"]
    quote = next(iter(here.channel.quote_tokens))
    assert quote not in token
    first = await here.sent(reply_to={"reply_token": token})
    theirs = last(here)[0]["quoteToken"]
    again = await here.sent(reply_to={"message_id": written["message_id"]})
    assert last(here)[0]["quoteToken"] == theirs
    await here.sent(reply_to={"message_id": first["message_id"]})  # what the account itself has sent
    assert last(here)[0]["quoteToken"] not in ("", theirs)
    await here.sent(reply_to={"reply_token": again["reply_token"]})
    await here.sent({"type": "text"}, provider_data={
        "sticker": {"packageId": "446", "stickerId": "1988"}, "quote_token": theirs
    })  # fmt: skip
    assert last(here) == [{"type": "sticker", "packageId": "446", "stickerId": "1988", "quoteToken": theirs}]
    unknown = await here.send(reply_to={"message_id": "123"})
    assert unknown.json()["error"]["reason"] == "quoted_message_unknown"
    picture = await here.send({"type": "image", "url": PICTURE}, reply_to={"reply_token": token})
    assert (picture.status_code, picture.json()["error"]["reason"]) == (400, "quote_not_possible")


@pytest.mark.parametrize(
    ("data", "text", "expected"),
    [
        (
            {"flex": {"altText": "a menu", "contents": BUBBLE}},
            "",
            {"type": "flex", "altText": "a menu", "contents": BUBBLE},
        ),
        ({"flex": {"contents": BUBBLE}}, "a menu", {"type": "flex", "altText": "a menu", "contents": BUBBLE}),
        (
            {"template": {"template": {"type": "confirm", "text": "?", "actions": [ACTION, ACTION]}}},
            "sure?",
            {
                "type": "template",
                "altText": "sure?",
                "template": {"type": "confirm", "text": "?", "actions": [ACTION, ACTION]},
            },
        ),
        (
            {"location": {"title": "Shop", "address": "Road 1", "latitude": 1.5, "longitude": 103}},
            "",
            {"type": "location", "title": "Shop", "address": "Road 1", "latitude": 1.5, "longitude": 103},
        ),
        (
            {
                "imagemap": {
                    "baseUrl": "https://shop.example/map",
                    "baseSize": {"width": 1040, "height": 1040},
                    "actions": [],
                }
            },
            "a map",
            {
                "type": "imagemap",
                "altText": "a map",
                "baseUrl": "https://shop.example/map",
                "baseSize": {"width": 1040, "height": 1040},
                "actions": [],
            },
        ),
        ({"coupon": {"couponId": "01JYNW8JM"}}, "", {"type": "coupon", "couponId": "01JYNW8JM"}),
        (
            {"quick_reply": {"items": [{"action": ACTION}]}, "sender": {"name": "Mei"}},
            "yes?",
            {
                "type": "text",
                "text": "yes?",
                "quickReply": {"items": [{"type": "action", "action": ACTION}]},
                "sender": {"name": "Mei"},
            },
        ),
        (
            {"emojis": [{"index": 0, "productId": "5ac", "emojiId": "001"}]},
            "$ hi",
            {"type": "text", "text": "$ hi", "emojis": [{"index": 0, "productId": "5ac", "emojiId": "001"}]},
        ),
    ],
    ids=["flex", "alt text", "template", "location", "imagemap", "coupon", "options", "emojis"],
)
async def test_contents(here: World, data: dict[str, Any], text: str, expected: dict[str, Any]) -> None:
    await here.sent({"type": "text", "text": text}, provider_data=data)
    assert last(here) == [expected]


async def test_mentions_in_a_group(here: World) -> None:
    text = f"{{{{@{MEI}}}}} it is {{ready}}, {{{{@{MEI}}}}}"
    await here.sent({"type": "text", "text": text}, to=TEAM, mentions=[{"id": MEI}])
    mention = {"type": "mention", "mentionee": {"type": "user", "userId": MEI}}
    assert last(here) == [
        {"type": "textV2", "text": "{m0} it is {{ready}}, {m0}", "substitution": {"m0": mention}}
    ]
    refused = await here.send({"type": "text", "text": text}, mentions=[{"id": MEI}])
    assert (refused.status_code, refused.json()["error"]["reason"]) == (400, "mentions_not_possible")


async def test_a_rich_menu_is_linked_before_its_message(here: World) -> None:
    await here.sent(provider_data={"rich_menu": MENU})
    assert here.channel.users[MEI].menu == MENU
    await here.sent(provider_data={"rich_menu": ""})
    assert here.channel.users[MEI].menu == ""
    await here.order("faults", {"kind": "error_500", "method": "link_menu"})
    failed = await here.send(provider_data={"rich_menu": MENU})
    assert failed.json()["error"]["outcome"] == "not_sent"
    assert len(here.line.sent()) == 2


async def test_units_of_statistics_are_of_pushes(here: World) -> None:
    await here.sent(provider_data={"custom_aggregation_units": ["spring"], "notification_disabled": True})
    assert [message["by"] for message in here.line.sent()] == ["push"]


async def test_reading_and_typing(here: World) -> None:
    first, second = await here.write("one"), await here.write("two")
    path = here.path("conversations/read")
    assert await here.api.data("POST", path, {"conversation_id": MEI}) == {"ok": True}
    named = {
        "conversation_id": MEI,
        "up_to_message_id": first["message_id"],
        "up_to_message_sender_id": MEI,
    }
    await here.api.data("POST", path, named)
    assert list(here.channel.read) == [second["message_id"], first["message_id"]]
    nobody = await here.api("POST", path, {"conversation_id": id_of("U", "nobody")})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (404, "conversation_not_found")

    typing = here.path("conversations/typing")
    await here.api.data("POST", typing, {"conversation_id": MEI})
    assert list(here.channel.loading) == [MEI]
    group = await here.api("POST", typing, {"conversation_id": TEAM})
    assert not group.is_success


async def test_people_and_groups(here: World) -> None:
    await here.write("me too", group="team", **{"from": "Ben"})
    ben = id_of("U", "Ben")
    contact = await here.api.data("GET", here.path(f"contacts/info?contact_id={MEI}"))
    assert (contact["display_name"], contact["extra"]["language"]) == ("User Mei", "en")
    missing = await here.api("GET", here.path(f"contacts/info?contact_id={id_of('U', 'x')}"))
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "contact_not_found")
    page = await here.api.data("GET", here.path("contacts?limit=1"))
    assert len(page["items"]) == 1
    rest = await here.api.data("GET", here.path(f"contacts?limit=1&cursor={page['next_cursor']}"))
    assert {c["id"] for c in page["items"] + rest["items"]} == {MEI, ben}

    group = await here.api.data("GET", here.path(f"groups/info?group_id={TEAM}"))
    assert (group["name"], group["member_count"]) == ("Group team", 2)
    shown = await here.api.data("GET", here.path(f"conversations/info?conversation_id={TEAM}"))
    assert (shown["title"], shown["type"], shown["members_count"]) == ("Group team", "group", 2)
    members = await here.api.data("GET", here.path(f"conversations/members?conversation_id={TEAM}"))
    assert {m["peer_id"]: m["display_name"] for m in members["items"]} == {MEI: "User Mei", ben: "User Ben"}
    chat = await here.api.data("GET", here.path(f"conversations/info?conversation_id={MEI}"))
    assert (chat["title"], chat["type"]) == ("User Mei", "user")

    room = id_of("R", "old")
    await here.write("from a room", room="old")
    found = await here.api.data("GET", here.path(f"groups/info?group_id={room}"))
    assert (found["name"], found["member_count"]) == ("", 1)
    for chat_id in (TEAM, room):
        await here.api.data("POST", here.path("groups/leave"), {"group_id": chat_id})
        again = await here.api("POST", here.path("groups/leave"), {"group_id": chat_id})
        assert (again.status_code, again.json()["error"]["code"]) == (404, "group_not_found")
        assert (await here.send(to=chat_id)).status_code in (404, 500)
