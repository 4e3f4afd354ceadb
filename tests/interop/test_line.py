"""line-bot-sdk, which this project did not write: its models read our requests, its parser our webhooks,
and a bot of it works behind our sandbox.
"""

import base64
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import free_port, sandbox
from tests.line_world import CHANNEL, CHANNEL_SECRET, MEI, TEAM, World, line_of, order_line, world
from tests.providers.documentation import LINE
from unifyport.providers.line.messaging.parse import parse_webhook
from unifyport.providers.line.messaging.signature import sign
from unifyport.sandbox.line.state import id_of

from . import peers

pytestmark = pytest.mark.interop
HERE = Path(__file__).parent / "python"
REQUIREMENTS = HERE / "line.in"
BUBBLE = {
    "type": "bubble",
    "body": {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "hi", "wrap": True}]},
}
AREA = {"x": 0, "y": 0, "width": 520, "height": 1040}
ACTION = {"type": "postback", "label": "Yes", "data": "yes", "displayText": "yes"}
LOOK = {"type": "buttons", "title": "?", "text": "look", "actions": [ACTION]}
SENDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "text", "text": "a reply"}, {}),
    ({"type": "text", "text": "a push"}, {}),
    ({"type": "text", "text": "x"}, {"quick_reply": {"items": [{"action": ACTION}]}}),
    ({"type": "text", "text": "x"}, {"sender": {"name": "Mei", "iconUrl": "https://shop.example/i.png"}}),
    ({"type": "text", "text": "$"}, {"emojis": [{"index": 0, "productId": "5ac1bfd5", "emojiId": "001"}]}),
    ({"type": "text", "text": "x"}, {"notification_disabled": True, "custom_aggregation_units": ["spring"]}),
    ({"type": "text"}, {"sticker": {"packageId": "446", "stickerId": "1988"}}),
    ({"type": "text"}, {"flex": {"altText": "a menu", "contents": BUBBLE}}),
    ({"type": "text", "text": "a menu"}, {"flex": {"contents": {"type": "carousel", "contents": [BUBBLE]}}}),
    ({"type": "text", "text": "look"}, {"template": {"template": LOOK}}),
    ({"type": "text"}, {"location": {"title": "a", "address": "b", "latitude": 1.5, "longitude": 103.2}}),
    ({"type": "text"}, {"coupon": {"couponId": "01JYNW8JM", "deliveryTag": "t"}}),
    (
        {"type": "text", "text": "a map"},
        {
            "imagemap": {
                "baseUrl": "https://shop.example/map",
                "baseSize": {"width": 1040, "height": 1040},
                "actions": [
                    {"type": "uri", "linkUri": "https://shop.example", "area": AREA}
                ],
            }
        },
    ),
    ({"type": "image", "url": "https://shop.example/a.jpg", "caption": "look"}, {}),
    (
        {"type": "video", "url": "https://shop.example/a.mp4"},
        {"preview_image_url": "https://shop.example/p.jpg", "tracking_id": "t"},
    ),
    ({"type": "audio", "url": "https://shop.example/a.m4a"}, {"duration": 1000}),
]  # fmt: skip


