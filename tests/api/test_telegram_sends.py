"""What a bot can do: messages of every kind with their options, and what is done to messages and chats."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.harness import (
    BOT,
    TOKEN,
    Client,
    Platform,
    Receiver,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from unifyport.sandbox.telegram.state import Bot

PACE_OFF = '\n[providers.telegram.pace]\naccount = "off"\nuser = "off"\ngroup = "off"\n'
GROUP = {"id": -100123, "type": "supergroup", "title": "Team", "is_forum": True}


@attrs.define
class World:
    platform: Platform
    api: Client
    inbox: Receiver
    account_id: str

    @property
    def bot(self) -> Bot:
        return self.platform.telegram.bots[TOKEN]

    async def send(self, to: str = "7", text: str = "", kind: str = "user", **more: Any) -> httpx.Response:
        message = more.pop("message", {"type": "text", "text": text})
        body = {"account_id": self.account_id, "to": {"id": to, "type": kind}, "message": message}
        return await self.api("POST", "/v1/messages", body | more)

    async def sent(self, *args: Any, **more: Any) -> dict[str, Any]:
        """Send, and see what the platform has."""
        answer = await self.send(*args, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = self.bot.sent[-1]
        return found

    async def refused(self, *args: Any, **more: Any) -> str:
        answer = await self.send(*args, **more)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"]["message"])

    async def act(self, verb: str, conversation_id: str = "7", **more: Any) -> httpx.Response:
        body = {"account_id": self.account_id, "conversation_id": conversation_id, **more}
        return await self.api("POST", f"/v1/messages/{verb}", body)

    def path(self, rest: str) -> str:
        return f"/v1/accounts/{self.account_id}/{rest}"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A bot to which customer 7 and a group have written."""
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config() + PACE_OFF
        local = 'media_allow = ["127.0.0.0/8"]'
        async with gateway(settings_of(tmp_path, more, security=local)) as api:
            await inbox.until(lambda: inbox.of("account.started"))
            await platform.write("hello", 7)
            await platform.write("hello all", 7, chat=GROUP)
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            yield World(platform, api, inbox, inbox.of("message.received")[0]["account_id"])


async def test_options_of_a_text(world: World) -> None:
    markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    seen = await world.sent(
        text="😀 hello",
        provider_data={
            "disable_notification": True,
            "protect_content": True,
            "reply_markup": markup,
            "entities": [{"type": "bold", "offset": 2, "length": 5}],
            "no_such_field": 1,
        },
    )
    assert (seen["has_protected_content"], seen["disable_notification"]) == (True, True)
    assert seen["reply_markup"] == markup
    assert seen["entities"] == [{"type": "bold", "offset": 3, "length": 5}]  # in UTF-16 units
    for thread in (5, "5"):
        there = await world.sent(
            str(GROUP["id"]), "in a topic", "group", provider_data={"message_thread_id": thread}
        )
        assert there["message_thread_id"] == 5


CONTENTS: list[tuple[str, Any, dict[str, Any]]] = [
    ("location", {"latitude": 1.3, "longitude": 103.8}, {"latitude": 1.3, "longitude": 103.8}),
    (
        "venue",
        {"latitude": 1.3, "longitude": 103.8, "title": "Shop", "address": "1 Road"},
        {"title": "Shop", "address": "1 Road"},
    ),
    (
        "poll",
        {"question": "Lunch?", "options": ["Rice", {"text": "Noodles"}], "is_anonymous": False},
        {"question": "Lunch?", "is_anonymous": False, "type": "regular"},
    ),
    ("dice", {"emoji": "🎯"}, {"emoji": "🎯"}),
    (
        "invoice",
        {
            "title": "Tea",
            "description": "A cup",
            "payload": "p",
            "currency": "XTR",
            "prices": [{"label": "Tea", "amount": 5}],
        },
        {"title": "Tea", "total_amount": 5},
    ),
]


@pytest.mark.parametrize(("field", "value", "shown"), CONTENTS, ids=[row[0] for row in CONTENTS])
async def test_contents(world: World, field: str, value: Any, shown: dict[str, Any]) -> None:
    seen = await world.sent(provider_data={field: value})
    assert {name: seen[field][name] for name in shown} == shown
    named = {"type": "text"}
    assert (await world.send(message=named, provider_data={field: value})).status_code == 200
    assert "no place for message.text" in await world.refused(text="x", provider_data={field: value})
    assert "has no" in await world.refused(provider_data={field: {**value, "wrong": 1}})


