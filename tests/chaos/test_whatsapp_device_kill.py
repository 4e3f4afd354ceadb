"""kill -9 of a gateway with a linked device of WhatsApp, before and after each of its commits, under traffic.

Nothing is lost, nothing is told or sent twice, and neither side meets a message that it cannot decrypt.
"""

import os
import random
import signal
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.device_world import SHOP
from tests.harness import Process, Receiver, endpoint, free_port, receiver, sandbox, write_config
from tests.linked_world import QUICK
from unifyport.protocols.binary_node import Node
from unifyport.sandbox.whatsapp.device.directory import Device
from unifyport.sandbox.whatsapp.device.platform import DevicePlatform

pytestmark = pytest.mark.chaos

KILLS = 20 if os.environ.get("CHAOS") == "full" else 1  # before, and after, each of the commits
POINTS = ("accept", "sending", "outcome", "receive", "prekey")  # see `whatsapp_device_server.py`
SCRIPT = Path(__file__).with_name("whatsapp_device_server.py")
CUSTOMERS = ("6581000001", "6581000002", "6581000003")
LATEST = 3  # of the commits of a kind, the one at which it dies
SENDERS = 3


@attrs.define
class Traffic:
    """What customers wrote, and what callers know of their sends."""

    relay: DevicePlatform
    process: Process
    rng: random.Random
    account_id: str
    written: list[str] = attrs.field(factory=list)
    outcomes: dict[str, str] = attrs.field(factory=dict)  # text -> outcome; `""`: the caller was cut off
    over: bool = False

    async def write(self) -> None:
        """Customers write, also while the gateway is down; now and then it is somebody's first message."""
        while not self.over:
            new = len(self.written) % 4 == 0
            sender = f"6582{len(self.written):06}" if new else self.rng.choice(CUSTOMERS)
            self.written.append(f"in {len(self.written)}")
            self.relay.receive({"from": sender, "to": SHOP, "text": self.written[-1]})
            await trio.sleep(0.03)

    async def send(self, number: int) -> None:
        """A caller sends one text after another."""
        for count in range(100_000):
            if self.over:
                return
            text = f"out {number} {count}"
            self.outcomes[text] = await self.outcome(text, self.rng.choice(CUSTOMERS))

    async def outcome(self, text: str, to: str) -> str:
        body = {
            "account_id": self.account_id,
            "to": {"id": to, "type": "user"},
            "message": {"type": "text", "text": text},
        }
        try:
            answer = await self.process.client("POST", "/v1/messages", body)
        except httpx.TransportError:
            await trio.sleep(0.05)
            return ""
        if answer.is_success:
            return "sent"
        return str(answer.json()["error"].get("outcome", "not_sent"))


def lives(rng: random.Random) -> list[str]:
    """At which of its commits each process kills itself, in a random order of the kinds.

    After one of `receive` or `prekey`, the acknowledgement is owed: the platform delivers that message again.
    """
    moments = [(when, what) for when in ("before", "after") for what in POINTS] * KILLS
    rng.shuffle(moments)
    return [f"{when} {what} {rng.randint(1, LATEST)}" for when, what in moments]


def judge(traffic: Traffic, inbox: Receiver) -> None:
    told = defaultdict(set)
    for event in inbox.of("message.received"):
        told[event["text"]].add(event["id"])
    assert set(told) == set(traffic.written)
    assert [text for text, ids in told.items() if len(ids) > 1] == []
    found = [each for phone in traffic.relay.phones.values() for each in phone.read]
    messages = [each.message for each in found if each.sender.number and not each.echo]
    read = Counter(message.conversation or message.extendedTextMessage.text for message in messages)
    assert [text for text, count in read.items() if count > 1] == []
    for text, outcome in traffic.outcomes.items():
        if outcome == "sent":
            assert read[text] == 1, f"{text}: sent, and not there"
        if outcome == "not_sent":
            assert read[text] == 0, f"{text}: not sent, and there"


async def link(process: Process, relay: DevicePlatform, account_id: str) -> None:
    shown = await process.client.until(
        lambda auth: auth.get("auth_payload", {}).get("qr_code"), f"/v1/accounts/{account_id}/auth"
    )
    relay.push({"do": "scan", "qr": shown["auth_payload"]["qr_code"], "phone": SHOP})