def judge(tmp_path: Path, requests: list[Any], webhooks: list[Any]) -> Any:
    path = tmp_path / "asked.json"
    path.write_text(json.dumps({"requests": requests, "webhooks": webhooks}))
    command = [str(peers.python(REQUIREMENTS)), str(HERE / "line_judge.py"), CHANNEL_SECRET, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


async def test_its_models_read_our_requests_whole(here: World, tmp_path: Path) -> None:
    """Nothing that we send is unknown to them, of another type, or missing."""
    written = await here.write("hello")
    for message, data in SENDS:
        await here.sent(message, provider_data=data)
    await here.sent(reply_to={"message_id": written["message_id"]})
    await here.write("hello", group="team")
    mention = {"type": "text", "text": f"{{{{@{MEI}}}}} {{ready}}"}
    await here.sent(mention, to=TEAM, mentions=[{"id": MEI}])
    requests = [list(each) for each in here.channel.requests]
    assert [how for how, _ in requests].count("reply") == 2
    requests += [
        ["mark_as_read", {"markAsReadToken": "r"}],
        ["loading", {"chatId": MEI, "loadingSeconds": 20}],
        ["set_webhook", {"endpoint": here.account["ingress_url"]}],
    ]
    read = judge(tmp_path, requests, [])["requests"]
    for (how, body), found in zip(requests, read, strict=True):
        if how in ("push", "reply"):
            body.setdefault("notificationDisabled", False)  # their default
        assert found == body


async def test_its_parser_reads_what_our_sandbox_sends_and_what_we_read(tmp_path: Path) -> None:
    messages = [
        {**LINE["event"]["message"], "message": message}
        for message in (*LINE["message"].values(), *LINE["variant"].values())
    ]
    events = [*LINE["event"].values(), *messages]
    bodies = [json.dumps({"destination": id_of("U", "bot"), "events": [event]}) for event in events]
    webhooks = [[body, sign(CHANNEL_SECRET, body.encode())] for body in bodies]
    webhooks.append([bodies[0], sign("another secret", bodies[0].encode())])
    *read, refused = judge(tmp_path, [], webhooks)["webhooks"]
    assert refused == {"error": "signature"}
    for event, body, found in zip(events, bodies, read, strict=True):
        [theirs] = found["events"]
        assert (theirs["type"], theirs["known"], theirs["id"]) == (
            event["type"],
            True,
            event["webhookEventId"],
        )
        assert theirs["message"] == event.get("message", {}).get("type")
        [ours] = parse_webhook(body.encode(), CHANNEL)
        assert type(ours.event).__name__ != "Unparsed"
        assert without_defaults(theirs["event"]) == without_defaults(event)


def without_defaults(value: Any) -> Any:
    """Their models write what is absent as its default."""
    if isinstance(value, dict):
        kept = {name: without_defaults(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in (None, False, {})}
    return [without_defaults(inner) for inner in value] if isinstance(value, list) else value


async def test_a_bot_of_it_works_behind_our_sandbox() -> None:
    async with sandbox() as platform:
        port, base = free_port(), platform.sandbox.endpoints["line"]["api_url"]
        console = {"channel_id": CHANNEL, "channel_secret": CHANNEL_SECRET}
        await order_line(platform, "webhooks", console)
        arguments = (base, CHANNEL, CHANNEL_SECRET, f"line-token-{CHANNEL}", str(port))
        async with peers.Peer(str(peers.python(REQUIREMENTS)), str(HERE / "line_bot.py"), *arguments) as bot:
            ready = await bot.line()
            channel = line_of(platform).channels[CHANNEL]
            assert (ready["bot"], ready["endpoint"]) == (channel.bot, f"http://127.0.0.1:{port}/hook")
            written = await order_line(platform, "messages", {"text": "สวัสดี 😀", "from": "Mei"})
            said = {line["kind"]: line for line in [await bot.line() for _ in range(5)]}
            assert (said["message"]["id"], said["message"]["text"], said["message"]["name"]) == (
                written["message_id"],
                "สวัสดี 😀",
                "User Mei",
            )
            assert list(channel.read) == [written["message_id"]]
            assert (said["refused"]["status"], said["refused"]["message"]) == (400, "Invalid reply token")
            assert (said["again"]["status"], said["again"]["id"]) == (409, said["push"]["id"])
            ids = [message["id"] for message in line_of(platform).sent()]
            assert ids == [said["reply"]["id"], said["push"]["id"]]
            media = {"type": "image", "content": base64.b64encode(b"x" * 5000).decode()}
            await order_line(platform, "messages", {"media": media})
            assert (await bot.line())["size"] == 5000
