"""A linked device and the phones of customers and of its owner, played by the sandbox."""

import base64
import functools
from pathlib import Path
from typing import Any

from tests.device_world import MEI, SHOP, TOM, DeviceWorld, device_world
from unifyport.protocols.binary_node import Node
from unifyport.sandbox.whatsapp.device.directory import Device

CHAT = f"{MEI}@s.whatsapp.net"


async def fetched(world: DeviceWorld, event: dict[str, Any]) -> bytes:
    [file] = event["data"]["message"]["attachments"]
    response = await world.api.http.get(file["url"])
    assert response.status_code == 200, response.text
    return response.content


async def test_files_come_in_and_go_out(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        for kind in ("image", "video", "audio", "voice", "document", "sticker"):
            content = f"the {kind}".encode() * 5000
            media = {"type": kind, "content": base64.b64encode(content).decode(), "caption": "look"}
            sent = await world.order("messages", **{"from": MEI}, to=SHOP, media=media)
            await world.inbox.until(functools.partial(world.has, SHOP, sent["message_id"]))
            event = world.received(SHOP)[-1]
            assert event["message_type"] == ("audio" if kind == "voice" else kind)
            assert await fetched(world, event) == content
        picture = bytes(range(256)) * 1000
        key = await world.upload(picture, "shot.png", "image/png")
        message = {"type": "image", "file_key": key, "text": "see this"}
        answer = await world.send(SHOP, MEI, message=message)
        assert answer.status_code == 200, answer.text
        [told] = await world.sent()
        assert told["message"]["imageMessage"]["caption"] == "see this"
        assert world.file_of(told) == picture


def re_uploads(world: DeviceWorld) -> list[str]:
    """The ids of messages whose file the phone is asked to upload again, from now on."""
    take, asked = world.relay.relay.receipts.take, list[str]()

    def watched(sender: Device, node: Node) -> Node:
        if node.get("type") == "server-error":
            asked.append(node.need("id"))
        return take(sender, node)

    world.relay.relay.receipts.take = watched  # type: ignore[method-assign]
    return asked


async def test_a_file_that_has_expired_is_asked_for_once(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        media = {"type": "image", "content": base64.b64encode(b"picture" * 100).decode()}
        await world.order("messages", **{"from": MEI}, to=SHOP, media=media)
        await world.inbox.until(lambda: world.received(SHOP))
        await world.do("expire_media")
        asked = re_uploads(world)
        assert await fetched(world, world.received(SHOP)[0]) == b"picture" * 100
        assert len(asked) == 1


async def test_what_the_owner_writes_on_the_phone_is_an_echo(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.order("messages", **{"from": SHOP}, to=MEI, text="from my phone")
        await world.inbox.until(lambda: world.received(SHOP, "provider.event"))
        [echo] = world.received(SHOP, "provider.event")
        assert echo["data"]["event"]["name"] == "message_echo"
        assert echo["data"]["message"]["direction"] == "outbound"
        assert echo["data"]["message"]["text"] == "from my phone"
        assert echo["data"]["conversation"]["id"] == CHAT
        assert not world.received(SHOP)


async def test_receipts_and_calls(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        sent = (await world.send(SHOP, MEI)).json()["data"]["message_id"]
        for status in ("read", "played"):
            await world.order("receipts", message_id=sent, status=status)
        await world.inbox.until(lambda: world.received(SHOP, "message.read"))
        await world.inbox.until(lambda: world.named(SHOP, "played"))
        assert world.named(SHOP, "played")[0]["data"]["event"]["message_id"] == sent
        await world.do("call", **{"from": MEI}, to=SHOP)
        await world.inbox.until(lambda: world.named(SHOP, "call"))
        [call] = world.named(SHOP, "call")
        assert call["data"]["event"]["state"] == "offer"
        assert call["data"]["sender"]["id"] == CHAT


async def test_somebody_who_never_wrote_needs_a_token(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, tokens_required=True)
        await world.do("account", phone=MEI)
        refused = await world.send(SHOP, MEI)
        assert refused.json()["error"]["outcome"] == "rejected", refused.text
        assert refused.json()["error"]["reason"] == "contact_not_reachable"
        assert refused.json()["error"]["provider"]["code"] == "463"
        await world.do("token", **{"from": MEI}, to=SHOP)
        await world.settled(SHOP)
        assert (await world.send(SHOP, MEI)).status_code == 200


async def test_the_account_moves_to_lid_addressing(tmp_path: Path) -> None:
    """The platform refuses the former kind of names; the message is sent in the other one."""
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        assert (await world.send(SHOP, MEI, "by number")).status_code == 200
        world.relay.relay.account(SHOP).lid_addressed = True
        assert (await world.send(SHOP, MEI, "by lid")).status_code == 200
        world.relay.relay.account(SHOP).lid_addressed = False
        assert (await world.send(SHOP, MEI, "by number again")).status_code == 200
        texts = [told["text"] for told in await world.sent()]
        assert texts == ["by number", "by lid", "by number again"]


async def test_a_customer_with_a_new_number(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, lid_addressed=True)
        await world.order("messages", **{"from": MEI}, to=SHOP, text="hello")
        await world.inbox.until(lambda: world.received(SHOP))
        mei = world.relay.relay.account(MEI)
        del world.relay.relay.directory._by_phone[MEI]
        mei.phone = TOM
        world.relay.relay.directory._by_phone[TOM] = mei
        await world.order("messages", **{"from": TOM}, to=SHOP, text="me again")
        await world.inbox.until(lambda: len(world.received(SHOP)) == 2)
        [moved] = world.received(SHOP, "conversation.updated")
        assert moved["data"]["event"]["previous_id"] == CHAT
        assert moved["data"]["event"]["reason"] == "number_changed"