async def test_an_album(world: World) -> None:
    album = [{"type": "photo", "media": f"https://files.example/{n}.jpg"} for n in range(3)]
    answer = await world.send(text="three", provider_data={"album": album})
    assert answer.status_code == 200, answer.text
    messages = [*world.bot.sent][-3:]
    assert {message["media_group_id"] for message in messages} == {messages[0]["media_group_id"]}
    assert messages[0]["caption"] == "three"
    data = answer.json()["data"]
    ids = [str(message["message_id"]) for message in messages]
    assert (data["message_id"], data["provider_ref"]) == (ids[0], ",".join(ids))
    for wrong in (album[:1], [*album, {"type": "audio", "media": "x"}], [{"type": "photo"}] * 2):
        assert "album" in await world.refused(provider_data={"album": wrong})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"disable_notification": "yes"}, "must be: boolean"),
    ({"poll": {"question": "?"}}, "needs options"),
    ({"poll": {"question": "?", "options": []}}, "poll.options"),
    ({"poll": {"question": "?", "options": ["a"]}, "dice": {}}, "there is poll, too"),
    ({"location": {"latitude": 91, "longitude": 0}}, "provider_data.location.latitude:"),
    ({"location": {"latitude": True, "longitude": 0}}, "provider_data.location.latitude:"),
    (
        {"venue": {"latitude": 1, "longitude": 181, "title": "a", "address": "b"}},
        "provider_data.venue.longitude:",
    ),
    ({"checklist": {"title": "x", "tasks": ["y"]}}, "business connection"),
    ({"entities": [{"type": "bold", "offset": 4, "length": 2}]}, "provider_data.entities[0]:"),
    ({"entities": [{"offset": 0, "length": 2}]}, "provider_data.entities[0]:"),
    ({"parse_mode": "HTML", "entities": [{"type": "bold", "offset": 0, "length": 1}]}, "parse_mode"),
    ({"has_spoiler": True}, "no effect"),
    ({"reply_markup": {}}, "reply_markup"),
    (
        {"reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "x" * 65}]]}},
        "provider_data.reply_markup.inline_keyboard[0][0].callback_data: must be 1 to 64 bytes",
    ),
    ({"reply_markup": {"keyboard": [["a", {"text": ""}]]}}, "provider_data.reply_markup.keyboard[0][1]:"),
    (
        {"reply_markup": {"inline_keyboard": [[{"text": "a"}]]}},
        "provider_data.reply_markup.inline_keyboard[0][0]:",
    ),
    (
        {"location": {"latitude": 1, "longitude": 2, "live_period": True}},
        "provider_data.location.live_period:",
    ),
    (
        {"venue": {"latitude": 1, "longitude": 2, "title": 5, "address": "b"}},
        "provider_data.venue.title: must be: string",
    ),
    (
        {"poll": {"question": "?", "options": ["a", "b"], "is_anonymous": 1}},
        "provider_data.poll.is_anonymous:",
    ),
    ({"rich_message": {}}, "provider_data.rich_message: needs one of"),
    ({"rich_message": {"html": "x", "markdown": "x"}}, "provider_data.rich_message: needs one of"),
    ({"reply_parameters": {"quote": "x"}}, "provider_data.reply_parameters.message_id:"),
    ({"reply_parameters": {"message_id": True}}, "provider_data.reply_parameters.message_id:"),
    ({"message_thread_id": "topic"}, "number"),
]


@pytest.mark.parametrize(("data", "words"), REFUSED, ids=[",".join(row[0]) for row in REFUSED])
async def test_what_telegram_would_refuse_is_not_sent(world: World, data: Any, words: str) -> None:
    text = "" if data.keys() & {"poll", "location", "venue", "checklist", "rich_message"} else "hello"
    assert words in await world.refused(text=text, provider_data=data)
    assert not world.bot.sent


async def test_replies(world: World) -> None:
    [first, _] = world.inbox.of("message.received")
    message = first["data"]["message"]
    for reply_to in (message["reply_token"], message["id"], {"message_id": message["id"]}):
        seen = await world.sent(text="yes", reply_to=reply_to)
        assert seen["reply_to_message"]["text"] == "hello"
    more = {"reply_to": message["id"], "provider_data": {"reply_parameters": {"quote": "ell"}}}
    assert (await world.sent(text="yes", **more))["quote"]["text"] == "ell"
    answer = await world.send(text="again", reply_to=message["id"])
    again = await world.sent(text="more", reply_to=answer.json()["data"]["reply_token"])
    assert again["reply_to_message"]["text"] == "again"
    for id_ in ("update:5", "4382bfdwdsb323b2d9", str(2**40)):
        assert "not the number of a message" in await world.refused(text="x", reply_to=id_)
    gone = await world.send(text="x", reply_to="999")
    assert (gone.status_code, gone.json()["error"]["outcome"]) == (500, "rejected")


