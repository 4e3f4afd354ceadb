"""Our linked devices with Baileys, whatsmeow and pyaileys, through the sandbox's relay: texts agree."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.device_world import MEI, SHOP, TOM, DeviceWorld, device_world

from . import device_peers as peers

pytestmark = pytest.mark.interop
KINDS = ("baileys", "whatsmeow", "pyaileys")
SHOP_CHAT, MEI_CHAT = f"{SHOP}@s.whatsapp.net", f"{MEI}@s.whatsapp.net"


@attrs.define
class Talk:
    """Our account SHOP, and a client of others that is the device of MEI."""

    world: DeviceWorld
    client: peers.Client
    shop: str  # the address of SHOP, as the client writes to it

    async def send(self, text: str = "hello", **more: Any) -> str:
        """We send; the message's id."""
        response = await self.world.send(SHOP, MEI_CHAT, text, **more)
        assert response.status_code == 200, response.text
        id: str = response.json()["data"]["message_id"]
        return id

    async def ask(self, do: str, **fields: Any) -> str:
        """The client sends; the message's id."""
        id: str = (await self.client.ask(do, to=self.shop, **fields))["id"]
        return id

    async def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """Our event of this name with these fields."""

        def fitting() -> list[dict[str, Any]]:
            found = self.world.received(SHOP, name)
            return [event for event in found if all(event.get(n) == v for n, v in fields.items())]

        await self.world.inbox.until(fitting)
        return fitting()[0]


