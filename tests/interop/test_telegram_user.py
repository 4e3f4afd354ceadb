"""Our personal account of Telegram and clients of others that write to each other."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.pictures import JPEG, pictures
from tests.telegram_world import MEI, SHOP, TelegramWorld, telegram_world
from unifyport.sandbox.telegram.user.directory import Person

from .device_peers import Client
from .telegram_peers import KINDS, client, log_in

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("telegram_clients")]

CONTENT = bytes(range(256)) * 200
FILES = {"photo": "a.jpg", "voice": "a.ogg", "document": "a.pdf", "video": "a.mp4"}


@attrs.define
class Talk:
    """Our account SHOP, and a client of others that is MEI's."""

    world: TelegramWorld
    client: Client
    shop: int
    mei: int

    @property
    def chat(self) -> str:
        """Our conversation with MEI."""
        return str(self.mei)

    async def send(self, text: str = "hello", **more: Any) -> str:
        """We send; the message's id."""
        response = await self.world.send(SHOP, more.pop("to", self.chat), text, **more)
        assert response.status_code == 200, response.text
        id: str = response.json()["data"]["message_id"]
        return id

    async def act(self, action: str, **body: Any) -> None:
        order = {"account_id": self.world.ids[SHOP], "conversation_id": self.chat, **body}
        await self.world.api.data("POST", f"/v1/messages/{action}", order)

    async def ask(self, do: str, **fields: Any) -> Any:
        """The client does something in the chat with us."""
        return await self.client.ask(do, **{"to": self.shop, **fields})

    async def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """Our event of this name with these fields."""
        return await self.world.event(SHOP, name, **fields)


def person(world: TelegramWorld, phone: str) -> Person:
    found = world.user_platform.server.directory.by_phone(phone)
    assert found is not None
    return found


@contextlib.asynccontextmanager
async def talk(
    kind: str, directory: Path, *, dc: int = 2, transport: str = "abridged", security: str = ""
) -> AsyncIterator[Talk]:
    """`dc`: the home of our account."""
    async with telegram_world(directory, security=security) as world:
        await world.link(SHOP, name="Shop", username="theshop", dc=dc)
        mei = world.user_platform.account(MEI, "Mei", username="meimei")
        peer = client(world.user_platform, kind, directory / kind, transport=transport)
        async with peer as running:
            await log_in(world.user_platform, running, MEI)
            await running.ask("resolve", name="theshop")
            yield Talk(world, running, person(world, SHOP).id, mei.id)