async def test_files_as_stickers_and_notes_with_their_fields(world: World) -> None:
    upload = await world.api("POST", "/v1/media", files={"file": ("a.webp", b"RIFF", "image/webp")})
    key = upload.json()["data"]["file_key"]
    sticker = {"type": "image", "file_key": key}
    seen = await world.sent(message=sticker, provider_data={"send_as": "sticker", "emoji": "🙂"})
    assert (seen["sticker"]["type"], seen["sticker"]["width"], seen["sticker"]["emoji"]) == (
        "regular",
        512,
        "🙂",
    )
    video = {"type": "video", "file_key": key, "caption": "look"}
    seen = await world.sent(message=video, provider_data={"width": 640, "height": 480, "has_spoiler": True})
    assert (seen["video"]["width"], seen["video"]["duration"], seen["has_spoiler"]) == (640, 3, "true")
    seen = await world.sent(message={**video, "caption": None}, provider_data={"send_as": "video_note"})
    assert seen["video_note"]["length"] == 240
    assert "no caption" in await world.refused(message=video, provider_data={"send_as": "video_note"})
    assert "send_as" in await world.refused(message=video, provider_data={"send_as": "poem"})
    assert "of its own" in await world.refused(message=video, provider_data={"dice": {}})


async def test_edit_revoke_react_pin(world: World) -> None:
    await world.send(text="one")
    number = world.bot.sent[-1]["message_id"]
    message = world.bot.messages[7, number]
    for _ in range(2):  # "not modified" is what was asked for
        assert (await world.act("edit", message_id=str(number), content="two")).status_code == 200
    assert message["text"] == "two"
    assert (await world.act("reaction", message_id=str(number), emoji="👍")).status_code == 200
    assert world.bot.reactions[7, number] == [{"type": "emoji", "emoji": "👍"}]
    assert (await world.act("reaction", message_id=str(number), emoji="")).status_code == 200
    assert world.bot.reactions[7, number] == []
    wrong = await world.act("reaction", message_id=str(number), emoji="🦖")
    assert wrong.json()["error"]["outcome"] == "rejected"
    assert (await world.act("pin", message_id=str(number), pinned=True)).status_code == 200
    assert world.bot.pinned == {(7, number)}
    assert (await world.act("pin", message_id=str(number), pinned=False)).status_code == 200
    assert not world.bot.pinned
    ending = await world.act("pin", message_id=str(number), pinned=True, duration_seconds=60)
    assert "duration_seconds" in ending.json()["error"]["message"]
    assert (await world.act("revoke", message_id=str(number))).status_code == 200
    assert (7, number) not in world.bot.messages
    assert (await world.act("revoke", message_id=str(number))).json()["error"]["outcome"] == "rejected"
    unknown = await world.act("edit", "999", message_id="1", content="x")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "conversation_not_found")


async def test_the_caption_of_a_file_is_edited(world: World) -> None:
    upload = await world.api("POST", "/v1/media", files={"file": ("a.jpg", b"x", "image/jpeg")})
    image = {"type": "image", "file_key": upload.json()["data"]["file_key"], "caption": "old"}
    await world.sent(message=image)
    number = world.bot.sent[-1]["message_id"]
    assert (await world.act("edit", message_id=str(number), content="new")).status_code == 200
    assert world.bot.messages[7, number]["caption"] == "new"


async def test_chats_their_members_and_leaving(world: World) -> None:
    api, group = world.api, str(GROUP["id"])
    chat = await api.data("GET", world.path(f"conversations/info?conversation_id={group}"))
    assert (chat["title"], chat["type"], chat["members_count"]) == ("Team", "group", 2)
    assert chat["extra"] == {"is_forum": True}
    person = await api.data("GET", world.path("conversations/info?conversation_id=7"))
    assert (person["title"], person["type"]) == ("Customer 7", "user")
    members = await api.data("GET", world.path(f"conversations/members?conversation_id={group}"))
    assert [(m["peer_id"], m["role"]) for m in members["items"]] == [("1", "owner")]
    members = await api.data("GET", world.path("conversations/members?conversation_id=7"))
    assert [m["peer_id"] for m in members["items"]] == ["7"]
    nobody = await api("GET", world.path("conversations/info?conversation_id=99"))
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (404, "conversation_not_found")
    assert (await api.data("GET", world.path(f"groups/info?group_id={group}")))["member_count"] == 2
    for id_ in ("7", "99"):
        no_group = await api("GET", world.path(f"groups/info?group_id={id_}"))
        assert (no_group.status_code, no_group.json()["error"]["code"]) == (404, "group_not_found")
    await api.data("POST", world.path("conversations/typing"), {"conversation_id": "7"})
    assert world.bot.actions[-1] == ("sendchataction", {"chat_id": 7, "action": "typing"})
    await api.data("POST", world.path("groups/leave"), {"group_id": group})
    after = await world.send(group, "still here?", "group")
    assert (after.status_code, after.json()["error"]["outcome"]) == (500, "rejected")


