"""Kinds of messages, groups and an outage: our personal account of Zalo and a client of zca-js."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.zalo_world import MAI, SHOP, TAM

from .test_zalo_personal import talk

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("zca_js")]


async def test_kinds_that_they_send(tmp_path: Path) -> None:
    async with talk(tmp_path) as t:
        content = b"\0\1" * 500
        url = t.world.zalo.uploads.keep(content, "file.bin")
        styles = [{"start": 0, "len": 3, "st": "b"}]
        sticker = {"id": 23311, "cateId": 10425, "type": 7}
        for do, fields, type_ in (
            ("text", {"text": "đậm nhé", "styles": styles}, "text"),
            ("sticker", {"sticker": sticker}, "sticker"),
            ("card", {"user": MAI, "phone": "84900000001"}, "contact"),
            ("voice", {"url": url}, "audio"),
            ("video", {"url": url, "text": "a film"}, "video"),
        ):
            sent = await t.client.ask(do, to=SHOP, **fields)
            event = await t.event("message.received", message_id=sent["id"])
            assert event["message_type"] == type_, event
            said = event["data"]["message"]
            if type_ == "text":
                assert event["text"] == "đậm nhé"
                assert said["entities"] == [{"type": "bold", "offset": 0, "length": 3}]
            elif type_ == "contact":
                assert "84900000001" in event["text"]
            elif type_ in ("audio", "video"):
                [file] = said["attachments"]
                assert (await t.world.api.http.get(file["url"])).content == content


async def test_kinds_that_we_send(tmp_path: Path) -> None:
    async with talk(tmp_path) as t:
        await t.world.do("account", id=TAM, name="Tâm", phone="84900000007")
        key = await t.world.upload(b"\0\1" * 500, "film.mp4", "video/mp4")
        url = t.world.zalo.uploads.keep(b"said", "said.m4a", "audio/mp4")
        contact = {"name": "Tâm", "phones": [{"number": "+84 900 000 007"}]}
        sticker: dict[str, Any] = {"provider_data": {"sticker": {"id": 46, "cateId": 1, "type": 7}}}
        none: dict[str, Any] = {}
        for message, more, kind in (
            ({"type": "text"}, sticker, "chat.sticker"),
            ({"type": "audio", "url": json.dumps({"url": url, "seconds": 3})}, none, "chat.voice"),
            ({"type": "video", "file_key": key}, none, "share.file"),
            ({"type": "contact", "contacts": [contact]}, none, "chat.recommended"),
        ):
            sent = await t.world.sent_id(SHOP, MAI, message=message, **more)
            told = await t.client.event("message", id=sent)
            assert (told["kind"], told["from"]) == (kind, SHOP)
            if kind in ("chat.voice", "share.file"):
                assert (await t.client.ask("download", id=sent))["size"] == (
                    4 if kind == "chat.voice" else 1000
                )
        styles = [{"style": "bold", "offset": 0, "length": 2}]
        sent = await t.world.sent_id(SHOP, MAI, "👍 ok", provider_data={"styles": styles})
        told = await t.client.event("message", id=sent)
        assert told["text"] == "👍 ok"
        assert json.loads(told["content"]["params"])["styles"] == [{"start": 0, "len": 3, "st": "b"}]


async def test_a_group_that_we_make(tmp_path: Path) -> None:
    async with talk(tmp_path) as t:
        await t.world.users(TAM)
        path = f"/v1/accounts/{t.world.ids[SHOP]}"
        made = await t.world.api.data("POST", f"{path}/groups/create", {"name": "Ops", "members": [MAI]})
        group = made["id"]
        assert (await t.client.event("group_event", type="join"))["thread"] == group[1:]
        for action, act in (
            ("add", "join"),
            ("promote", "add_admin"),
            ("demote", "remove_admin"),
            ("remove", "remove_member"),
        ):
            body = {"group_id": group, "action": action, "member_id": TAM}
            await t.world.api.data("POST", f"{path}/groups/members", body)
            assert (await t.client.event("group_event", type=act))["members"] == [TAM]
        body = {"group_id": group, "name": "Operations"}
        await t.world.api.data("POST", f"{path}/groups/update-info", body)
        assert (await t.client.event("group_event", type="update"))["name"] == "Operations"
        text = f"chào {{{{@{MAI}}}}}"
        sent = await t.world.sent_id(SHOP, group, text, mentions=[{"id": MAI}])
        told = await t.client.event("message", id=sent)
        [mention] = told["mentions"]
        assert mention["uid"] == MAI
        assert told["text"][mention["pos"] : mention["pos"] + mention["len"]].startswith("@")
        theirs = await t.hear("nhắc lại", group=group, mentions=[{"pos": 0, "uid": SHOP, "len": 4}])
        event = await t.event("message.received", message_id=theirs)
        assert event["data"]["message"]["entities"][0]["user"]["id"] == SHOP
        await t.world.api.data("POST", f"{path}/groups/leave", {"group_id": group})
        assert (await t.client.event("group_event", type="leave"))["members"] == [SHOP]


async def test_what_they_wrote_during_an_outage(tmp_path: Path) -> None:
    """More than a page of old messages, from a person and in a group."""
    async with talk(tmp_path) as t:
        group = (await t.world.do("group", name="Ops", members=[MAI, SHOP]))["id"]
        await t.hear("before")
        await t.world.stop(SHOP)
        wanted = []
        for number in range(60):
            wanted.append(f"text {number}")
            to = {"to": group[1:], "group": True} if number % 10 == 9 else {"to": SHOP}
            await t.client.ask("text", text=wanted[-1], **to)
        await t.world.start(SHOP)
        await t.world.inbox.until(lambda: len(t.world.texts(SHOP)) >= 61)
        assert sorted(t.world.texts(SHOP)) == sorted(["before", *wanted])
        for chat in (MAI, group):
            told = [e["text"] for e in t.world.received(SHOP) if e["conversation_id"] == chat]
            assert [text for text in told if text != "before"] == [text for text in wanted if text in told]


async def test_typing_and_friends(tmp_path: Path) -> None:
    async with talk(tmp_path) as t:
        await t.client.ask("befriend", user=SHOP, text="kết bạn nhé")
        await t.world.inbox.until(lambda: t.world.named(SHOP, "friend_req_v2"))
        [event] = t.world.named(SHOP, "friend_req_v2")
        assert event["data"]["event"]["message"] == "kết bạn nhé"
        await t.world.api.data(
            "POST",
            f"/v1/accounts/{t.world.ids[SHOP]}/conversations/typing",
            {"conversation_id": MAI},
        )
        assert (await t.client.event("typing"))["from"] == SHOP
