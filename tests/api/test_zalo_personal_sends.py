"""What a personal account of Zalo sends, and what is done to messages, both ways."""

import base64
import json
from pathlib import Path
from typing import Any

from tests.zalo_world import MAI, SHOP, TAM, ZaloWorld, zalo_world


async def refused(world: ZaloWorld, to: str = MAI, **more: Any) -> str:
    """The reason why a send is refused; nothing was sent."""
    answer = await world.send(SHOP, to, **more)
    assert not answer.is_success, answer.text
    error = answer.json()["error"]
    return str(error.get("reason") or error["code"])


async def test_styles_mentions_and_quotes(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI, TAM)
        group = (await world.do("group", name="Ops", members=[SHOP, MAI, TAM]))["id"]
        await world.write(MAI, group, "hello all")
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello all"])
        [event] = world.received(SHOP)
        assert (event["conversation_id"], event["conversation_type"]) == (group, "group")
        styles = [{"style": "bold", "offset": 0, "length": 2}]
        await world.sent_id(
            SHOP,
            group,
            f"👍 {{{{@{MAI}}}}} and {{{{@all}}}}",
            mentions=[{"id": MAI}, {"id": "all"}],
            provider_data={"styles": styles},
        )
        quoted = await world.sent_id(SHOP, group, "yes", reply_to=event["message_id"])
        first, second = await world.sent()
        assert first["text"] == "👍 @User 5 and @All"
        mentions = json.loads(first["fields"]["mentionInfo"])
        # in UTF-16 units: the thumb is two of them
        assert mentions == [
            {"pos": 3, "len": 7, "uid": MAI, "type": 0},
            {"pos": 15, "len": 4, "uid": "-1", "type": 1},
        ]
        [style] = json.loads(first["fields"]["textProperties"])["styles"]
        assert style == {"start": 0, "len": 3, "st": "b"}
        assert second["id"] == quoted
        assert second["fields"]["qmsgId"] == event["message_id"]


