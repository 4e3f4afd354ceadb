"""Two clients of zca-js converse through our sandbox: it speaks the protocol that clients of others speak."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from unifyport.protocols.zalo_frames import Encrypt

from . import zalo_peers as peers
from .zalo_peers import Client, Failed, Zalo

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("zca_js")]


@attrs.define
class Pair:
    """Two users, each with a client."""

    zalo: Zalo
    lan: str
    mai: str
    of_lan: Client
    of_mai: Client


@contextlib.asynccontextmanager
async def pair(*modes: Encrypt) -> AsyncIterator[Pair]:
    async with peers.zalo() as zalo:
        zalo.platform.manner.modes = modes or zalo.platform.manner.modes
        lan, mai = zalo.user("Lan"), zalo.user("Mai")
        async with (
            peers.client(zalo.platform, lan) as of_lan,
            peers.client(zalo.platform, mai) as of_mai,
        ):
            yield Pair(zalo, lan, mai, of_lan, of_mai)


async def test_a_login_by_qr_code_declined_and_repeated() -> None:
    """The second code is confirmed. The session that the client keeps has cookies of two domains."""
    async with peers.zalo() as zalo:
        lan = zalo.user("Lan")
        async with peers.started(zalo.platform) as client:
            for answer in ("decline", "confirm"):
                shown = await client.event("qr")
                zalo.do("scan", qr=shown["token"], user=lan)
                assert (await client.event("scanned"))["name"] == "Lan"
                zalo.do(answer, qr=shown["token"])
                if answer == "decline":
                    await client.event("QRCodeDeclined")
            kept = (await client.event("session"))["session"]
            assert sorted({cookie["domain"] for cookie in kept["cookie"]}) == ["chat.zalo.me", "zalo.me"]
            assert (await client.event("open"))["id"] == lan
        async with peers.started(zalo.platform, kept) as again:
            assert (await again.event("open"))["id"] == lan


async def test_texts_both_ways() -> None:
    """In frames of each kind of encryption, by turns."""
    async with pair(*Encrypt) as p:
        for number in range(6):
            for sender, receiver, one, other in (
                (p.of_lan, p.of_mai, p.lan, p.mai),
                (p.of_mai, p.of_lan, p.mai, p.lan),
            ):
                text = f"{number} chào bạn 👋"
                sent = await sender.ask("text", to=other, text=text)
                told = await receiver.event("message", id=sent["id"])
                assert (told["text"], told["from"], told["thread"], told["self"]) == (text, one, one, False)
                echo = await sender.event("message", id=sent["id"])
                assert (echo["text"], echo["thread"], echo["self"]) == (text, other, True)
        assert [told for told in p.of_lan.all + p.of_mai.all if told["event"] == "error"] == []


async def test_quotes_styles_receipts_reactions_and_undo() -> None:
    async with pair() as p:
        first = (
            await p.of_lan.ask("text", to=p.mai, text="đậm nhé", styles=[{"start": 0, "len": 3, "st": "b"}])
        )["id"]
        told = await p.of_mai.event("message", id=first)
        assert (told["text"], told["content"]["action"]) == ("đậm nhé", "rtf")
        plain = (await p.of_lan.ask("text", to=p.mai, text="to be quoted"))["id"]
        await p.of_mai.event("message", id=plain)
        await p.of_mai.ask("delivered", ids=[first, plain])
        await p.of_mai.ask("seen", ids=[plain])
        for id in (first, plain):
            assert (await p.of_lan.event("delivered", id=id))["by"] == [p.mai]
        assert (await p.of_lan.event("seen", id=plain))["thread"] == p.mai
        answer = (await p.of_mai.ask("text", to=p.lan, text="an answer", quoted=plain))["id"]
        quoted = (await p.of_lan.event("message", id=answer))["quoted"]
        assert quoted == {"owner": p.lan, "id": plain, "text": "to be quoted"}
        await p.of_mai.ask("react", id=plain, to=p.lan, icon="HEART")
        reaction = await p.of_lan.event("reaction", self=False)
        assert (reaction["icon"], reaction["from"], reaction["id"]) == ("/-heart", p.mai, plain)
        await p.of_lan.ask("undo", id=plain, to=p.mai)
        assert (await p.of_mai.event("undo"))["id"] == plain
        with pytest.raises(Failed):
            await p.of_mai.ask("undo", id=plain, to=p.lan)
        await p.of_mai.ask("typing", to=p.lan)
        assert (await p.of_lan.event("typing"))["from"] == p.mai


async def test_files_in_chunks(tmp_path: Path) -> None:
    async with pair() as p:
        for name, kind in (
            ("photo.jpg", "chat.photo"),
            ("paper.pdf", "share.file"),
            ("film.mp4", "share.file"),
        ):
            content = name.encode() * 200_000
            (tmp_path / name).write_bytes(content)
            sent = await p.of_lan.ask("file", to=p.mai, path=str(tmp_path / name))
            told = await p.of_mai.event("message", id=sent["id"])
            assert told["kind"] == kind
            got = await p.of_mai.ask("download", id=sent["id"])
            assert got == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        url = p.zalo.platform.uploads.keep(b"voice", "voice.m4a")
        for order, kind in (
            (("voice", {"url": url}), "chat.voice"),
            (("video", {"url": url, "text": "film"}), "chat.video.msg"),
            (("sticker", {"sticker": {"id": 23311, "cateId": 10425, "type": 7}}), "chat.sticker"),
            (("card", {"user": p.lan, "phone": "84900000001"}), "chat.recommended"),
        ):
            sent = await p.of_lan.ask(order[0], to=p.mai, **order[1])
            assert (await p.of_mai.event("message", id=sent["id"]))["kind"] == kind


async def test_a_group_and_its_members(tmp_path: Path) -> None:
    async with pair() as p:
        tom = p.zalo.user("Tom")
        group = (await p.of_lan.ask("create_group", name="Ops", members=[p.mai]))["groupId"]
        assert (await p.of_mai.event("group_event", type="join"))["thread"] == group
        (tmp_path / "picture.jpg").write_bytes(b"a picture")
        await p.of_lan.ask("picture", group=group, path=str(tmp_path / "picture.jpg"))
        assert (await p.of_mai.event("group_event", type="update_avatar"))["thread"] == group
        shown = (await p.of_mai.ask("group", group=group))["fullAvt"]
        assert hashlib.sha256(b"a picture").hexdigest() in shown
        text = "@Mai xem nhé"
        sent = await p.of_lan.ask(
            "text", to=group, group=True, text=text, mentions=[{"pos": 0, "uid": p.mai, "len": 4}]
        )
        told = await p.of_mai.event("message", id=sent["id"])
        assert (told["group"], told["thread"], told["text"]) == (True, group, text)
        assert [mention["uid"] for mention in told["mentions"]] == [p.mai]
        await p.of_mai.ask("delivered", ids=[sent["id"]], group=True)
        await p.of_mai.ask("seen", ids=[sent["id"]], group=True)
        assert (await p.of_lan.event("delivered", id=sent["id"]))["by"] == [p.mai]
        assert (await p.of_lan.event("seen", id=sent["id"]))["by"] == [p.mai]
        answer = await p.of_mai.ask("text", to=group, group=True, text="ok", quoted=sent["id"])
        assert (await p.of_lan.event("message", id=answer["id"]))["quoted"]["owner"] == p.lan
        await p.of_mai.ask("react", id=sent["id"], to=group, group=True, icon="LIKE")
        assert (await p.of_lan.event("reaction", self=False))["thread"] == group
        await p.of_lan.ask("undo", id=sent["id"], to=group, group=True)
        assert (await p.of_mai.event("undo"))["thread"] == group
        await p.of_lan.ask("add", group=group, members=[tom])
        assert tom in (await p.of_mai.event("group_event", type="join"))["members"]
        await p.of_lan.ask("rename", group=group, name="Ops 2")
        assert (await p.of_mai.event("group_event", type="update"))["name"] == "Ops 2"
        await p.of_lan.ask("promote", group=group, members=[p.mai])
        await p.of_mai.event("group_event", type="add_admin")
        await p.of_mai.ask("remove", group=group, members=[tom])
        assert (await p.of_lan.event("group_event", type="remove_member"))["members"] == [tom]
        assert (await p.of_lan.ask("group", group=group))["memberIds"] == [p.lan, p.mai]
        p.zalo.do("ask_to_join", group=f"g{group}", user=tom)
        await p.of_lan.event("group_event", type="join_request")
        assert [each["uid"] for each in (await p.of_lan.ask("pending", group=group))["users"]] == [tom]
        assert await p.of_lan.ask("review", group=group, members=[tom], approve=True) == {tom: 0}
        await p.of_mai.ask("leave", group=group)
        assert (await p.of_lan.event("group_event", type="leave"))["members"] == [p.mai]
        assert await p.of_mai.ask("groups") == []
        with pytest.raises(Failed):
            await p.of_mai.ask("text", to=group, group=True, text="from outside")


async def test_friends_and_a_users_own_view() -> None:
    async with pair() as p:
        await p.of_lan.ask("befriend", user=p.mai, text="chào")
        assert (await p.of_mai.event("friend_event"))["message"] == "chào"
        await p.of_mai.ask("accept", user=p.lan)
        assert (await p.of_lan.event("friend_event", type=0))["thread"] == p.mai
        assert await p.of_lan.ask("friends") == [p.mai]
        assert (await p.of_lan.ask("user", user=p.mai))[p.mai]["displayName"] == "Mai"
        await p.of_mai.ask("block", user=p.lan)
        with pytest.raises(Failed):
            await p.of_lan.ask("text", to=p.mai, text="blocked")
        await p.of_mai.ask("unblock", user=p.lan)
        await p.of_lan.ask("text", to=p.mai, text="not any more")
        await p.of_lan.ask("mute", to=p.mai)
        await p.of_lan.ask("pin", to=p.mai)
        await p.of_lan.ask("keep_alive")
        user = p.zalo.platform.world.users[p.lan]
        assert (user.muted, user.pinned) == ({p.mai: -1}, {f"u{p.mai}"})


async def test_messages_of_the_time_without_a_socket() -> None:
    async with pair() as p:
        first = (await p.of_lan.ask("text", to=p.mai, text="one"))["id"]
        await p.of_mai.event("message", id=first)
        await p.of_mai.ask("disconnect")
        await p.of_mai.event("closed")
        missed = (await p.of_lan.ask("text", to=p.mai, text="two"))["id"]
        await p.of_mai.ask("connect")
        await p.of_mai.event("open")
        await p.of_mai.ask("old", last=first)
        assert (await p.of_mai.event("old", id=missed))["text"] == "two"
        assert (await p.of_mai.event("old_messages"))["count"] == 1
        await p.of_mai.ask("react", id=missed, to=p.lan, icon="LIKE")
        await p.of_mai.ask("old_reactions", last=missed)
        assert (await p.of_mai.event("old_reactions", group=False))["icons"] == ["/-strong"]
        assert (await p.of_mai.ask("me"))["displayName"] == "Mai"


async def test_kicks_end_the_socket_with_their_code() -> None:
    async with pair() as p:
        p.zalo.do("kick", user=p.lan, code=3000)
        assert (await p.of_lan.event("closed"))["code"] == 3000
        async with peers.client(p.zalo.platform, p.mai):
            assert (await p.of_mai.event("closed"))["code"] == 3000
        await p.of_lan.ask("connect")
        await p.of_lan.event("open")
        p.zalo.do("kick", user=p.lan, code=3003)
        assert (await p.of_lan.event("closed"))["code"] == 3003
        p.zalo.do("end_session", user=p.lan)
        with pytest.raises(Failed):
            await p.of_lan.ask("text", to=p.mai, text="too late")
