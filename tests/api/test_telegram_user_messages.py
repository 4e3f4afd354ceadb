"""Messages of a personal account of Telegram, through the API and the sandbox's data centres."""

import base64
from pathlib import Path
from typing import Any

from tests.telegram_world import MEI, SHOP, TelegramWorld, telegram_world


async def _meet(world: TelegramWorld) -> str:
    """An account of the gateway and a customer who has written to it; the customer's id."""
    await world.link(SHOP, name="Shop")
    made = await world.do("account", phone=MEI, name="Mei", username="mei")
    await world.order("messages", **{"from": MEI, "to": SHOP, "text": "hello 😀"})
    await world.inbox.until(lambda: world.texts(SHOP) == ["hello 😀"])
    return str(made["id"])


async def _sent(world: TelegramWorld) -> list[dict[str, Any]]:
    return list((await world.platform.http.get("/sandbox/telegram-user/messages")).json())


async def test_texts_go_both_ways(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        event = world.received(SHOP)[0]
        assert event["data"]["conversation"]["id"] == mei
        assert event["data"]["sender"]["name"] == "Mei"
        assert event["data"]["provider_data"]["message"] == "hello 😀"
        answer = await world.send(SHOP, mei, "good day")
        assert answer.status_code == 200, answer.text
        again = await world.send(SHOP, "@mei", "by name")
        assert again.status_code == 200, again.text
        assert [each["text"] for each in await _sent(world)] == ["good day", "by name"]


async def test_a_text_with_a_parse_mode_a_quote_and_a_reply(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        first = world.received(SHOP)[0]["data"]["message"]["id"]
        message = {"type": "text", "text": "see *this* [page](https://example.com/)"}
        data = {"parse_mode": "MarkdownV2", "reply_parameters": {"quote": "hello"}}
        answer = await world.send(SHOP, mei, message=message, reply_to=first, provider_data=data)
        assert answer.status_code == 200, answer.text
        person = world.user_platform.customers.person(MEI)
        [post] = [each for each in person.posts.values() if each.text.startswith("see")]
        assert post.text == "see this page"
        assert [type(each).__name__ for each in post.entities] == [
            "MessageEntityBold",
            "MessageEntityTextUrl",
        ]
        assert post.reply_to is not None
        assert post.reply_to.text == "hello 😀"


async def test_what_the_owner_sends_from_another_device_is_one_echo(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        await world.send(SHOP, mei, "ours")
        await world.order("messages", **{"from": SHOP, "to": MEI, "text": "from the phone"})
        await world.inbox.until(lambda: world.received(SHOP, "provider.event"))
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "last"})
        await world.inbox.until(lambda: "last" in world.texts(SHOP))
        [echo] = world.received(SHOP, "provider.event")
        assert echo["data"]["event"]["name"] == "message_echo"
        assert echo["data"]["message"]["text"] == "from the phone"
        assert echo["data"]["message"]["direction"] == "outbound"
        assert echo["data"]["conversation"]["id"] == mei


async def test_edits_deletions_reactions_and_read_marks_come(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        sent = (await world.send(SHOP, mei, "read me")).json()["data"]["message_id"]
        person = world.user_platform.customers.person(MEI)
        [mine] = [number for number, post in person.posts.items() if post.text == "hello 😀"]
        await world.do("edit", **{"from": MEI, "to": SHOP, "id": mine, "text": "hello again"})
        await world.inbox.until(lambda: world.received(SHOP, "message.updated"))
        await world.do("react", **{"from": MEI, "to": SHOP, "id": mine, "emoji": "👍"})
        await world.inbox.until(lambda: world.received(SHOP, "message.reaction"))
        await world.do("read", **{"from": MEI, "to": SHOP})
        await world.inbox.until(lambda: world.received(SHOP, "message.read"))
        await world.do("delete", **{"from": MEI, "to": SHOP, "id": mine})
        await world.inbox.until(lambda: world.received(SHOP, "message.deleted"))
        first = world.received(SHOP)[0]["data"]["message"]["id"]
        [edit] = world.received(SHOP, "message.updated")
        assert (edit["data"]["message"]["id"], edit["text"]) == (first, "hello again")
        [reaction] = world.received(SHOP, "message.reaction")
        assert reaction["data"]["conversation"]["id"] == mei
        assert "👍" in str(reaction["data"])
        [read] = world.received(SHOP, "message.read")
        assert read["data"]["message"]["id"] == sent
        [deleted] = world.received(SHOP, "message.deleted")
        assert deleted["data"]["conversation"]["id"] == mei
        assert deleted["data"]["message"]["id"] == first


async def test_files_go_both_ways(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        body = bytes(range(256)) * 5000  # three parts
        media = {"type": "document", "content": base64.b64encode(body).decode(), "filename": "a.bin", "dc": 4}
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "a file", "media": media})
        await world.inbox.until(lambda: "a file" in world.texts(SHOP))
        [attachment] = world.received(SHOP)[-1]["data"]["message"]["attachments"]
        assert attachment["title"] == "a.bin"
        got = await world.api.http.get(attachment["url"])
        assert got.content == body


async def test_files_are_uploaded_and_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        body = bytes(range(256)) * 3000
        made = await world.api.http.post("/v1/media", files={"file": ("a.ogg", body, "audio/ogg")})
        key = made.json()["data"]["file_key"]
        for kind in ("image", "video", "audio", "document"):
            message = {"type": kind, "file_key": key, "text": kind}
            answer = await world.send(SHOP, mei, message=message)
            assert answer.status_code == 200, answer.text
        voice = {"type": "audio", "file_key": key}
        answer = await world.send(SHOP, mei, message=voice, provider_data={"send_as": "voice", "duration": 3})
        assert answer.status_code == 200, answer.text
        person = world.user_platform.customers.person(MEI)
        sent = [post for post in person.posts.values() if post.media is not None]
        assert [type(post.media).__name__ for post in sent] == [
            "MessageMediaPhoto",
            *["MessageMediaDocument"] * 4,
        ]
        assert sent[-1].media.document.attributes[0].voice
        named = [getattr(post.media, "photo", None) or post.media.document for post in sent]
        files = world.user_platform.files.files
        assert [files[each.id].content == body for each in named] == [True] * 5


async def test_contents_of_other_kinds_are_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        contents = {
            "location": ({"latitude": 1.5, "longitude": 103.25}, "MessageMediaGeo"),
            "venue": (
                {"latitude": 1.5, "longitude": 103.25, "title": "Shop", "address": "Road 1"},
                "MessageMediaVenue",
            ),
            "dice": ({"emoji": "🎲"}, "MessageMediaDice"),
            "poll": ({"question": "Lunch?", "options": ["yes", "no"]}, "MessageMediaPoll"),
        }
        for name, (value, kind) in contents.items():
            answer = await world.send(SHOP, mei, message={"type": "text"}, provider_data={name: value})
            assert answer.status_code == 200, answer.text
            person = world.user_platform.customers.person(MEI)
            assert type(list(person.posts.values())[-1].media).__name__ == kind
        contact = {"type": "contact", "contacts": [{"name": "Tom", "phones": [{"number": "+6590000009"}]}]}
        answer = await world.send(SHOP, mei, message=contact)
        assert answer.status_code == 200, answer.text
        shown = list(world.user_platform.customers.person(MEI).posts.values())[-1].media
        assert (shown.first_name, shown.phone_number) == ("Tom", "+6590000009")


async def test_an_album_is_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        made = await world.api.http.post(
            "/v1/media", files={"file": ("a.jpg", b"\xff\xd8picture", "image/jpeg")}
        )
        key = made.json()["data"]["file_key"]
        album = [{"type": "photo", "file_key": key}, {"type": "photo", "file_key": key, "caption": "two"}]
        answer = await world.send(
            SHOP, mei, message={"type": "text", "text": "one"}, provider_data={"album": album}
        )
        assert answer.status_code == 200, answer.text
        person = world.user_platform.customers.person(MEI)
        sent = [post for post in person.posts.values() if post.media is not None]
        assert [post.text for post in sent] == ["one", "two"]
        assert len({post.grouped_id for post in sent}) == 1
        assert world.received(SHOP, "provider.event") == []


async def test_people_are_mentioned_by_their_names(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        for mode, dot in (("MarkdownV2", "\\."), ("HTML", "."), ("", ".")):
            text = {"HTML": "<b>Hi</b> "}.get(mode, "*Hi* " if mode else "Hi ") + f"{{{{@{mei}}}}}{dot}"
            data = {"parse_mode": mode} if mode else {}
            answer = await world.send(SHOP, mei, text, mentions=[{"id": mei}], provider_data=data)
            assert answer.status_code == 200, answer.text
            post = list(world.user_platform.customers.person(MEI).posts.values())[-1]
            assert post.text == "Hi Mei."
            words = [post.text[each.offset : each.offset + each.length] for each in post.entities]
            assert sorted(words) == (["Hi", "Mei"] if mode else ["Mei"])
