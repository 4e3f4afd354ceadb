"""Every type of event and of message that the Messaging API's documentation has.

`line_documentation.json` lists them, with the documentation's version and an example of each. What is missing
in a table of the parser, or in the tables here, fails.
"""

import copy
import json
from typing import Any

import pytest

from tests.providers.documentation import LINE
from tests.providers.test_keys import changed, leaves
from unifyport.model.event import EventType
from unifyport.model.inbound import Unparsed
from unifyport.model.normalize import Standard, normalize
from unifyport.providers.contract.ingress import Addressed
from unifyport.providers.line.messaging.events import EVENTS as TABLE
from unifyport.providers.line.messaging.kinds import KINDS
from unifyport.providers.line.messaging.parse import parse_webhook

EVENTS, MESSAGES, VARIANTS = LINE["event"], LINE["message"], LINE["variant"]
BOT, AT = "U53387d54817bf1d42d6ac32aab4a0b5e", 1_780_790_400_000
USER, OTHER = "U206d25c2ea6bd87c17655609a1c37cb8", "U4af49806292e2d0a3f4e0a6d1f8f1c21"
GROUP = "Ca56f94637cc4347f90a25382909b24b9"
PLACE = {
    "latitude": 35.67966,
    "longitude": 139.73669,
    "name": "my location",
    "address": "1-3 Kioicho, Chiyoda-ku, Tokyo",
}
SET = "E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A56BC236F13A91855"
EXTERNAL = {"url": "https://shop.example/a.jpg", "preview_url": "https://shop.example/p.jpg"}
STICKER = {"package_id": "446", "sticker_id": "1988", "resource_type": "ANIMATION"}
# kind, or variant of one -> type, text, typed fields
CONTENT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "text": ("text", "@Mei look $ 😀!", {"reply_to_message_id": "468789532432007169"}),
    "image": ("image", "", {"media_group_id": SET, "image_set": {"index": 1, "total": 2}}),
    "video": ("video", "", {}),
    "audio": ("audio", "", {}),
    "file": ("document", "", {}),
    "location": (
        "location",
        "my location\n1-3 Kioicho, Chiyoda-ku, Tokyo\n35.679660,139.736690",
        {"location": PLACE},
    ),
    "sticker": ("sticker", "cony", {"sticker": {**STICKER, "keywords": ["cony", "sally"]}}),
    "image external": ("image", "https://shop.example/a.jpg", {"external_content": EXTERNAL}),
    "message sticker": (
        "sticker",
        "Let's hang out",
        {
            "reply_to_message_id": "468789532432007169",
            "sticker": {
                "package_id": "14846",
                "sticker_id": "32994",
                "resource_type": "MESSAGE",
                "keywords": ["cony"],
            },
        },
    ),
}
FILES: dict[str, dict[str, Any]] = {
    "image": {"type": "image"},
    "video": {"type": "video", "duration_ms": 60000},
    "audio": {"type": "audio", "duration_ms": 61000},
    "file": {"type": "document", "title": "file.txt", "size": 2138},
}
# type of event -> standard event; None: `provider.event` under its name, or under another one
STANDARD: dict[str, str | None] = {
    "message": "message.received",
    "messageEdited": "message.updated",
    "unsend": "message.deleted",
    "postback": "message.received",
    "join": "group.updated",
    "leave": "group.updated",
    "memberJoined": "group.updated",
    "memberLeft": "group.updated",
    **dict.fromkeys(
        "follow unfollow videoPlayComplete beacon accountLink membership module activated deactivated"
        " botSuspended botResumed delivery".split()
    ),
}
NAMES = {"unfollow": "contact_blocked", "videoPlayComplete": "played"}


def webhook(*events: Any) -> list[Addressed]:
    return list(parse_webhook(json.dumps({"destination": BOT, "events": events}).encode(), "1656789012"))


def one(event: Any) -> Standard:
    [addressed] = webhook(event)
    assert not isinstance(addressed.event, Unparsed), addressed.event.reason
    assert (addressed.identity, addressed.at) == ("1656789012", AT)
    [standard] = normalize(addressed.event)
    return standard


