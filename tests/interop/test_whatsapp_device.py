"""Our linked devices converse with those of others: people, groups, own devices, kinds of addresses."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.device_world import MEI, SHOP, TOM, DeviceWorld, device_world

from . import device_peers as peers
from .device_peers import KINDS
from .device_talk import MEI_CHAT, talk

pytestmark = pytest.mark.interop


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
@pytest.mark.parametrize("kind", KINDS)
async def test_prekeys_of_both_sides_run_out(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        device = t.world.device(SHOP)
        former = {id for id, _ in device.prekeys}
        for phone in (SHOP, MEI):
            await t.world.do("drop_prekeys", phone=phone)
        await t.send("without a one-time key")
        await t.client.event("message", text="without a one-time key")
        await t.ask("text", text="and back")
        await t.event("message.received", text="and back")
        await peers.until(lambda: len(device.prekeys) > 10)
        assert not former & {id for id, _ in device.prekeys}


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


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        ("baileys", False, True),
        ("baileys", True, False),
        ("whatsmeow", False, True),
        ("whatsmeow", True, False),
        ("pyaileys", False, False),
    ],
)
async def test_accounts_of_both_kinds_of_address(kind: str, ours: bool, theirs: bool, tmp_path: Path) -> None:
    """`ours`, `theirs`: whether that account addresses people by LID. whatsmeow cannot write by number."""
    async with device_world(tmp_path) as world:
        await world.link(SHOP, lid_addressed=ours)
        mei = world.relay.account(MEI, lid_addressed=theirs)
        shop = world.relay.relay.account(SHOP)
        group = (await world.do("group", subject="By number", phones=[SHOP, MEI], addressing="pn"))["id"]
        async with peers.linked(world.relay, kind, tmp_path / kind, mei) as client:
            for number in range(2):
                assert (await world.send(SHOP, MEI_CHAT, f"{number}")).status_code == 200
                await client.event("message", text=f"{number}")
            if (kind, theirs) != ("whatsmeow", False):
                await client.ask("text", to=str(shop.jid(lid=theirs)), text="and back")
                await world.inbox.until(lambda: world.texts(SHOP))
                [event] = world.received(SHOP)
                assert event["data"]["conversation"]["id"] == MEI_CHAT
            await client.ask("text", to=group, text="in the group")
            await world.inbox.until(lambda: "in the group" in world.texts(SHOP))
            for text in ("first in the group", "second in the group"):
                assert (await world.send(SHOP, group, text)).status_code == 200
            await client.event("message", text="second in the group")
