"""Behaviours of a linked device of WhatsApp that no other test of the channel shows."""

import base64
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.device_world import MEI, SHOP, TOM, DeviceWorld, device_world
from tests.harness import whatsapp_data
from tests.parity.disk import SlowDisk
from unifyport.protocols.binary_node import Node
from unifyport.providers.whatsapp.device import link, requests, socket

CHAT = f"{MEI}@s.whatsapp.net"


async def write(world: DeviceWorld, text: str = "hello", sender: str = MEI, **more: Any) -> str:
    order = {"from": sender, "to": SHOP, "text": text, **more}
    return str((await world.order("messages", **order))["message_id"])


def protocol(change: str, target: str, at: int, **more: Any) -> dict[str, Any]:
    """A message that changes another one."""
    key = {"ID": target, "fromMe": True, "remoteJID": CHAT}
    return {"protocolMessage": {"key": key, "type": change, "timestampMS": str(at), **more}}


async def test_an_older_edit_and_one_of_a_message_that_was_never_seen(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        id_, now = await write(world), time.time_ns() // 1_000_000
        for text, at in (("newer", now), ("older", now - 5000)):
            edit = protocol("MESSAGE_EDIT", id_, at, editedMessage={"conversation": text})
            await write(world, message=edit)
        unseen = protocol("MESSAGE_EDIT", "3EB0UNSEEN", now, editedMessage={"conversation": "unseen"})
        await write(world, message=unseen)
        await world.inbox.until(lambda: len(world.received(SHOP, "message.updated")) == 2)
        edits = [(e["message_id"], e["text"]) for e in world.received(SHOP, "message.updated")]
        assert edits == [(id_, "newer"), ("3EB0UNSEEN", "unseen")]


async def test_a_pressed_button(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        pressed = {"selectedButtonID": "yes", "selectedDisplayText": "Yes, please"}
        await write(world, message={"buttonsResponseMessage": pressed})
        await world.inbox.until(lambda: world.received(SHOP))
        message = world.received(SHOP)[0]["data"]["message"]
        assert (message["type"], message["text"]) == ("text", "Yes, please")
        assert message["button"]["id"] == "yes"


async def test_what_cannot_be_read_costs_itself_only(tmp_path: Path) -> None:
    """Damaged stanzas, a bomb, one without an id, one that does not decrypt, and unknown ones."""
    async with device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        receiver = world.device(SHOP).receiver
        assert receiver is not None
        mei = f"{MEI}@s.whatsapp.net"
        now = str(int(time.time()))
        receiver.push(b"\x00\xf8\x05garbage")  # type: ignore[arg-type]
        receiver.push(Node("message", {"from": mei, "t": now}))
        receiver.push(Node("message", {"from": mei, "id": "", "t": now}, [Node("enc", {}, b"x")]))
        broken = Node("enc", {"v": "2", "type": "msg"}, b"\x33not a message")
        receiver.push(Node("message", {"from": mei, "id": "3EB0BAD", "t": now}, [broken]))
        receiver.push(Node("surprise", {"from": mei, "id": "3EB0SUR"}))
        receiver.push(Node("receipt", {"id": "3EB0R"}))
        receiver.push(Node("notification", {"type": "unheard", "from": mei, "id": "n1", "t": now}))
        await write(world, "still here")
        await world.inbox.until(lambda: world.texts(SHOP) == ["still here"])
        assert world.named(SHOP, "unheard")
        account = await world.api.data("GET", f"/v1/accounts/{id_}")
        assert account["runtime_status"] == "running"
        acks = [node.get("id") for _, node in world.relay.relay.seen if node.tag == "ack"]
        assert {"3EB0BAD", "3EB0R", "n1"} <= set(acks)


async def test_a_kind_that_nobody_knows(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await write(world, message={"keepInChatMessage": {"key": {"ID": "3EB0"}}})
        await write(world, message={"secretEncryptedMessage": {"encPayload": "AAAA"}})
        await world.inbox.until(lambda: world.received(SHOP))
        [event] = world.received(SHOP)
        assert event["message_type"] == "unknown"
        assert event["text"].startswith("[")
        assert world.named(SHOP, "message_kept")


async def test_only_own_devices_change_the_account(tmp_path: Path) -> None:
    """A stranger's pointer to history, or a mapping of ids, is content at most."""
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        pointer = {"type": "HISTORY_SYNC_NOTIFICATION", "historySyncNotification": {"directPath": "/v/x"}}
        await write(world, message={"protocolMessage": pointer})
        copy = {"destinationJID": f"{TOM}@s.whatsapp.net", "message": {"conversation": "as if from the shop"}}
        await write(world, message={"deviceSentMessage": copy})
        await write(world, "end")
        await world.inbox.until(lambda: "end" in world.texts(SHOP))
        assert not world.named(SHOP, "message_echo")
        assert not [call for call in world.relay.connections if call["method"] == "download"]
        assert "as if from the shop" not in world.texts(SHOP)


async def test_history_brings_ids_and_no_messages(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        mei = world.relay.customers.account(MEI)
        sync = {
            "syncType": "RECENT",
            "conversations": [
                {
                    "ID": CHAT,
                    "ephemeralExpiration": 604_800,
                    "messages": [{"message": {"key": {"ID": "3EB0OLD"}, "message": {"conversation": "old"}}}],
                }
            ],
            "phoneNumberToLidMappings": [{"pnJID": CHAT, "lidJID": str(mei.lid_jid)}],
        }
        await world.do("history", phone=SHOP, sync=sync)
        await world.settled(SHOP)
        await write(world)
        await world.inbox.until(lambda: world.received(SHOP))
        with trio.fail_after(10):  # a blob is read a moment after it was acknowledged
            while True:
                assert (await world.send(SHOP, MEI, "hi")).status_code == 200
                told = (await world.sent())[-1]["message"]
                if "extendedTextMessage" in told:
                    break
        assert told["extendedTextMessage"]["contextInfo"]["expiration"] == 604_800
        assert world.texts(SHOP) == ["hello"]


async def test_we_are_removed_from_a_group(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        group = (await world.do("group", subject="Ops", phones=[MEI, SHOP]))["id"]
        await world.do("leave", group=group, phone=SHOP)
        await world.inbox.until(lambda: "member_removed" in str(world.received(SHOP, "group.updated")))
        [event] = [e for e in world.received(SHOP, "group.updated") if "member_removed" in str(e)]
        assert event["data"]["changes"][0]["member_ids"] == [f"{SHOP}@s.whatsapp.net"]
        refused = await world.send(SHOP, group)
        assert refused.json()["error"]["reason"] == "not_a_member"


async def test_a_number_by_both_connections(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        linked = await world.link(SHOP)
        body = {"provider": "whatsapp", "auth_mode": "token", "provider_data": whatsapp_data()}
        made = await world.api.data("POST", "/v1/accounts", body)
        assert made["id"] != linked
        await world.api.until(
            lambda found: found["runtime_status"] == "running", f"/v1/accounts/{made['id']}"
        )
        await write(world)
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])


async def test_no_acknowledgement_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        assert (await world.send(SHOP, MEI)).status_code == 200
        monkeypatch.setattr(requests, "ANSWER_SECONDS", 0.2)
        await world.do("silent", phone=SHOP)
        answer = await world.send(SHOP, MEI)
        assert answer.json()["error"]["outcome"] == "unknown", answer.text


async def test_a_silent_connection_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PING_SECONDS", 0.2)
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        logins = world.device(SHOP).logins
        monkeypatch.setattr(requests, "ANSWER_SECONDS", 0.5)
        monkeypatch.setattr(socket, "SILENCE_SECONDS", 0.5)
        await world.do("silent", phone=SHOP)
        await world.inbox.until(lambda: "no_answer" in str(world.received(SHOP, "account.status.updated")))
        monkeypatch.setattr(requests, "ANSWER_SECONDS", 20.0)
        monkeypatch.setattr(socket, "SILENCE_SECONDS", 90.0)
        await world.logged_in(SHOP, logins + 1)
        await write(world)
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])


async def test_requests_that_the_platform_limits_do_not_end_the_connection(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        await world.do("limit", xmlns="usync")
        refused = await world.send(SHOP, MEI)
        assert refused.json()["error"]["outcome"] == "not_sent", refused.text
        world.relay.relay.limited.clear()
        assert (await world.send(SHOP, MEI)).status_code == 200
        assert world.device(SHOP).logins == 1


async def test_while_the_store_is_slow_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.settled(SHOP)
        disk.stall()
        try:
            id_ = await write(world, "once")
            await trio.sleep(0.3)  # nothing happens, so there is nothing to wait for
            assert id_ not in [node.get("id") for _, node in world.relay.relay.seen if node.tag == "ack"]
        finally:
            disk.go_on()
        await world.inbox.until(lambda: world.texts(SHOP) == ["once"])
        await world.settled(SHOP)


async def test_receipts_out_of_order_are_told_as_they_come(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        sent = (await world.send(SHOP, MEI)).json()["data"]["message_id"]
        await world.order("receipts", message_id=sent, status="read")
        await world.inbox.until(lambda: world.received(SHOP, "message.read"))
        await world.order("receipts", message_id=sent, status="delivered")
        await world.inbox.until(lambda: world.received(SHOP, "message.delivered"))


async def test_a_file_is_fetched_on_receipt(tmp_path: Path) -> None:
    async with device_world(tmp_path, more='[media]\nfetch = "on_receive"\n') as world:
        await world.link(SHOP)
        content = bytes(range(256)) * 300
        media = {"type": "image", "content": base64.b64encode(content).decode()}
        await write(world, media=media)
        await world.inbox.until(lambda: world.received(SHOP))
        with trio.fail_after(10):
            while not [call for call in world.relay.connections if call["method"] == "download"]:
                await trio.sleep(0.01)  # the media server has no event to wait for
        await trio.sleep(0.3)
        world.relay.media.files.clear()
        [file] = world.received(SHOP)[0]["data"]["message"]["attachments"]
        assert (await world.api.http.get(file["url"])).content == content
