"""kill -9 with pushes to LINE in progress: each is sent once, and none stays unknown: LINE is asked again."""

import os
import random
from collections import Counter
from pathlib import Path

import attrs
import pytest
import trio

from tests.chaos.test_send_kill import Callers
from tests.harness import Process, free_port, public, sandbox, write_config
from tests.line_world import CHANNEL, line, line_of, order_line
from unifyport.sandbox.line.state import id_of

pytestmark = pytest.mark.chaos

KILLS = 20 if os.environ.get("CHAOS") == "full" else 4
CALLERS = 40  # more than the 32 that are in progress at a time
PACE_OFF = '\n[providers.line.pace]\naccount = "off"\n'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "200ms" }\nmax_restarts = 1000\n'


@attrs.define
class Pushers(Callers):
    async def run(self, number: int, account_id: str) -> None:
        """One text after another, each repeated under its key until its outcome is known."""
        for count in range(100_000):
            if self.over:
                return
            text = f"{number}-{count}"
            body = {
                "account_id": account_id,
                "to": {"id": id_of("U", str(number)), "type": "user"},
                "message": {"type": "text", "text": text},
            }
            self.outcomes[text] = await self.send(body, text)
            if self.outcomes[text] == "unknown":
                with trio.fail_after(60):
                    while await self.send(body, text) != "sent":
                        await trio.sleep(0.1)  # a process has no event to wait for


async def test_each_push_is_sent_once_and_none_stays_unknown(tmp_path: Path) -> None:
    rng = random.Random(6)
    async with sandbox() as platform:
        port = free_port()
        more = line() + platform.sandbox.config() + PACE_OFF + QUICK
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        await process.start()
        try:
            [known] = await process.client.until(
                lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts"
            )
            channel = line_of(platform).channels[CHANNEL]
            for number in range(CALLERS):
                channel.user(str(number))
            await order_line(
                platform, "faults", {"kind": "delay", "method": "push", "value": 0.2, "seconds": 600}
            )
            callers = Pushers(process)
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
                callers.over = True
            arrived = Counter(sent["text"] for sent in line_of(platform).sent())
            assert [text for text, count in arrived.items() if count > 1] == []
            assert set(arrived) == set(callers.outcomes)
            assert Counter(callers.outcomes.values())["unknown"] > 0
            assert "Traceback" not in process.log.read_text()
            assert await process.stop() == 0
        finally:
            await process.kill()
