"""kill -9 while platforms call: what was answered with 200 arrives; what was not is sent again,
and arrives once.
"""

import contextlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import httpx
import pytest
import trio

from tests import zalo as of_zalo
from tests.api.tiktok_world import APP_SECRET as TIKTOK_SECRET
from tests.api.tiktok_world import BUSINESS, tiktok
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
from tests.line_world import CHANNEL_SECRET, line
from unifyport.providers.line.messaging import signature as of_line
from unifyport.providers.tiktok.business import signature as of_tiktok
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign
from unifyport.providers.zalo.bot.signature import SECRET_TOKEN, secret_of
from unifyport.sandbox.line.state import id_of

pytestmark = pytest.mark.chaos

WEBHOOKS, KILLS = (20_000, 20) if os.environ.get("CHAOS") == "full" else (2000, 6)
AT_ONCE = 8
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


def tiktok_webhook(first: int, count: int, at: int) -> bytes:
    """A request has one message."""
    assert count == 1
    content = {
        "message_id": f"msg-{first}",
        "conversation_id": f"conv-{first % 10}",
        "from_user": {"id": f"customer-{first % 10}"},
        "timestamp": at * 1000,
        "type": "text",
        "text": {"body": str(first)},
    }
    whole = {"event": "im_receive_msg", "user_openid": BUSINESS, "content": json.dumps(content)}
    return json.dumps(whole).encode()


def zalo_bot_webhook(first: int, count: int, at: int) -> bytes:
    """A request has one update."""
    assert count == 1
    user = {"id": f"6ede9afa66b88fe6d6{first % 10:02}"}
    head = {"message_id": f"m-{first}", "date": at * 1000, "from": user, "chat": user}
    update = {"event_name": "message.text.received", "message": {**head, "text": str(first)}}
    return json.dumps({"ok": True, "result": update}).encode()


def zalo_webhook(first: int, count: int, at: int) -> bytes:
    """A request has one event."""
    assert count == 1
    event = {
        "event_name": "user_send_text",
        "timestamp": str(at * 1000),
        "sender": {"id": f"25125236254{first % 10:02}"},
        "recipient": {"id": of_zalo.OA},
        "message": {"msg_id": f"m-{first}", "text": str(first)},
    }
    return json.dumps(event).encode()


def line_webhook(first: int, count: int, at: int) -> bytes:
    events = [
        {
            "type": "message",
            "timestamp": at * 1000,
            "webhookEventId": f"E{number}",
            "source": {"type": "user", "userId": id_of("U", str(number % 10))},
            "replyToken": f"T{number}",
            "message": {"id": str(number), "type": "text", "text": str(number), "quoteToken": f"Q{number}"},
        }
        for number in range(first, first + count)
    ]
    return json.dumps({"destination": id_of("U", "bot"), "events": events}).encode()


@attrs.frozen
class Caller:
    """A platform that calls us. `batch`: messages in a request."""

    account: str
    batch: int
    webhook: Callable[[int, int, int], bytes]
    headers: Callable[[bytes], dict[str, str]]


CALLERS = {
    "whatsapp": Caller(whatsapp(), 2, webhook, lambda body: {SIGNATURE: sign(APP_SECRET, body)}),
    "line": Caller(
        line(), 2, line_webhook, lambda body: {of_line.SIGNATURE: of_line.sign(CHANNEL_SECRET, body)}
    ),
    "tiktok": Caller(
        tiktok(),
        1,
        tiktok_webhook,
        lambda body: {of_tiktok.SIGNATURE: of_tiktok.sign(TIKTOK_SECRET, body, int(time.time()))},
    ),
    "zalo bot": Caller(
        of_zalo.bot_account('receive = "webhook"'),
        1,
        zalo_bot_webhook,
        lambda body: {SECRET_TOKEN: secret_of({"bot_token": of_zalo.BOT_TOKEN})},
    ),
    "zalo official account": Caller(of_zalo.official_account(), 1, zalo_webhook, of_zalo.signed),
}


class Sender:
    """A platform: sends each request until it is answered with 200. Counts what else it was answered."""

    def __init__(self, caller: Caller, url: str, client: httpx.AsyncClient) -> None:
        self.caller = caller
        self._url = url
        self._client = client
        self.accepted = 0
        self.answers: Counter[str] = Counter()

    async def send(self, body: bytes) -> None:
        while True:
            answer, headers = "cut off", self.caller.headers(body)
            with contextlib.suppress(httpx.TransportError):
                response = await self._client.post(self._url, content=body, headers=headers)
                answer = str(response.status_code)
            self.answers[answer] += 1
            if answer == "200":
                self.accepted += 1
                return
            await trio.sleep(0.05)  # as a platform would, if sooner


async def send_all(sender: Sender, at: int) -> None:
    limiter, batch = trio.CapacityLimiter(AT_ONCE), sender.caller.batch

    async def one(first: int) -> None:
        async with limiter:
            await sender.send(sender.caller.webhook(first, batch, at))

    async with trio.open_nursery() as nursery:
        for first in range(0, WEBHOOKS * batch, batch):
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


@pytest.mark.parametrize("channel", CALLERS)
async def test_webhooks_in_batches_under_kills(tmp_path: Path, channel: str) -> None:
    rng, at, caller = random.Random(11), int(time.time()), CALLERS[channel]
    async with (
        sandbox() as platform,
        receiver() as inbox,
        httpx.AsyncClient(trust_env=False, timeout=10) as client,
    ):
        port = free_port()
        more = caller.account + endpoint(inbox.url) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        await process.start()
        try:
            [shop] = await process.client.data("GET", "/v1/accounts")
            await process.client.until(
                lambda a: a["runtime_status"] == "running", f"/v1/accounts/{shop['id']}"
            )
            sender = Sender(caller, shop["ingress_url"], client)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_all, sender, at)
                nursery.start_soon(kill_at_random, process, sender, rng)
            assert sender.accepted == WEBHOOKS
            assert sender.answers["cut off"] > 0  # the kills fell into the work
            assert set(sender.answers) <= {"200", "503", "cut off"}
            count = WEBHOOKS * caller.batch
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