async def test_join_requests_are_decided(world: World) -> None:
    request = {
        "chat": GROUP,
        "from": {"id": 8, "is_bot": False, "first_name": "Ada"},
        "user_chat_id": 8,
        "date": 1_790_000_000,
    }
    await world.platform.post("updates", {"to": BOT, "update": {"chat_join_request": request}})
    await world.inbox.until(lambda: world.inbox.of("group.join_request"))
    body = {"group_id": str(GROUP["id"]), "action": "approve", "member_ids": ["8"]}
    await world.api.data("POST", world.path("groups/join-requests/update"), body)
    assert not world.bot.join_requests


async def test_chats_of_a_business_connection(world: World) -> None:
    written = await world.platform.write("hi", 7, business_connection_id="BC1")
    await world.inbox.until(lambda: len(world.inbox.of("message.received")) == 3)
    chat = world.inbox.of("message.received")[-1]["data"]["conversation"]["id"]
    assert chat == "business:BC1:7"
    seen = await world.sent(chat, provider_data={"checklist": {"title": "Pack", "tasks": ["Tea", "Milk"]}})
    assert [task["text"] for task in seen["checklist"]["tasks"]] == ["Tea", "Milk"]
    await world.api.data("POST", world.path("conversations/read"), {"conversation_id": chat})
    read = ("readbusinessmessage", int(written["message_id"]))
    assert (world.bot.actions[-1][0], world.bot.actions[-1][1]["message_id"]) == read
    plain = await world.api("POST", world.path("conversations/read"), {"conversation_id": "7"})
    assert "business connection only" in plain.json()["error"]["message"]
    number = str(seen["message_id"])
    assert (await world.act("revoke", chat, message_id=number)).status_code == 200
    assert world.bot.actions[-1][0] == "deletebusinessmessages"


def pressed(message_id: int, query: str) -> dict[str, Any]:
    return {
        "id": query,
        "from": {"id": 7, "is_bot": False, "first_name": "Mei"},
        "chat_instance": "1",
        "data": "yes",
        "message": {
            "message_id": message_id,
            "date": 1_790_000_000,
            "chat": {"id": 7, "type": "private", "first_name": "Mei"},
            "text": "Sure?",
        },
    }


async def test_a_pressed_button_says_what_stands_on_it(world: World) -> None:
    markup = {"inline_keyboard": [[{"text": "Yes, please", "callback_data": "y:17"}]]}
    sent = await world.sent(text="Sure?", provider_data={"reply_markup": markup})
    await world.platform.post("messages", {"to": BOT, "from": 7, "press": "Yes, please"})
    await world.inbox.until(lambda: len(world.inbox.of("message.received")) == 3)
    event = world.inbox.of("message.received")[-1]
    message = event["data"]["message"]
    assert event["text"] == message["text"] == "Yes, please"
    assert message["button"] == {"id": "y:17", "title": "Yes, please"}
    assert message["reply_to_message_id"] == str(sent["message_id"])


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_a_pressed_button_is_answered_after_the_commit(tmp_path: Path, receive: str) -> None:
    async with sandbox() as platform, receiver() as inbox:
        how = account() + f'receive = "{receive}"\n'
        more = how + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))):
            await inbox.until(lambda: inbox.of("account.started"))
            await platform.write("hello", 7)
            bot = platform.telegram.bots[TOKEN]
            for query in ("q1", "q2"):
                update = {"callback_query": pressed(1, query)}
                await platform.post("updates", {"to": BOT, "update": update})
            await inbox.until(lambda: len(inbox.of("message.received")) == 3)
            event = inbox.of("message.received")[1]
            assert event["data"]["message"]["button"]["id"] == "yes"
            with trio.fail_after(10):
                while bot.queries:
                    await trio.lowlevel.checkpoint()
            answered = [p for method, p in bot.actions if method == "answercallbackquery"]
            assert sorted(each["callback_query_id"] for each in answered) == ["q1", "q2"]
