"""Linked devices of WhatsApp: lost sessions at either side, prekeys that run out or get old, repeats."""

import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from tests.device_world import SHOP, DeviceWorld, device_world, until
from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.signal.keys import Bundle
from unifyport.protocols.signal.record import Record
from unifyport.protocols.signal.sessions import start_session
from unifyport.providers.whatsapp.device import prekeys
from unifyport.sandbox.whatsapp.device.directory import Device
from unifyport.sandbox.whatsapp.device.phone import Phone
from unifyport.sandbox.whatsapp.device.stanzas import Refused

ANNA = "6581000001"


def device_of(world: DeviceWorld) -> Device:
    """What the platform has of the linked account."""
    [device] = world.relay.relay.account(SHOP).companions
    return device


def phone_of(world: DeviceWorld, number: str = ANNA) -> Phone:
    return world.relay.phones[world.relay.customers.person(number)]


async def write(world: DeviceWorld, text: str, sender: str = ANNA) -> None:
    await world.order("messages", **{"from": sender, "to": SHOP, "text": text})


def read_by_phones(world: DeviceWorld) -> list[str]:
    """What phones decrypted of what linked devices sent to them, each as often as it did."""
    read = [each for phone in world.relay.phones.values() for each in phone.read]
    found = [each for each in read if each.sender.number and not each.echo]
    return [each.message.conversation or each.message.extendedTextMessage.text for each in found]


def bundle_with(device: Device) -> Bundle:
    """The keys of a device without a one-time prekey."""
    signed = device.signed_prekey
    return Bundle(1, device.identity, int.from_bytes(signed.id), signed.public, signed.signature)


def receipts(world: DeviceWorld, kind: str) -> int:
    """How many receipts of a kind the platform has got from linked devices."""
    return sum(
        node.tag == "receipt" and node.get("type") == kind
        for device, node in world.relay.relay.seen
        if device
    )


async def greeted(world: DeviceWorld) -> None:
    """An account and a customer who have written to each other."""
    await world.link(SHOP)
    await write(world, "hello")
    await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
    assert (await world.send(SHOP, ANNA, "hello Anna")).status_code == 200
    assert read_by_phones(world) == ["hello Anna"]


async def reconnect(world: DeviceWorld) -> None:
    logins = device_of(world).logins
    await world.do("stream_error", phone=SHOP, code=503)
    await until(lambda: device_of(world).logins > logins)