async def test_what_customers_do_to_messages(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        id_ = await world.write(MAI, SHOP, "oops")
        own = await world.sent_id(SHOP, MAI, "hello")
        await world.do("react", **{"from": MAI}, message_id=own, icon="/-strong", type=3)
        await world.do("react", **{"from": MAI}, message_id=own, icon="", type=-1)
        await world.do("undo", message_id=id_)
        await world.inbox.until(lambda: world.received(SHOP, "message.deleted"))
        await world.inbox.until(lambda: len(world.received(SHOP, "message.reaction")) == 2)
        [deleted] = world.received(SHOP, "message.deleted")
        assert (deleted["message_id"], deleted["conversation_id"]) == (id_, MAI)
        reactions = [
            (e["target_message_id"], e["reaction"]) for e in world.received(SHOP, "message.reaction")
        ]
        assert reactions == [(own, "👍"), (own, "")]


async def test_what_the_account_does_to_messages(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        id_ = await world.write(MAI, SHOP, "hello")
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
        own = await world.sent_id(SHOP, MAI, "oops")
        chat = {"conversation_id": MAI}
        await world.act(SHOP, "reaction", **chat, message_id=id_, emoji="❤️", sender_id=MAI)
        message = world.zalo.world.messages[id_]
        assert set(message.reactions.values()) == {"/-heart"}
        await world.act(SHOP, "reaction", **chat, message_id=id_, emoji="", sender_id=MAI)
        assert not message.reactions
        await world.act(SHOP, "revoke", **chat, message_id=own)
        assert world.zalo.world.messages[own].undone
        read = {"conversation_id": MAI}
        await world.api.data("POST", f"/v1/accounts/{world.ids[SHOP]}/conversations/read", read)
        assert message.seen
        await world.write(MAI, SHOP, "end")
        await world.inbox.until(lambda: "end" in world.texts(SHOP))
        assert not world.named(SHOP, "message_echo")


async def test_senders_are_told_that_their_messages_came_in(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[SHOP, MAI]))["id"]
        ids = [await world.write(MAI, to) for to in (SHOP, group)]
        await world.api.until(
            lambda _: all(world.zalo.world.messages[id_].delivered for id_ in ids),
            f"/v1/accounts/{world.ids[SHOP]}",
        )


async def test_what_the_owner_writes_on_the_phone_is_an_echo(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        id_ = await world.write(SHOP, MAI, "from the phone")
        await world.inbox.until(lambda: world.named(SHOP, "message_echo"))
        [echo] = world.named(SHOP, "message_echo")
        assert (echo["conversation_id"], echo["message_id"]) == (MAI, id_)
        assert echo["data"]["message"]["direction"] == "outbound"
        await world.do("undo", message_id=id_)
        await world.inbox.until(lambda: len(world.named(SHOP, "message_echo")) == 2)
        assert world.named(SHOP, "message_echo")[1]["data"]["event"]["change"] == "deleted"


async def test_one_message_under_three_ids(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[SHOP, MAI]))["id"]
        await world.do("repeat", count=1, copies=3)
        id_ = await world.write(MAI, group, "once")
        await world.write(MAI, group, "end")
        await world.inbox.until(lambda: "end" in world.texts(SHOP))
        assert world.texts(SHOP) == ["once", "end"]
        copy = str(int(id_) + 1)
        control = {
            "uidFrom": MAI,
            "idTo": group[1:],
            "msgId": "8",
            "ts": "1764500000000",
            "msgType": "chat.undo",
        }
        undo = control | {"content": {"globalMsgId": int(copy), "cliMsgId": 1, "deleteMsg": 1}}
        await world.do("frame", user=SHOP, command=521, data={"groupMsgs": [undo]})
        await world.inbox.until(lambda: world.received(SHOP, "message.deleted"))
        assert world.received(SHOP, "message.deleted")[0]["message_id"] == id_


async def test_files_go_out_and_come_in(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.do("server_info", chunk_bytes=1024)
        await world.link(SHOP)
        await world.users(MAI)
        content = bytes(range(256)) * 10
        kinds = {}
        for type_, name, mime_type in (
            ("image", "see.jpg", "image/jpeg"),
            ("video", "see.mp4", "video/mp4"),
            ("document", "paper.pdf", "application/pdf"),
            ("audio", "said.m4a", "audio/mp4"),
        ):
            key = await world.upload(content, name, mime_type)
            message: dict[str, Any] = {"type": type_, "file_key": key}
            await world.sent_id(SHOP, MAI, message=message)
            kinds[type_] = (await world.sent())[-1]
        assert kinds["image"]["kind"] == "chat.photo"
        assert kinds["document"]["kind"] == "share.file"
        assert kinds["document"]["fields"]["fileName"] == "paper.pdf"
        encoded = base64.b64encode(content).decode()
        for media in ("image", "voice", "file"):
            await world.write(MAI, SHOP, media={"type": media, "content": encoded, "caption": "see"})
        await world.inbox.until(lambda: len(world.received(SHOP)) == 3)
        events = world.received(SHOP)
        assert [event["message_type"] for event in events] == ["image", "audio", "document"]
        for event in events:
            [attachment] = event["data"]["message"]["attachments"]
            fetched = await world.api.http.get(attachment["url"])
            assert fetched.content == content
            assert "127.0.0.1" not in str(event["data"].get("provider_data"))


async def test_an_upload_that_ends_before_its_answer(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.do("file_done", early=True)
        key = await world.upload(b"%PDF", "paper.pdf", "application/pdf")
        await world.sent_id(SHOP, MAI, message={"type": "document", "file_key": key})


async def test_voice_stickers_and_cards(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.do("account", id=TAM, name="Tâm", phone="84900000007")
        url = world.zalo.uploads.keep(b"said", "said.m4a", "audio/mp4")
        voice = {"type": "audio", "url": json.dumps({"url": url, "seconds": 3})}
        await world.sent_id(SHOP, MAI, message=voice)
        sticker = {"id": 46, "cateId": 1, "type": 7}
        await world.sent_id(SHOP, MAI, message={"type": "text"}, provider_data={"sticker": sticker})
        contact = {"name": "Tâm", "phones": [{"number": "+84 900 000 007"}]}
        await world.sent_id(SHOP, MAI, message={"type": "contact", "contacts": [contact]})
        assert [told["kind"] for told in await world.sent()] == [
            "chat.voice",
            "chat.sticker",
            "chat.recommended",
        ]
        unknown = {"name": "Nobody", "phones": [{"number": "+84 900 000 009"}]}
        assert await refused(world, message={"type": "contact", "contacts": [unknown]}) == "contact_not_found"


async def test_what_cannot_be_sent(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        assert await refused(world, text="x" * 2001) == "text_too_long"
        assert await refused(world, text="") in ("empty_text", "invalid_request")
        assert await refused(world, to="somebody") == "invalid_recipient"
        assert await refused(world, to="1234567890") == "zalo_114"
        group = (await world.do("group", name="Ops", members=[MAI]))["id"]
        assert await refused(world, to=group) == "not_a_member"
        assert await refused(world, text="yes", reply_to="12345") == "message_not_found"
        odd = {"styles": [{"style": "blink", "offset": 0, "length": 1}]}
        assert await refused(world, provider_data=odd) == "invalid_provider_data"
        assert not await world.sent()