@contextlib.asynccontextmanager
async def talk(kind: str, directory: Path, *, lid: bool = True, **more: Any) -> AsyncIterator[Talk]:
    async with device_world(directory, **more) as world:
        await world.link(SHOP, lid_addressed=lid, name="Shop")
        mei = world.relay.account(MEI, lid_addressed=lid, name="Mei")
        async with peers.linked(world.relay, kind, directory / kind, mei) as client:
            shop = world.relay.relay.account(SHOP)
            yield Talk(world, client, str(shop.jid(lid=lid)))


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", KINDS)
async def test_text_both_ways(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        for number in range(3):
            id = await t.send(f"{number} xin chào")
            told = await t.client.event("message", id=id)
            assert told["text"] == f"{number} xin chào"
            id = await t.ask("text", text=f"{number} chào bạn")
            event = await t.event("message.received", message_id=id)
            assert event["text"] == f"{number} chào bạn"
            assert event["data"]["conversation"]["id"] == MEI_CHAT
        await t.world.inbox.until(lambda: len(t.world.received(SHOP, "message.delivered")) >= 3)


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize(("kind", "lid"), [("baileys", False), ("baileys", True), ("whatsmeow", True)])
async def test_200_messages_each_way(kind: str, lid: bool, tmp_path: Path) -> None:
    """whatsmeow writes by LID always; an account that is not addressed so may not."""
    wanted = [f"message {number}" for number in range(200)]
    async with talk(kind, tmp_path, lid=lid) as t:
        for text in wanted:
            await t.send(text)
        assert [(await t.client.event("message"))["text"] for _ in wanted] == wanted
        for text in wanted:
            await t.ask("text", text=text)
        await t.world.inbox.until(lambda: len(t.world.texts(SHOP)) >= 200, 60)
        assert t.world.texts(SHOP) == wanted


@pytest.mark.usefixtures("baileys", "clients")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_group_with_a_member_who_joins_late(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t, _tom(t.world, tmp_path) as tom:
        group = (await t.world.do("group", subject="Ops", phones=[MEI, SHOP]))["id"]
        await t.client.ask("text", to=group, text="one")
        await t.event("message.received", text="one")
        assert (await t.world.send(SHOP, group, "two")).status_code == 200
        # pyaileys opens the key and the message of one stanza side by side, and loses that message.
        await t.client.event("message", **({"kind": "key"} if kind == "pyaileys" else {"text": "two"}))
        await t.world.do("join", group=group, phone=TOM)
        await t.world.inbox.until(lambda: t.world.received(SHOP, "group.updated"))
        assert (await t.world.send(SHOP, group, "three")).status_code == 200
        await tom.event("message", text="three")
        await t.client.event("message", text="three")
        await tom.ask("text", to=group, text="four")
        event = await t.event("message.received", text="four")
        assert event["data"]["sender"]["id"] == f"{TOM}@s.whatsapp.net"


@contextlib.asynccontextmanager
async def _tom(world: DeviceWorld, directory: Path) -> AsyncIterator[peers.Client]:
    account = world.relay.account(TOM, name="Tom")
    async with peers.linked(world.relay, "baileys", directory / "tom", account) as client:
        yield client


THEIRS = ("image", "video", "voice", "document", "sticker")
OURS = {
    "image": ("shot.jpg", "image/jpeg"),
    "video": ("clip.mp4", "video/mp4"),
    "audio": ("song.mp3", "audio/mpeg"),
    "document": ("paper.pdf", "application/pdf"),
}
CONTENT = bytes(range(256)) * 500


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", KINDS)
async def test_files_both_ways(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    async with talk(kind, tmp_path) as t:
        for media in THEIRS:
            id = await t.ask("media", kind=media, path=str(tmp_path / "file"), text="look")
            event = await t.event("message.received", message_id=id)
            [attachment] = event["data"]["message"]["attachments"]
            response = await t.world.api("GET", attachment["url"])
            assert response.status_code == 200, response.text
            assert response.content == CONTENT

        for media, (name, mime_type) in OURS.items():
            key = await t.world.upload(CONTENT, name, mime_type)
            await t.send(message={"type": media, "file_key": key})
            told = await t.client.event("message", kind=media)
            assert await t.client.ask("download", id=told["id"]) == {"sha256": digest, "size": len(CONTENT)}


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_receipts_reactions_edits_and_deletions(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        await t.client.ask("available")
        ours = await t.send("first")
        await t.client.event("message", id=ours)
        await t.event("message.delivered", message_id=ours)
        await t.client.ask("read", to=t.shop, ids=[ours], **{"from": t.shop})
        await t.event("message.read", message_id=ours)
        await t.client.ask("react", to=t.shop, id=ours, text="👍", **{"from": t.shop})
        event = await t.event("message.reaction", target_message_id=ours)
        assert event["reaction"] == "👍"
        await t.world.act(SHOP, "edit", conversation_id=MEI_CHAT, message_id=ours, content="second")
        assert (await t.client.event("message", kind="edit", target=ours))["text"] == "second"
        await t.world.act(SHOP, "revoke", conversation_id=MEI_CHAT, message_id=ours)
        await t.client.event("message", kind="revoke", target=ours)

        theirs = await t.ask("text", text="from the client")
        await t.event("message.received", message_id=theirs)
        await t.world.read(SHOP, MEI_CHAT, theirs)
        await t.client.event("receipt", ids=[theirs], type="read")
        reaction = {"message_id": theirs, "sender_id": MEI_CHAT, "emoji": "🙏"}
        await t.world.act(SHOP, "reaction", conversation_id=MEI_CHAT, **reaction)
        assert (await t.client.event("message", kind="reaction", target=theirs))["text"] == "🙏"
        await t.ask("edit", id=theirs, text="edited")
        event = await t.event("message.updated", message_id=theirs)
        assert event["text"] == "edited"
        await t.ask("revoke", id=theirs)
        await t.event("message.deleted", message_id=theirs)


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_a_reply_and_a_mention(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        theirs = await t.ask("text", text="question")
        await t.event("message.received", message_id=theirs)
        ours = await t.send("answer", reply_to={"message_id": theirs})
        assert (await t.client.event("message", id=ours))["quoted"] == theirs
        quoted = {"id": ours, "from": t.shop, "text": "answer"}
        again = await t.ask("text", text="thanks", quoted=quoted, mentions=[t.shop])
        event = await t.event("message.received", message_id=again)
        assert event["data"]["message"]["reply_to_message_id"] == ours


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_a_message_is_sent_again_after_they_lost_the_session(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        await t.send("before")
        await t.client.event("message", text="before")
        await t.ask("text", text="answer")
        await t.event("message.received", text="answer")
        await t.client.ask("forget", to=t.shop if kind == "whatsmeow" else SHOP_CHAT)
        await t.send("after")
        await t.client.event("message", text="after")
        await t.ask("text", text="and back")
        await t.event("message.received", text="and back")
        assert t.world.texts(SHOP) == ["answer", "and back"]


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_two_own_devices(kind: str, tmp_path: Path) -> None:
    """Our account and a client of others are devices of one person."""
    async with device_world(tmp_path) as world:
        await world.link(SHOP, name="Shop")
        shop, mei = world.relay.relay.account(SHOP), world.relay.account(MEI, name="Mei")
        async with peers.linked(world.relay, kind, tmp_path / kind, shop) as other:
            sent = await other.ask("text", to=str(mei.lid_jid), text="from the other device")
            await world.inbox.until(lambda: _echoes(world))
            assert [echo["data"]["message"]["id"] for echo in _echoes(world)] == [sent["id"]]
            response = await world.send(SHOP, MEI_CHAT, "from the gateway")
            assert response.status_code == 200, response.text
            told = await other.event("message", text="from the gateway")
            assert (told["from_me"], told["chat"]) == (True, str(mei.lid_jid))
            await world.order("messages", **{"from": MEI, "to": SHOP, "text": "to both"})
            await other.event("message", text="to both")
            await world.inbox.until(lambda: "to both" in world.texts(SHOP))
            assert world.relay.phones[mei].broken == []


def _echoes(world: DeviceWorld) -> list[dict[str, Any]]:
    events = world.received(SHOP, "provider.event")
    return [event for event in events if event["data"]["event"]["name"] == "message_echo"]


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_prekeys_of_both_sides_run_out(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        for phone in (SHOP, MEI):
            await t.world.do("drop_prekeys", phone=phone)
        await t.send("without a one-time key")
        await t.client.event("message", text="without a one-time key")
        await t.ask("text", text="and back")
        await t.event("message.received", text="and back")
        device = t.world.relay.relay.account(SHOP).devices[1]
        await peers.until(lambda: len(device.prekeys) > 10)


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_stanzas_over_64_kib(kind: str, tmp_path: Path) -> None:
    text = "ớ" * 30_000  # 90,000 bytes
    async with talk(kind, tmp_path) as t:
        id = await t.send(text)
        assert (await t.client.event("message", id=id))["text"] == text
        id = await t.ask("text", text=text)
        assert (await t.event("message.received", message_id=id))["text"] == text


@pytest.mark.usefixtures("whatsmeow")
async def test_a_stranger_is_reached_with_a_token_only(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, tokens_required=True)
        mei = world.relay.account(MEI)
        async with peers.linked(world.relay, "whatsmeow", tmp_path / "mei", mei) as client:
            refused = await world.send(SHOP, MEI_CHAT, "without a token")
            assert refused.json()["error"]["reason"] == "contact_not_reachable", refused.text
            # whatsmeow gives a token to whom it writes; that also makes the chat.
            await client.ask("text", to=str(world.relay.relay.account(SHOP).lid_jid), text="hello")
            await world.inbox.until(lambda: world.texts(SHOP))
            mei.wrote_to.clear()  # only the token is left
            with trio.fail_after(20):
                while (await world.send(SHOP, MEI_CHAT, "with a token")).status_code != 200:
                    await trio.sleep(0.1)
            await client.event("message", text="with a token")
