"""The relay of linked devices, as a client sees it that does what clients must not."""

from typing import Any

import pytest
import trio
import trio_websocket

from tests.relay_client import ALICE, BOB, Device, connected, link, message, relay
from unifyport.protocols.binary_node import Node
from unifyport.protocols.curve import KeyPair
from unifyport.protocols.whatsapp.certificates import UntrustedServer
from unifyport.protocols.whatsapp.frames import to_frame
from unifyport.sandbox.whatsapp.device.platform import DevicePlatform


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificates are valid at the time that the clients here have."""
    monkeypatch.setattr("unifyport.sandbox.whatsapp.device.trust.time.time", lambda: 1_900_000_000.0)


async def test_a_certificate_for_another_key_is_no_proof() -> None:
    async with relay() as platform:
        platform.keys.issue(KeyPair.generate().public)
        device = Device()
        with pytest.raises(UntrustedServer):
            async with connected(platform, device, device.registration()):
                pass


async def test_a_device_is_linked_and_logs_in() -> None:
    async with relay() as platform:
        account = platform.account(ALICE)
        device = await link(platform)
        async with connected(platform, device, device.login()) as wire:
            success = await wire.receive("success")
            assert success.get("lid") == str(account.devices[1].lid_jid)
            assert (await wire.receive("ib")).child("offline") is not None


async def test_each_code_can_be_scanned_for_its_time(mock_clock: trio.testing.MockClock) -> None:
    async with relay() as platform:
        account, device = platform.account(ALICE), Device()
        async with connected(platform, device, device.registration()) as wire:
            asked = (await wire.receive("iq")).child("pair-device")
            assert asked is not None
            first, second, *_ = (device.code(ref) for ref in asked.all("ref"))
            mock_clock.jump(61)
            with pytest.raises(ValueError, match="expired"):
                platform.relay.pairing.scan(first, account)
            platform.relay.pairing.scan(second, account)
            assert (await wire.receive("iq")).child("pair-success") is not None


@pytest.mark.parametrize("refusal", [{"reason": "402", "expire": "3600"}, {"reason": "405"}])
async def test_logins_are_refused_on_order(refusal: dict[str, str]) -> None:
    async with relay() as platform:
        platform.account(ALICE)
        device = await link(platform)
        platform.push({"do": "refuse", "phone": ALICE, **refusal})
        async with connected(platform, device, device.login()) as wire:
            assert (await wire.receive("failure")).attrs == refusal
        platform.push({"do": "refuse", "phone": ALICE})
        async with connected(platform, device, device.login()) as wire:
            await wire.receive("success")


async def test_a_device_that_was_removed_cannot_log_in() -> None:
    async with relay() as platform:
        platform.account(ALICE)
        device = await link(platform)
        async with connected(platform, device, device.login()) as wire:
            await wire.receive("success")
            platform.push({"do": "unlink", "phone": ALICE})
            error = await wire.receive("stream:error")
            assert error.get("code") == "401"
            [conflict] = error.children
            assert conflict.get("type") == "device_removed"
        async with connected(platform, device, device.login()) as wire:
            assert (await wire.receive("failure")).get("reason") == "401"


async def test_another_noise_key_cannot_log_in() -> None:
    async with relay() as platform:
        platform.account(ALICE)
        device = await link(platform)
        device.noise = KeyPair.generate()
        async with connected(platform, device, device.login()) as wire:
            assert (await wire.receive("failure")).get("reason") == "401"


async def test_a_second_connection_replaces_the_first() -> None:
    async with relay() as platform:
        platform.account(ALICE)
        device = await link(platform)
        async with connected(platform, device, device.login()) as first:
            await first.receive("success")
            async with connected(platform, device, device.login()) as second:
                await second.receive("success")
                [conflict] = (await first.receive("stream:error")).children
                assert conflict.get("type") == "replaced"


async def test_a_replayed_frame_ends_the_connection() -> None:
    async with relay() as platform:
        platform.account(ALICE)
        device = await link(platform)
        async with connected(platform, device, device.login()) as wire:
            await wire.receive("success")
            await wire.raw(to_frame(b"not what the keys have sealed"))
            with pytest.raises(trio_websocket.ConnectionClosed):
                await wire.receive("iq")


@pytest.mark.parametrize(
    ("to", "named", "error"),
    [
        ("bob@lid", "bob:0@lid", ""),
        ("bob@s.whatsapp.net", "bob:0@s.whatsapp.net", "463"),
        ("bob@lid", "bob:0@s.whatsapp.net", "479"),
        ("bob@lid", "carol:0@lid", "479"),
        ("999@lid", "999@lid", "404"),
    ],
)
async def test_a_message_that_is_addressed_wrongly_is_refused(to: str, named: str, error: str) -> None:
    async with relay() as platform:
        people = {name: platform.account(phone) for name, phone in (("bob", BOB), ("carol", "6593330003"))}
        platform.account(ALICE)
        device = await link(platform)
        async with connected(platform, device, device.login()) as wire:
            for name, account in people.items():
                for lid in (True, False):
                    jid = str(account.jid(lid=lid))
                    server = jid.partition("@")[2]
                    to = to.replace(f"{name}@{server}", jid)
                    named = named.replace(f"{name}:0@{server}", jid)
            await wire.send(message(to, participants=(named,)))
            assert (await wire.receive("ack")).get("error") == error


async def test_who_has_not_all_devices_is_told_their_hash() -> None:
    async with relay() as platform:
        platform.account(ALICE)
        bob = platform.account(BOB)
        device = await link(platform)
        async with connected(platform, device, device.login()) as wire:
            await wire.send(message(str(bob.lid_jid), participants=(str(bob.lid_jid),)))
            assert (await wire.receive("ack")).get("phash").startswith("2:")


async def test_queries_are_limited_and_unknown_ones_get_an_answer() -> None:
    async with relay() as platform:
        platform.account(ALICE)
        device = await link(platform)
        async with connected(platform, device, device.login()) as wire:
            assert (await wire.ask("w:unheard-of", "get", Node("what"))).get("type") == "result"
            platform.push({"do": "limit", "xmlns": "w:g2"})
            answer = await wire.ask("w:g2", "get", Node("query"), to="1@g.us")
            error = answer.child("error")
            assert error is not None
            assert error.get("code") == "429"
            platform.push({"do": "limit"})
            answer = await wire.ask("w:g2", "get", Node("query"), to="1@g.us")
            error = answer.child("error")
            assert error is not None
            assert error.get("code") == "404"


async def test_a_login_counter_that_is_not_raised_makes_the_relay_deaf() -> None:
    async with relay() as platform:
        account = platform.account(ALICE)
        device = await link(platform)
        platform.push({"do": "check_payload"})
        for counter, deaf in ((0, False), (1, False), (1, True)):
            async with connected(platform, device, device.login(counter=counter)) as wire:
                await wire.receive("success")
                receiver: Any = account.devices[1].receiver
                assert receiver.silent is deaf


@pytest.mark.parametrize(
    "order",
    [
        {"do": "nothing"},
        {"do": "scan", "qr": "x", "phone": "1"},
        {"do": "account", "phone": "abc"},
        {"do": "account", "phone": ALICE, "unknown": 1},
        {"do": "join", "group": "nowhere", "phone": ALICE},
        {"do": "history", "phone": ALICE, "sync": {"no": "field"}},
    ],
)
async def test_wrong_orders_are_refused(order: dict[str, Any]) -> None:
    platform = DevicePlatform()
    platform.account(BOB)
    with pytest.raises(ValueError):
        platform.push(order)


async def test_a_customer_who_writes_nothing_is_a_wrong_order() -> None:
    platform = DevicePlatform()
    with pytest.raises(ValueError, match="text: is missing"):
        platform.receive({"from": ALICE, "to": BOB, "reaction": "+1"})
    assert platform.receive({"from": ALICE, "to": BOB, "text": "hi"})["message_id"]
