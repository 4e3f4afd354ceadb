"""kill -9 of a gateway with a personal account of Zalo, before and after each of its commits, under traffic.

What customers write meanwhile is fetched afterwards: nothing is lost, nothing is told or sent twice, and the
texts of a customer keep their order.
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

from tests.harness import Process, Receiver, endpoint, free_port, receiver, sandbox, write_config
from tests.zalo_world import QUICK, SHOP
from unifyport.sandbox.zalo.personal.platform import ZaloPersonalPlatform

pytestmark = pytest.mark.chaos

KILLS = 20 if os.environ.get("CHAOS") == "full" else 0  # before, and after, each of the commits
POINTS = ("accept", "sending", "outcome", "receive")
SCRIPT = Path(__file__).with_name("zalo_personal_server.py")
CUSTOMERS = ("9007199254741001", "9007199254741003", "9007199254741005")
LATEST = 3  # of the commits of a kind, the one at which it dies
SENDERS = 3


@attrs.define
class Traffic:
    """What customers wrote, and what callers know of their sends."""

    zalo: ZaloPersonalPlatform
    process: Process
    rng: random.Random
    account_id: str
    written: dict[str, list[str]] = attrs.field(factory=lambda: defaultdict(list))  # by customer
    outcomes: dict[str, str] = attrs.field(factory=dict)  # text -> outcome
    receivers: dict[str, str] = attrs.field(factory=dict)  # text -> customer
    over: bool = False

    @property
    def texts(self) -> set[str]:
        return {text for texts in self.written.values() for text in texts}

    async def write(self) -> None:
        """Customers write, also while the gateway is down."""
        number = 0
        while not self.over:
            sender, number = self.rng.choice(CUSTOMERS), number + 1
            self.written[sender].append(f"in {number}")
            self.zalo.receive({"from": sender, "to": SHOP, "text": f"in {number}"})
            await trio.sleep(0.02)

    async def send(self, number: int) -> None:
        """A caller sends one text after another."""
        for count in range(100_000):
            if self.over:
                return
            text = f"out {number} {count}"
            self.receivers[text] = self.rng.choice(CUSTOMERS)
            self.outcomes[text] = await self.outcome(text)

    async def outcome(self, text: str) -> str:
        """Send a text, or learn what became of it: it is its own idempotency key.

        A caller who is cut off asks again until the gateway is there.
        """
        body = {
            "account_id": self.account_id,
            "to": {"id": self.receivers[text], "type": "user"},
            "message": {"type": "text", "text": text},
        }
        headers = {"Idempotency-Key": text.replace(" ", "-")}
        while True:
            try:
                answer = await self.process.client("POST", "/v1/messages", body, headers=headers)
            except httpx.TransportError:
                await trio.sleep(0.05)  # a process has no event to wait for
                continue
            if answer.is_success:
                return "sent"
            return str(answer.json()["error"].get("outcome", "not_sent"))


def lives(rng: random.Random) -> list[str]:
    """At which of its commits each process kills itself, in a random order; by default at half of them."""
    moments = [(when, what) for when in ("before", "after") for what in POINTS] * KILLS
    rng.shuffle(moments)
    if not KILLS:
        moments = [("before", "receive"), ("after", "receive"), ("before", "outcome"), ("after", "sending")]
    return [f"{when} {what} {rng.randint(1, LATEST)}" for when, what in moments]


def told_texts(inbox: Receiver, customer: str) -> list[str]:
    """What was told of a customer, each event once, in the order of their first deliveries."""
    events: dict[str, str] = {}
    for event in inbox.of("message.received"):
        if event["from"] == customer:
            events.setdefault(event["id"], event["text"])
    return list(events.values())


def judge(traffic: Traffic, inbox: Receiver) -> None:
    for customer in CUSTOMERS:
        assert told_texts(inbox, customer) == traffic.written[customer]
    sent = Counter(told["text"] for told in traffic.zalo.sent())
    assert [text for text, count in sent.items() if count > 1] == []
    for text, outcome in traffic.outcomes.items():
        if outcome == "sent":
            assert sent[text] == 1, f"{text}: sent, and not there"
        if outcome == "not_sent":
            assert sent[text] == 0, f"{text}: not sent, and there"


async def settle(traffic: Traffic) -> None:
    """What is unknown at first is known in the end: a send that was applied has come back as its echo."""
    for text, outcome in traffic.outcomes.items():
        if outcome == "unknown":
            with trio.move_on_after(10):
                while (known := await traffic.outcome(text)) == "unknown":
                    if text not in {told["text"] for told in traffic.zalo.sent()}:
                        break  # killed between the mark and the request: nothing was sent
                    await trio.sleep(0.05)
                traffic.outcomes[text] = "not_sent" if known == "unknown" else known


def platform_of(platforms: Any) -> ZaloPersonalPlatform:
    found = platforms.sandbox.platforms["zalo-personal"]
    assert isinstance(found, ZaloPersonalPlatform)
    for id_ in (SHOP, *CUSTOMERS):
        found.push({"do": "account", "id": id_, "name": f"User {id_[-2:]}"})
    return found


async def link(process: Process, zalo: ZaloPersonalPlatform, account_id: str) -> None:
    await process.client.data("POST", f"/v1/accounts/{account_id}/auth/qr/start")
    shown = await process.client.until(
        lambda auth: auth.get("auth_payload", {}).get("qr_code"), f"/v1/accounts/{account_id}/auth"
    )
    zalo.push({"do": "scan", "qr": shown["auth_payload"]["qr_code"], "user": SHOP, "confirm": True})


async def running(process: Process, account_id: str) -> None:
    await process.client.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account_id}", 30)


async def test_a_conversation_goes_on_after_each_kill(tmp_path: Path) -> None:
    rng = random.Random(7)
    ends = lives(rng)
    async with sandbox() as platforms, receiver() as inbox:
        zalo, port = platform_of(platforms), free_port()
        more = endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port, SCRIPT)
        await process.start_with({"DIE_AT": "after login 1"})
        try:
            id_ = await log_in(process, zalo)
            assert await process.ended() == -signal.SIGKILL
            await process.start()
            await running(process, id_)
            zalo.receive({"from": CUSTOMERS[0], "to": SHOP, "text": "first"})
            await inbox.until(lambda: inbox.of("message.received"))  # so that there is a mark to go on from
            await process.kill()
            traffic = Traffic(zalo, process, rng, id_)
            traffic.written[CUSTOMERS[0]].append("first")
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
            await inbox.until(lambda: {e["text"] for e in inbox.of("message.received")} == traffic.texts, 60)
            await running(process, id_)
            for customer in CUSTOMERS:
                traffic.receivers[f"last to {customer}"] = customer
                assert await traffic.outcome(f"last to {customer}") == "sent"
            await settle(traffic)
            judge(traffic, inbox)
            assert "sent" in Counter(traffic.outcomes.values())
            assert "Traceback" not in process.log.read_text()
            assert await process.stop() == 0
        finally:
            await process.kill()


async def test_killed_before_the_login_is_committed(tmp_path: Path) -> None:
    """The login has failed, and the next one succeeds."""
    async with sandbox() as platforms, receiver() as inbox:
        zalo, port = platform_of(platforms), free_port()
        more = endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port, SCRIPT)
        await process.start_with({"DIE_AT": "before login 1"})
        try:
            id_ = await log_in(process, zalo)
            assert await process.ended() == -signal.SIGKILL
            await process.start()
            auth = await process.client.until(
                lambda a: a["status"] in ("authorized", "failed"), f"/v1/accounts/{id_}/auth"
            )
            assert (auth["status"], auth["last_error"]) == ("failed", "login_interrupted")
            await link(process, zalo, id_)
            await running(process, id_)
            zalo.receive({"from": CUSTOMERS[0], "to": SHOP, "text": "hello"})
            await inbox.until(lambda: [e["text"] for e in inbox.of("message.received")] == ["hello"])
            assert len({event["id"] for event in inbox.of("account.auth.succeeded")}) == 1
            assert await process.stop() == 0
        finally:
            await process.kill()


async def log_in(process: Process, zalo: ZaloPersonalPlatform) -> str:
    """A new account whose login is confirmed on the phone; its id."""
    await ready(process)
    body = {"provider": "zalo", "auth_mode": "qrcode"}
    id_ = str((await process.client.data("POST", "/v1/accounts", body))["id"])
    await link(process, zalo, id_)
    return id_


async def ready(process: Process) -> None:
    with trio.fail_after(20):
        while True:
            try:
                if (await process.client.http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await trio.sleep(0.02)
