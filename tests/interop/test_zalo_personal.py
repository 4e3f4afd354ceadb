"""Our personal accounts of Zalo and clients of zca-js write to each other through the sandbox."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.zalo_world import MAI, SHOP, TAM, ZaloWorld, zalo_world
from unifyport.protocols.zalo_frames import Encrypt

from . import zalo_peers as peers
from .zalo_peers import Client

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("zca_js")]


@attrs.define
class Talk:
    """Our account SHOP, and a client of zca-js that is MAI's."""

    world: ZaloWorld
    client: Client

    async def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """Our first event of this name with these fields."""
        return await self.world.event(SHOP, name, **fields)

    async def say(self, to: str, text: str, **more: Any) -> str:
        """We send a text, and the client reads it; the message's id."""
        id_ = await self.world.sent_id(SHOP, to, text, **more)
        told = await self.client.event("message", id=id_)
        assert (told["text"], told["from"]) == (text, SHOP)
        return id_

    async def hear(self, text: str, *, group: str = "", **more: Any) -> str:
        """The client sends a text, and we receive it; the message's id."""
        to = {"to": group.removeprefix("g"), "group": True} if group else {"to": SHOP}
        id_ = str((await self.client.ask("text", text=text, **to, **more))["id"])
        event = await self.event("message.received", message_id=id_)
        assert (event["text"], event["conversation_id"], event["from"]) == (text, group or MAI, MAI)
        return id_


@contextlib.asynccontextmanager
async def talk(directory: Path) -> AsyncIterator[Talk]:
    async with zalo_world(directory) as world:
        await world.link(SHOP)
        await world.users(MAI)
        async with peers.client(world.zalo, MAI) as client:
            yield Talk(world, client)


async def test_texts_both_ways(tmp_path: Path) -> None:
    """In frames of each kind of encryption, by turns."""
    async with zalo_world(tmp_path) as world:
        world.zalo.manner.modes = tuple(Encrypt)
        await world.link(SHOP)
        await world.users(MAI)
        async with peers.client(world.zalo, MAI) as client:
            t = Talk(world, client)
            for number in range(6):
                await t.say(MAI, f"{number} xin chào 👋 <b>")
                await t.hear(f"{number} chào bạn {{}} 👨‍👩‍👧")


async def test_receipts_reactions_quotes_and_undo_both_ways(tmp_path: Path) -> None:
    async with talk(tmp_path) as t:
        ours = await t.say(MAI, "from us")
        await t.client.ask("delivered", ids=[ours])
        await t.event("message.delivered", message_id=ours)
        await t.client.ask("seen", ids=[ours])
        await t.event("message.read", message_id=ours)
        theirs = await t.hear("from them")
        await t.client.event("delivered", id=theirs)
        await t.world.api.data(
            "POST",
            f"/v1/accounts/{t.world.ids[SHOP]}/conversations/read",
            {"conversation_id": MAI, "up_to_message_id": theirs, "up_to_message_sender_id": MAI},
        )
        assert (await t.client.event("seen", id=theirs))["thread"] == SHOP

        answer = await t.hear("an answer", quoted=ours)
        event = await t.event("message.received", message_id=answer)
        assert event["data"]["message"]["reply_to_message_id"] == ours
        response = await t.world.send(SHOP, MAI, "our answer", reply_to={"message_id": theirs})
        assert response.status_code == 200, response.text
        quoted = (await t.client.event("message", text="our answer"))["quoted"]
        assert quoted == {"owner": MAI, "id": theirs, "text": "from them"}

        await t.client.ask("react", id=ours, to=SHOP, icon="HEART")
        assert (await t.event("message.reaction", target_message_id=ours))["reaction"] == "❤️"
        target = {"conversation_id": MAI, "message_id": theirs, "sender_id": MAI}
        await t.world.act(SHOP, "reaction", **target, emoji="👍")
        told = await t.client.event("reaction", self=False)
        assert (told["icon"], told["id"], told["from"]) == ("/-strong", theirs, SHOP)

        await t.client.ask("undo", id=theirs, to=SHOP)
        await t.event("message.deleted", message_id=theirs)
        await t.world.act(SHOP, "revoke", conversation_id=MAI, message_id=ours)
        assert (await t.client.event("undo", self=False))["id"] == ours


async def test_a_group(tmp_path: Path) -> None:
    async with talk(tmp_path) as t:
        await t.world.users(TAM)
        group = f"g{(await t.client.ask('create_group', name='Ops', members=[SHOP, TAM]))['groupId']}"
        mentions = [{"pos": 0, "uid": SHOP, "len": 5}]
        theirs = await t.hear("@Shop xem nhé", group=group, mentions=mentions)
        ours = await t.say(group, "trong nhóm")
        await t.client.ask("delivered", ids=[ours], group=True)
        await t.client.ask("seen", ids=[ours], group=True)
        delivered = await t.event("message.delivered", message_id=ours)
        assert delivered["data"]["conversation"]["id"] == group
        await t.event("message.read", message_id=ours)
        await t.client.event("delivered", id=theirs)
        await t.client.ask("react", id=ours, to=group[1:], group=True, icon="LIKE")
        assert (await t.event("message.reaction"))["conversation_id"] == group
        await t.client.ask("rename", group=group[1:], name="Ops 2")
        await t.event("group.updated")
        await t.client.ask("undo", id=theirs, to=group[1:], group=True)
        await t.event("message.deleted", message_id=theirs)


async def test_an_image_and_a_file_both_ways(tmp_path: Path) -> None:
    async with talk(tmp_path) as t:
        for name, kind, mime_type, type_ in (
            ("photo.jpg", "chat.photo", "image/jpeg", "image"),
            ("paper.pdf", "share.file", "application/pdf", "document"),
        ):
            content = b"\xff\xd8" + name.encode() * 90_000
            (tmp_path / name).write_bytes(content)
            key = await t.world.upload(content, name, mime_type)
            response = await t.world.send(SHOP, MAI, message={"type": type_, "file_key": key})
            assert response.status_code == 200, response.text
            told = await t.client.event("message", kind=kind)
            got = await t.client.ask("download", id=told["id"])
            assert got == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}

            sent = await t.client.ask("file", to=SHOP, path=str(tmp_path / name))
            event = await t.event("message.received", message_id=sent["id"])
            [file] = event["data"]["message"]["attachments"]
            assert file["type"] == type_
            assert (await t.world.api.http.get(file["url"])).content == content


async def test_our_account_logs_in_with_a_session_of_zca_js(tmp_path: Path) -> None:
    """The session of a login by QR code that zca-js has made is imported, and goes on."""
    async with zalo_world(tmp_path) as world:
        await world.account(SHOP, "session")
        async with peers.started(world.zalo) as client:
            shown = await client.event("qr")
            await world.do("scan", qr=shown["token"], user=SHOP, confirm=True)
            session = (await client.event("session"))["session"]
            await client.event("open")
        assert (await world.give_session(SHOP, session)).status_code == 200
        await world.running(SHOP)
        await world.write(MAI, SHOP, "xin chào")
        await world.inbox.until(lambda: world.texts(SHOP) == ["xin chào"])