def of(message: Any, **more: Any) -> Any:
    return {**EVENTS["message"], "message": message, **more}


def state_of(event: Any) -> dict[str, Any]:
    [addressed] = webhook(event)
    return {f"{c.name} {c.key.decode()}": json.loads(c.value or b"null") for c in addressed.state}


def test_all_that_is_documented_is_in_the_tables() -> None:
    assert LINE["version"].endswith("line-bot-sdk 3.27.0")
    assert set(KINDS) == set(MESSAGES)
    assert set(CONTENT) == set(MESSAGES) | set(VARIANTS)
    assert set(STANDARD) == set(EVENTS)
    assert set(TABLE) <= set(EVENTS)


@pytest.mark.parametrize("kind", CONTENT)
def test_kinds_of_messages(kind: str) -> None:
    type_, text, fields = CONTENT[kind]
    message = {**MESSAGES, **VARIANTS}[kind]
    standard = one(of(message))
    found = standard.data["message"]
    assert standard.type == EventType.MESSAGE_RECEIVED
    assert (found["type"], found["kind"], found["text"]) == (type_, message["type"], text)
    assert (found["id"], found["direction"]) == (message["id"], "inbound")
    known = {"id", "type", "kind", "text", "direction", "sent_at", "attachments", "entities"}
    assert {name: value for name, value in found.items() if name not in known} == fields
    [attachment] = found.get("attachments", [None])
    metadata = {"provider_file_id": message["id"], "is_big_file": True}  # no link is made here
    assert attachment == ({**FILES[kind], "metadata": metadata} if kind in FILES else None)
    assert standard.data["sender"]["id"] == standard.conversation_id == USER
    assert standard.provider_data is not None
    assert standard.provider_data.redacted == ["replyToken", "message.markAsReadToken"]
    assert "30yhdy232" not in json.dumps([standard.data, standard.provider_data.item])


def test_emojis_and_mentions_count_in_code_points() -> None:
    message = copy.deepcopy(MESSAGES["text"])
    message["text"] = "😀 @Mei $"
    message["mention"]["mentionees"] = [{"index": 3, "length": 4, "type": "user", "userId": OTHER}]
    message["emojis"][0]["index"] = 8
    entities = one(of(message)).data["message"]["entities"]
    assert [message["text"][e["offset"] : e["offset"] + e["length"]] for e in entities] == ["$", "@Mei"]
    assert entities[0]["emoji_id"] == "001"
    assert entities[1] == {"type": "text_mention", "offset": 2, "length": 4, "user": {"id": OTHER}}
    message["mention"]["mentionees"] = [{"index": 0, "length": 2, "type": "user", "isSelf": True}]
    assert one(of(message)).data["message"]["entities"][1]["is_self"] is True


@pytest.mark.parametrize("name", EVENTS)
def test_types_of_events(name: str) -> None:
    standard = one(EVENTS[name])
    assert str(standard.type) == (STANDARD[name] or "provider.event")
    if STANDARD[name] is None:
        assert standard.data["event"]["name"] == NAMES.get(name, name)
    assert standard.occurred_at == AT
    assert standard.provider_data is not None
    expected = copy.deepcopy(EVENTS[name])
    expected.pop("replyToken", None)
    expected.get("message", {}).pop("markAsReadToken", None)
    assert standard.provider_data.item == expected