async def test_a_phone_that_lost_its_session_gets_the_message_again(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await greeted(world)
        phone_of(world).keys.forget(device_of(world))
        assert (await world.send(SHOP, ANNA, "are you there?")).status_code == 200
        await until(lambda: len(read_by_phones(world)) == 2)
        assert read_by_phones(world) == ["hello Anna", "are you there?"]
        await write(world, "I am")
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello", "I am"])
        assert (await world.send(SHOP, ANNA, "good")).status_code == 200
        assert read_by_phones(world)[-1] == "good"


async def test_a_message_of_a_session_that_we_do_not_have_is_asked_for_again(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await greeted(world)
        phone, device = phone_of(world), device_of(world)
        record = start_session(Record(), bundle_with(device), phone.keys.identity)
        assert record.current is not None
        lost = msgspec.structs.replace(record.current, pending=None)  # one that we have never heard of
        phone.keys._records[device] = Record(record.identity, lost)
        await write(world, "can you read this?")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        assert world.texts(SHOP) == ["hello", "can you read this?"]
        assert receipts(world, "retry") == 1
        assert (await world.send(SHOP, ANNA, "I can")).status_code == 200
        assert read_by_phones(world)[-1] == "I can"


async def test_a_group_message_without_its_sender_key_is_asked_for_again(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await greeted(world)
        group = (await world.do("group", subject="Ops", phones=[ANNA, SHOP]))["id"]
        phone, device = phone_of(world), device_of(world)
        found = world.relay.relay.groups.find(Jid.parse(group))
        assert found is not None
        phone.keys.holders(found).add(device)  # it believes that we have its key
        await world.order("messages", **{"from": ANNA, "to": group, "text": "to all"})
        await world.inbox.until(lambda: "to all" in world.texts(SHOP))
        assert world.texts(SHOP) == ["hello", "to all"]
        assert receipts(world, "retry") == 1


async def test_what_is_delivered_twice_is_told_once(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await greeted(world)
        await world.do("repeat", count=20)
        for number in range(20):
            await write(world, f"{number}")
        await write(world, "end")
        await world.inbox.until(lambda: "end" in world.texts(SHOP))
        assert world.texts(SHOP) == ["hello", *map(str, range(20)), "end"]
        assert receipts(world, "retry") == 0


async def test_strangers_who_use_up_all_prekeys_are_all_read(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await until(lambda: len(device_of(world).prekeys) == prekeys.FIRST_UPLOAD)
        await world.do("drop_prekeys", phone=SHOP, left=0)
        expected = []
        for number in range(40):
            expected.append(f"stranger {number}")
            await write(world, expected[-1], sender=f"658200{number:04}")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 40)
        assert sorted(world.texts(SHOP)) == sorted(expected)
        await until(lambda: len(device_of(world).prekeys) >= prekeys.ENOUGH)
        uploads = [node for _, node in world.relay.relay.seen if node.child("list", "key")]
        assert len(uploads) == 2


async def test_an_upload_whose_answer_is_lost_is_repeated_with_the_same_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with device_world(tmp_path) as world:
        room = world.relay.relay.prekeys
        upload, ids = room._upload, []

        def lose(device, iq):
            ids.append([key.bytes_of("id") for key in iq.child("list").all("key")])
            upload(device, iq)
            if len(ids) == 1:
                raise Refused(500, "internal-server-error")
            return ()

        monkeypatch.setattr(room, "_upload", lose)
        await world.link(SHOP)
        await until(lambda: len(ids) == 1)
        used = device_of(world).prekeys[0][0]
        await write(world, "hello")
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
        await reconnect(world)
        await until(lambda: len(ids) == 2)
        assert ids[1] == [id_ for id_ in ids[0] if id_ != used]


async def test_keys_that_the_platform_does_not_have_as_we_do_are_uploaded(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await greeted(world)
        device = device_of(world)
        await until(lambda: len(device.prekeys) > prekeys.ENOUGH)
        right = device.signed_prekey
        device.signed_prekey = type(right)(right.id, bytes(32), right.signature)
        await reconnect(world)
        await until(lambda: device.signed_prekey == right)


async def test_a_signed_prekey_is_replaced_and_the_former_one_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with device_world(tmp_path) as world:
        await greeted(world)
        device = device_of(world)
        former = device.signed_prekey
        late = "6581000002"
        phone_of(world, late).keys.encrypt(device, b"")  # begins a session, and its message never comes
        days = prekeys.ROTATE_DAYS * 86_400
        real = time.time
        monkeypatch.setattr(prekeys, "time", SimpleNamespace(time=lambda: real() + days))
        await reconnect(world)
        await until(lambda: device.signed_prekey.id != former.id)
        await write(world, "with the former key", sender=late)
        await write(world, "with the new key", sender="6581000003")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 3)
        assert sorted(world.texts(SHOP)) == ["hello", "with the former key", "with the new key"]
        assert receipts(world, "retry") == 0


async def test_a_sender_whose_messages_all_fail_uses_up_one_key(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await greeted(world)
        phone = phone_of(world, "6581000009")
        other = device_of(world)
        phone.keys._records[other] = start_session(Record(), bundle_with(other), phone.keys.identity)
        lost = phone.keys._records[other].current
        assert lost is not None
        phone.keys._records[other] = Record(other.identity, msgspec.structs.replace(lost, pending=None))
        for number in range(10):
            kind, body = phone.keys.encrypt(other, b"never read")
            assert kind == "msg"
            about = {"id": f"X{number}", "from": str(phone.account.phone_jid), "t": "1", "type": "text"}
            other.deliver(Node("message", about, [Node("enc", {"v": "2", "type": kind}, body)]))
        await until(lambda: receipts(world, "retry") == 10)
        given = {
            node.bytes_of("keys", "key", "id")
            for _, node in world.relay.relay.seen
            if node.get("type") == "retry" and node.child("keys") is not None
        }
        assert len(given) == 1


async def test_a_prekey_that_is_not_kept_any_more_costs_one_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its properties the connection asks for the last thing after a login; keys are removed by then."""
    monkeypatch.setattr(prekeys, "KEPT", prekeys.FIRST_UPLOAD - 1)  # all but the first
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await until(lambda: len(device_of(world).prekeys) == prekeys.FIRST_UPLOAD)
        await until(lambda: any(node.get("xmlns") == "abt" for _, node in world.relay.relay.seen))
        await write(world, "with an old key")
        await world.inbox.until(lambda: world.texts(SHOP) == ["with an old key"])
        assert receipts(world, "retry") == 1