@pytest.mark.parametrize(
    ("kind", "dc", "transport"),
    [("telethon", 2, "abridged"), ("telethon", 4, "obfuscated"), ("kurigram", 2, "padded")],
)
async def test_text_both_ways(kind: str, dc: int, transport: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path, dc=dc, transport=transport) as t:
        for number in range(3):
            theirs = f"{number} chào bạn 😀"
            await t.ask("text", text=theirs)
            event = await t.event("message.received", text=theirs)
            assert event["data"]["conversation"]["id"] == t.chat
            assert event["data"]["sender"]["name"] == "Mei"
            id = await t.send(f"{number} xin chào 😀")
            told = await t.client.event("message", text=f"{number} xin chào 😀")
            assert (told["from"], told["out"]) == (t.shop, False)
        await t.ask("read", id=told["id"])
        await t.event("message.read", message_id=id)
        assert t.world.texts(SHOP) == [f"{number} chào bạn 😀" for number in range(3)]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_done_to_messages(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        await t.ask("text", text="a <b>bold</b> question")
        event = await t.event("message.received", text="a bold question")
        [entity] = event["data"]["message"]["entities"]
        assert (entity["type"], entity["offset"], entity["length"]) == ("bold", 2, 4)
        theirs = event["message_id"]
        ours = await t.send("answer", reply_to={"message_id": theirs})
        told = await t.client.event("message", text="answer")
        assert told["quoted"] is not None
        await t.act("edit", message_id=ours, content="better answer")
        await t.client.event("edited", id=told["id"], text="better answer")
        await t.act("reaction", message_id=theirs, emoji="👍")
        await t.client.event("reactions", given=["👍"])
        await t.ask("react", id=told["id"], text="🔥")
        assert (await t.event("message.reaction", target_message_id=ours))["reaction"] == "🔥"
        again = await t.ask("text", text="thanks", reply_to=told["id"])
        event = await t.event("message.received", text="thanks")
        assert event["data"]["message"]["reply_to_message_id"] == ours
        await t.ask("edit", id=again["id"], text="thank you")
        await t.event("message.updated", message_id=event["message_id"], text="thank you")
        await t.ask("delete", id=again["id"])
        await t.event("message.deleted", message_id=event["message_id"])
        await t.act("revoke", message_id=ours)
        await t.client.event("deleted", ids=[told["id"]])


@pytest.mark.parametrize("kind", KINDS)
async def test_files_both_ways(kind: str, tmp_path: Path) -> None:
    digest = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT)}
    types = {"photo": "image", "voice": "audio"}
    async with talk(kind, tmp_path) as t:
        for media, name in FILES.items():
            path = tmp_path / name
            path.write_bytes(CONTENT)
            if (kind, media) != ("telethon", "video"):  # which needs a library that finds its length
                await t.ask("media", kind=media, path=str(path), text=f"their {media}")
                event = await t.event("message.received", text=f"their {media}")
                assert event["message_type"] == types.get(media, media)
                [attachment] = event["data"]["message"]["attachments"]
                response = await t.world.api("GET", attachment["url"])
                assert response.status_code == 200, response.text
                assert response.content == CONTENT
            made = await t.world.api.http.post("/v1/media", files={"file": (name, CONTENT)})
            key = made.json()["data"]["file_key"]
            message = {"type": types.get(media, media), "file_key": key, "caption": f"our {media}"}
            await t.send(message=message)
            told = await t.client.event("message", text=f"our {media}")
            assert await t.client.ask("download", chat=t.shop, id=told["id"]) == digest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["group", "supergroup"])
async def test_groups(kind: str, order: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        group = (await t.client.ask(order, title="Ops", people=[t.shop]))["id"]
        await t.client.ask("text", to=group, text="one")
        event = await t.event("message.received", text="one")
        assert event["data"]["conversation"]["id"] == str(group)
        assert event["data"]["conversation"]["type"] == "group"
        assert event["data"]["sender"]["id"] == t.chat
        await t.send("two", to=str(group))
        told = await t.client.event("message", text="two")
        assert (told["chat"], told["from"]) == (group, t.shop)
        await t.client.ask("title", to=group, title="Operations")
        await t.event("group.updated")
        assert set(await t.client.ask("members", chat=group)) == {t.shop, t.mei}


async def test_the_picture_of_a_group(tmp_path: Path) -> None:
    async with pictures(tmp_path) as served, talk("telethon", tmp_path, security=served.settings) as t:
        group = (await t.client.ask("group", title="Ops", people=[t.shop]))["id"]
        await t.event("provider.event")  # the group that was made
        body = {"group_id": str(group), "avatar_url": served.url + "/a.jpg"}
        await t.world.api.data("POST", f"/v1/accounts/{t.world.ids[SHOP]}/groups/update-info", body)
        message = 0
        while not message:
            message = (await t.client.event("action", chat=group))["photo"]
        found = await t.client.ask("download", chat=group, id=message)
        assert found == {"sha256": hashlib.sha256(JPEG).hexdigest(), "size": len(JPEG)}


async def test_another_device_of_the_account(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.link(SHOP, name="Shop", username="theshop", password="sesame")
        mei = world.user_platform.account(MEI, "Mei", username="meimei")
        async with client(world.user_platform, "telethon", tmp_path / "phone") as phone:
            assert await log_in(world.user_platform, phone, SHOP, "sesame") == person(world, SHOP).id
            await phone.ask("resolve", name="meimei")
            await phone.ask("text", to=mei.id, text="from the phone")
            await world.inbox.until(lambda: world.received(SHOP, "provider.event"))
            [echo] = world.received(SHOP, "provider.event")
            assert echo["data"]["event"]["name"] == "message_echo"
            assert echo["text"] == "from the phone"
            sent = await world.send(SHOP, str(mei.id), "from the gateway")
            assert sent.status_code == 200, sent.text
            told = await phone.event("message", text="from the gateway")
            assert told["out"]
            assert len(world.received(SHOP, "provider.event")) == 1