async def running(process: Process, account_id: str) -> None:
    await process.client.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account_id}", 30)


def device_platform(platforms: Any) -> DevicePlatform:
    found = platforms.sandbox.platforms["whatsapp-device"]
    assert isinstance(found, DevicePlatform)
    return found


async def test_a_conversation_goes_on_after_each_kill(tmp_path: Path) -> None:
    rng = random.Random(7)
    ends = lives(rng)
    async with sandbox() as platforms, receiver() as inbox:
        relay, port = device_platform(platforms), free_port()
        failures = watch_failures(relay)
        more = endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port, SCRIPT)
        relay.account(SHOP)
        await process.start()
        try:
            body = {"provider": "whatsapp", "auth_mode": "qrcode"}
            id_ = (await process.client.data("POST", "/v1/accounts", body))["id"]
            await process.client.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
            await link(process, relay, id_)
            await running(process, id_)
            await process.kill()
            traffic = Traffic(relay, process, rng, id_)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(traffic.write)
                for number in range(SENDERS):
                    nursery.start_soon(traffic.send, number)
                for end in ends:
                    await process.start_with({"DIE_AT": end})
                    assert await process.ended() == -signal.SIGKILL, f"it did not come to {end!r}"
                await process.start()
                with trio.move_on_after(1):  # both directions go on
                    await trio.sleep_forever()
                traffic.over = True
            await inbox.until(
                lambda: {e["text"] for e in inbox.of("message.received")} == set(traffic.written), 60
            )
            await running(process, id_)
            for customer in CUSTOMERS:
                assert await traffic.outcome(f"last to {customer}", customer) == "sent"
                traffic.outcomes[f"last to {customer}"] = "sent"
            judge(traffic, inbox)
            assert failures() == []
            assert "sent" in Counter(traffic.outcomes.values())
            assert "Traceback" not in process.log.read_text()
            assert await process.stop() == 0
        finally:
            await process.kill()


def watch_failures(relay: DevicePlatform) -> Any:
    """Returns what tells of messages that either side could not decrypt."""
    take = relay.relay.receipts.take
    asked: list[str] = []

    def watched(sender: Device, node: Node) -> Node:
        if node.get("type") == "retry":
            asked.append(f"{sender.phone_jid} asks for {node.get('id')} again")
        return take(sender, node)

    relay.relay.receipts.take = watched  # type: ignore[method-assign]
    return lambda: asked + [error for phone in relay.phones.values() for error in phone.broken]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_when_the_phone_has_scanned_the_code(tmp_path: Path, when: str) -> None:
    """Before the commit the login has failed, and the next one succeeds; after it the account runs."""
    async with sandbox() as platforms, receiver() as inbox:
        relay, port = device_platform(platforms), free_port()
        more = endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port, SCRIPT)
        relay.account(SHOP)
        await process.start()
        try:
            body = {"provider": "whatsapp", "auth_mode": "qrcode"}
            id_ = (await process.client.data("POST", "/v1/accounts", body))["id"]
            await process.kill()
            await process.start_with({"DIE_AT": f"{when} pair 1"})
            await ready(process)
            await process.client.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
            await link(process, relay, id_)
            assert await process.ended() == -signal.SIGKILL
            await process.start()
            auth = await process.client.until(
                lambda a: a["status"] in ("authorized", "failed"), f"/v1/accounts/{id_}/auth"
            )
            assert auth["status"] == ("failed" if when == "before" else "authorized")
            if when == "before":
                assert auth["last_error"] == "login_interrupted"
                await process.client.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
                await link(process, relay, id_)
            await running(process, id_)
            relay.receive({"from": CUSTOMERS[0], "to": SHOP, "text": "hello"})
            await inbox.until(lambda: [e["text"] for e in inbox.of("message.received")] == ["hello"])
            succeeded = {event["id"] for event in inbox.of("account.auth.succeeded")}
            assert len(succeeded) == 1
            assert await process.stop() == 0
        finally:
            await process.kill()


async def ready(process: Process) -> None:
    with trio.fail_after(20):
        while True:
            try:
                if (await process.client.http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await trio.sleep(0.02)
