"""Zalo's Bot Platform as played here, against a client that this project did not write; and what our
connector sends, as that client's server would read it.
"""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of
from tests.providers.documentation import ZALO
from tests.zalo import APP_ID, BOT, BOT_TOKEN, OA_SECRET, USER, official_account, order
from unifyport.sandbox.zalo.bot import ZaloBotPlatform
from unifyport.sandbox.zalo.state import Bot

from . import peers

pytestmark = pytest.mark.interop


async def test_a_foreign_client_of_the_bot_platform() -> None:
    script = str(peers.HERE / "python" / "zalo_bot_judge.py")
    async with sandbox() as platform:
        bots = platform.sandbox.platforms["zalo"]
        assert isinstance(bots, ZaloBotPlatform)
        bots.bots[BOT_TOKEN], bots.status_is_code = Bot(BOT, BOT_TOKEN), True
        written = await order(platform, "messages", {"text": "xin chào", "name": "Mai"})
        url = platform.sandbox.endpoints["zalo"]["bot_api_url"]
        async with peers.Peer(str(peers.python()), script, url, BOT_TOKEN) as client:
            assert await client.line() == {"id": BOT, "account_name": f"bot.{BOT}"}
            message = {"text": "xin chào", "chat": USER, "sender": USER, "message_id": written["message_id"]}
            assert await client.line() == message
            sent = [(await client.line())["sent"] for _ in range(3)]
            assert [each["message_id"] for each in bots.sent()] == sent
            shown = bots.sent()
            assert shown[0]["text"] == "from python-zalo-bot"
            assert (shown[1]["photo"], shown[1]["caption"]) == ("https://photo.example/a.jpg", "look")
            assert shown[2]["sticker"] == "bfe458bf64fa8da4d4eb"
            assert await client.line() == {"refused": "BadRequest"}
            assert (await client.line())["idle"]


_SIGNER = """
const [first, secret] = process.argv.slice(1);
const body = require("fs").readFileSync(0);
const told = JSON.parse(body);
const digest = require("crypto").createHash("sha256");
for (const part of [first, body, told.timestamp, secret]) digest.update(part);
process.stdout.write("mac=" + digest.digest("hex"));
"""


async def test_a_foreign_producer_of_an_accounts_signature(tmp_path: Path) -> None:
    """Node signs, in both spellings; a gateway answers."""
    node = peers.node_program()
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [account] = await api.data("GET", "/v1/accounts")
            example = ZALO["official"]["event"]["user_send_text"]
            for number, (first, shift, secret, status) in enumerate(
                (
                    (APP_ID, 0, OA_SECRET, 200),
                    (example["recipient"]["id"], 0, OA_SECRET, 200),
                    (APP_ID, 0, "another", 401),
                    (APP_ID, -90_000, OA_SECRET, 401),  # stale
                    (APP_ID, 3_600, OA_SECRET, 401),  # of the future
                )
            ):
                now = int((time.time() + shift) * 1000)
                message = {"msg_id": f"m-{number}", "text": f"xin chào {number}"}
                told = {**example, "app_id": APP_ID, "timestamp": str(now), "message": message}
                body = json.dumps(told, ensure_ascii=False).encode()
                done = subprocess.run(
                    [node, "-e", _SIGNER, first, secret], input=body, capture_output=True, check=True
                )
                headers = {"X-ZEvent-Signature": done.stdout.decode()}
                answer = await api.http.post(account["ingress_url"], content=body, headers=headers)
                assert answer.status_code == status, number
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            assert {event["text"][-1] for event in inbox.of("message.received")} == {"0", "1"}
