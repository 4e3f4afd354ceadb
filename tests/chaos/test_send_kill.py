"""kill -9 with 32 sends in progress: none is sent twice, and a repeat gets an honest answer."""

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.harness import BOT, Process, account, free_port, sandbox, write_config

pytestmark = pytest.mark.chaos

KILLS, SENDS = (20, 5000) if os.environ.get("CHAOS") == "full" else (5, 0)
CALLERS = 40  # more than the 32 that are in progress at a time
PACE_OFF = '\n[providers.telegram.pace]\naccount = "off"\nuser = "off"\ngroup = "off"\n'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "200ms" }\nmax_restarts = 1000\n'


@attrs.define
class Callers:
    process: Process
    outcomes: dict[str, str] = attrs.field(factory=dict)  # text -> sent | unknown
    over: bool = False

    async def run(self, number: int, account_id: str) -> None:
        """One text after another, each repeated under its key until its outcome is known."""
        for count in range(100_000):
            if self.over:
                return
            text = f"{number}-{count}"
            body = {
                "account_id": account_id,
                "to": {"id": str(number + 1), "type": "user"},
                "message": {"type": "text", "text": text},
            }
            self.outcomes[text] = await self.send(body, text)

    async def send(self, body: Any, key: str) -> str:
        while True:
            try:
                answer = await self.process.client(
                    "POST", "/v1/messages", body, headers={"Idempotency-Key": key}
                )
            except httpx.TransportError:
                await trio.sleep(0.05)  # a process has no event to wait for
                continue
            if answer.is_success:
                return "sent"
            error = answer.json()["error"]
            if error.get("outcome") == "unknown":
                return "unknown"
            assert error.get("outcome", "not_sent") == "not_sent", error
            await trio.sleep(0.05)


async def test_no_send_is_lost_or_sent_twice(tmp_path: Path) -> None:
    rng = random.Random(5)
    async with sandbox() as platform:
        port = free_port()
        more = account() + platform.sandbox.config() + PACE_OFF + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        try:
            [known] = await process.client.until(
                lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts"
            )
            for customer in range(1, CALLERS + 1):
                platform.telegram.receive({"to": BOT, "from": customer, "text": "hello"})
            await platform.post(
                "faults", {"kind": "delay", "method": "sendMessage", "value": 0.2, "seconds": 600}
            )
            callers = Callers(process)
            async with trio.open_nursery() as nursery:
                for number in range(CALLERS):
                    nursery.start_soon(callers.run, number, known["id"])
                for _ in range(KILLS):
                    await process.client.until(
                        lambda runtime: runtime["sends"]["in_progress"] == 32,
                        f"/v1/accounts/{known['id']}/runtime",
                        30,
                    )
                    with trio.move_on_after(rng.random()):
                        await trio.sleep_forever()
                    await process.kill()
                    await process.start()
                while len(callers.outcomes) < SENDS:
                    await trio.sleep(0.05)
                callers.over = True
            arrived = Counter(sent["text"] for sent in platform.telegram.sent())
            assert [text for text, count in arrived.items() if count > 1] == []
            assert [
                t for t, outcome in callers.outcomes.items() if outcome == "sent" and not arrived[t]
            ] == []
            assert set(arrived) <= set(callers.outcomes)
            assert Counter(callers.outcomes.values())["unknown"] > 0
            assert "Traceback" not in process.log.read_text()
            assert await process.stop() == 0
        finally:
            await process.kill()
