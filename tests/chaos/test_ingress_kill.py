"""kill -9 while platforms call: what was answered with 200 arrives; what was not is sent again,
and arrives once.
"""

import contextlib
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
import trio

from tests.harness import (
    APP_SECRET,
    NUMBER,
    Process,
    Receiver,
    endpoint,
    free_port,
    public,
    receiver,
    sandbox,
    whatsapp,
    write_config,
)
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign

pytestmark = pytest.mark.chaos

WEBHOOKS, KILLS = (20_000, 20) if os.environ.get("CHAOS") == "full" else (2000, 6)
AT_ONCE = 8
BATCH = 2  # messages in a request
QUICK = '[supervision.policies.default]\nbackoff = { initial = "100ms", max = "1s" }\nmax_restarts = 1000\n'


def webhook(first: int, count: int, at: int) -> bytes:
    """A request with `count` messages, numbered from `first`, spread over entries and changes."""
    changes = [
        {
            "field": "messages",
            "value": {
                "metadata": {"phone_number_id": NUMBER},
                "messages": [
                    {
                        "id": f"wamid.{number}",
                        "from": f"65900000{number % 10:02}",
                        "timestamp": str(at),
                        "type": "text",
                        "text": {"body": str(number)},
                    }
                ],
            },
        }
        for number in range(first, first + count)
    ]
    return json.dumps({"entry": [{"id": "1", "changes": [change]} for change in changes]}).encode()


class Sender:
    """A platform: sends each request until it is answered with 200. Counts what else it was answered."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._client = client
        self.accepted = 0
        self.answers: Counter[str] = Counter()

    async def send(self, body: bytes) -> None:
        headers = {SIGNATURE: sign(APP_SECRET, body)}
        while True:
            answer = "cut off"
            with contextlib.suppress(httpx.TransportError):
                response = await self._client.post(self._url, content=body, headers=headers)
                answer = str(response.status_code)
            self.answers[answer] += 1
            if answer == "200":
                self.accepted += 1
                return
            await trio.sleep(0.05)  # as a platform would, if sooner


async def send_all(sender: Sender, at: int) -> None:
    limiter = trio.CapacityLimiter(AT_ONCE)

    async def one(first: int) -> None:
        async with limiter:
            await sender.send(webhook(first, BATCH, at))

    async with trio.open_nursery() as nursery:
        for first in range(0, WEBHOOKS * BATCH, BATCH):
            nursery.start_soon(one, first)


async def kill_at_random(process: Process, sender: Sender, rng: random.Random) -> None:
    """After random amounts of work, so that kills fall into it however fast the machine is."""
    for number in range(KILLS):
        aim = round(WEBHOOKS * (number + rng.random()) / (KILLS + 1))
        while sender.accepted < aim:
            await trio.sleep(0.001)
        await process.kill()
        await process.start()


def texts(inbox: Receiver) -> set[str]:
    return {event["text"] for event in inbox.of("message.received")}


async def test_webhooks_in_batches_under_kills(tmp_path: Path) -> None:
    rng, at = random.Random(11), int(time.time())
    async with (
        sandbox() as platform,
        receiver() as inbox,
        httpx.AsyncClient(trust_env=False, timeout=10) as client,
    ):
        port = free_port()
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        await process.start()
        try:
            [shop] = await process.client.data("GET", "/v1/accounts")
            sender = Sender(shop["ingress_url"], client)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_all, sender, at)
                nursery.start_soon(kill_at_random, process, sender, rng)
            assert sender.accepted == WEBHOOKS
            assert sender.answers["cut off"] > 0  # the kills fell into the work
            assert set(sender.answers) <= {"200", "503", "cut off"}
            count = WEBHOOKS * BATCH
            await inbox.until(lambda: len(texts(inbox)) == count, 240)
            ids: dict[str, set[str]] = {}
            for event in inbox.of("message.received"):
                ids.setdefault(event["text"], set()).add(event["id"])
            assert len(ids) == count
            assert all(len(found) == 1 for found in ids.values()), "an event came under two ids"
            assert inbox.bad_signatures == 0
            assert await process.stop() == 0
        finally:
            await process.kill()
