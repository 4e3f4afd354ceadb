"""kill -9 of a gateway with a device of LINE: see `conversation.py`."""

import os
import random
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.chaos import conversation
from tests.harness import Platform, Process, Receiver, endpoint, free_port, receiver, sandbox, write_config
from tests.line_device_world import SHOP
from tests.linked_world import QUICK
from unifyport.sandbox.line.device.platform import LineDevicePlatform
from unifyport.sandbox.line.device.world import mid_of

pytestmark = pytest.mark.chaos
ROUNDS = 24 if os.environ.get("CHAOS") == "full" else 3
NAMES = {mid_of(name): name for name in ("Mei", "Tom", "Yui")}


@attrs.define
class LinePhones:
    line: LineDevicePlatform
    provider: str = "line"
    customers: tuple[str, ...] = tuple(NAMES)

    def write(self, customer: str, text: str) -> None:
        self.line.receive({"from": NAMES[customer], "to": SHOP, "text": text})

    def sent(self) -> list[str]:
        return [told["content"]["text"] for told in self.line.sent()]

    def chat(self, customer: str) -> str:
        return customer

    def scan(self, qr_code: str) -> None:
        self.line.push({"do": "scan", "qr": qr_code, "name": SHOP, "confirm": True})


def phones_of(platforms: Platform) -> LinePhones:
    line = platforms.sandbox.platforms["line-device"]
    assert isinstance(line, LineDevicePlatform)
    for name in (SHOP, *NAMES.values()):
        line.push({"do": "account", "name": name})
    return LinePhones(line)


async def test_a_conversation_goes_on_after_each_kill(tmp_path: Path) -> None:
    await conversation.goes_on_after_each_kill(tmp_path, phones_of)


async def test_killed_before_the_login_is_committed(tmp_path: Path) -> None:
    await conversation.fails_before_the_login_is_committed(tmp_path, phones_of)


async def test_killed_around_a_refresh_that_rotates_the_tokens(tmp_path: Path) -> None:
    """Locked out only if LINE had answered and the new pair was not durable; then it says so, and a login
    brings it back.
    """
    rng, ends = random.Random(5), []
    async with sandbox() as platforms, receiver() as inbox:
        phones, port = phones_of(platforms), free_port()
        more = endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        try:
            id_ = await conversation.log_in(process, phones)
            await conversation.running(process, id_)
            for round_ in range(ROUNDS):
                device = phones.line.world.account(SHOP).devices[-1]
                device.rotates, device.expired = True, True
                before, answers = device.refresh, list[int]()
                if round_ == 0:  # certainly before LINE's answer
                    phones.line.order_fault({"kind": "delay", "method": "refresh", "value": 60})
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send_once, process, id_, answers)
                    await trio.sleep(rng.random() * 0.06 + (0.2 if round_ == 0 else 0))
                    while round_ == 1 and not answers:  # certainly after it was kept
                        await trio.sleep(0.005)
                    await process.kill()
                phones.line.restore()
                await process.start()
                ends.append(await settled(process, id_))
                lost_pair = device.refresh != before and answers != [200]
                assert ends[-1] == "running" or lost_pair, (round_, answers)
                if ends[-1] != "running":
                    assert ends[-1] == "session_expired"
                    await conversation.link(process, phones, id_)
                    await conversation.running(process, id_)
                phones.write(next(iter(NAMES)), f"after {round_}")
                await inbox.until(lambda: len(told_once(inbox)) > round_)  # noqa: B023
                assert told_once(inbox) == [f"after {number}" for number in range(round_ + 1)]
        finally:
            await process.kill()
    assert ends[:2] == ["running", "running"]


def told_once(inbox: Receiver) -> list[str]:
    """The texts that came, each event once: a kill may repeat a delivery."""
    return list({event["id"]: event["text"] for event in inbox.of("message.received")}.values())


async def send_once(process: Process, account_id: str, answers: list[int]) -> None:
    to = {"id": next(iter(NAMES)), "type": "user"}
    body: dict[str, Any] = {"account_id": account_id, "to": to, "message": {"type": "text", "text": "hello"}}
    try:
        answers.append((await process.client("POST", "/v1/messages", body)).status_code)
    except httpx.TransportError:
        answers.append(0)


async def settled(process: Process, account_id: str) -> str:
    """`running`, or why the account is logged out."""
    with trio.fail_after(30):
        while True:
            found = await process.client.data("GET", f"/v1/accounts/{account_id}")
            if found["runtime_status"] == "running":
                return "running"
            if found["runtime_status"] == "disconnected":
                return str((await process.client.data("GET", f"/v1/accounts/{account_id}/explain"))["why"])
            await trio.sleep(0.02)  # a process has no event to wait for