def test_what_the_events_say() -> None:
    edited = one(EVENTS["messageEdited"])
    assert (edited.data["message"]["id"], edited.data["message"]["text"]) == ("325708", "Hello, edited world")
    assert (edited.conversation_id, edited.data["sender"]["id"]) == (GROUP, USER)
    assert one(EVENTS["unsend"]).data["message"] == {"id": "325708"}
    pressed = one(EVENTS["postback"]).data["message"]
    assert (pressed["id"], pressed["kind"]) == (EVENTS["postback"]["webhookEventId"], "postback")
    assert pressed["button"] == {"id": "storeId=12345", "title": "2026-12-25T01:00"}
    assert pressed["postback_params"] == {"datetime": "2026-12-25T01:00"}
    came = one(EVENTS["memberJoined"]).data
    assert came["changes"] == [{"kind": "member_added", "member_ids": [USER, OTHER]}]
    went = one(EVENTS["memberLeft"]).data
    assert (went["changes"], went["actor"]) == (
        [{"kind": "member_removed", "member_ids": [USER]}],
        {"id": USER},
    )
    assert one(EVENTS["leave"]).data["changes"] == [{"kind": "member_removed", "member_ids": [BOT]}]
    assert one(EVENTS["follow"]).data["event"]["is_unblocked"] is True
    assert one(EVENTS["videoPlayComplete"]).data["event"]["tracking_id"] == "track-id"


def test_who_is_not_named_is_the_chat() -> None:
    source = {"type": "room", "roomId": "R" + "1" * 32}
    standard = one(of(MESSAGES["text"], source=source))
    assert standard.data["conversation"]["type"] == "group"
    assert standard.data["sender"]["id"] == standard.conversation_id == source["roomId"]


def test_another_channel_answers_what_comes_on_standby() -> None:
    standard = one(of(MESSAGES["text"], mode="standby"))
    assert standard.data["event"]["name"] == "standby"
    assert standard.data["message"]["text"] == "@Mei look $ 😀!"
    assert state_of(of(MESSAGES["text"], mode="standby")) == {}


def test_what_no_table_has_is_kept_and_reported() -> None:
    hologram = {"id": "1", "type": "hologram", "depth": 3}
    found = one(of(hologram))
    assert found.data["message"]["text"] == "[unsupported: hologram]"
    assert found.provider_data is not None
    assert found.provider_data.item["message"] == hologram
    [addressed] = webhook({**EVENTS["follow"], "type": "hologram"})
    [standard] = normalize(addressed.event)
    assert standard.data["event"]["name"] == "hologram"


def test_the_tokens_of_an_event_are_kept_apart() -> None:
    message = MESSAGES["text"]
    period = AT // (30 * 86_400_000)
    assert state_of(EVENTS["message"]) == {
        f"line.reply {USER}": ["nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", AT, False],
        f"line.read {USER}": "30yhdy232",
        f"line.message.{period} {message['id']}": ["q3Plxr4AgKdQ", "30yhdy232"],
    }
    again = {**EVENTS["message"], "deliveryContext": {"isRedelivery": True}, "replyToken": "new"}
    assert state_of(again)[f"line.reply {USER}"] == ["new", AT, True]
    assert webhook(again)[0].event.key == webhook(EVENTS["message"])[0].event.key
    assert state_of(EVENTS["unfollow"]) == {f"line.gone {USER}": AT}
    assert state_of(EVENTS["leave"]) == {f"line.gone {GROUP}": AT}
    assert state_of(EVENTS["follow"])[f"line.back {USER}"] == AT
    assert state_of({**EVENTS["message"], "replyToken": "x" * 9000}).keys() == {
        f"line.read {USER}",
        f"line.message.{period} {message['id']}",
    }


@pytest.mark.parametrize("name", EVENTS)
def test_distinct_facts_have_distinct_keys(name: str) -> None:
    """An event is told apart by its id; without one by all that it says, but not by how it is delivered."""

    def key(event: Any, destination: str = BOT) -> bytes:
        body = json.dumps({"destination": destination, "events": [event]}).encode()
        [addressed] = parse_webhook(body, "1")
        return addressed.event.key

    example = EVENTS[name]
    assert key(example) == key(example) != key(example, OTHER)
    without = {field: value for field, value in example.items() if field != "webhookEventId"}
    for path in leaves(example):
        assert (key(changed(example, path)) == key(example)) is (path != ("webhookEventId",)), path
        if path == ("webhookEventId",):
            continue
        other = changed(without, path)
        delivered = path[0] in ("replyToken", "deliveryContext")
        assert (key(other) == key(without)) is delivered, path
