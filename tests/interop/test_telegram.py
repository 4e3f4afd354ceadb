"""Telegram against peers that nobody here wrote: a Bot API server for our connector,
clients for our sandbox.
"""

import time
from pathlib import Path

import httpx
import pytest

from tests.harness import BOT, TOKEN, account, endpoint, free_port, gateway, receiver, sandbox, settings_of

from . import peers

pytestmark = pytest.mark.interop


async def test_foreign_bot_api_server_message_in_webhook_out_reply_seen_there(tmp_path: Path) -> None:
    port = free_port()
    script = str(peers.node() / "telegram_test_api.cjs")
    async with peers.Peer("node", script, str(port)) as server, receiver() as inbox:
        await server.line()
        url = f"http://127.0.0.1:{port}"
        more = account() + endpoint(inbox.url) + f'[providers.telegram]\nbot_api_url = "{url}"\n'
        async with (
            gateway(settings_of(tmp_path, more)) as api,
            httpx.AsyncClient(trust_env=False) as customer,
        ):
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            for number in range(3):
                message = {
                    "botToken": TOKEN,
                    "from": {"id": 1, "first_name": "User"},
                    "chat": {"id": 1, "type": "private", "first_name": "User"},
                    "date": int(time.time()),
                    "text": f"xin chào {number}",
                }
                assert (await customer.post(f"{url}/sendMessage", json=message)).json()["ok"]
            await inbox.until(lambda: len(inbox.of("message.received")) == 3)
            events = inbox.of("message.received")
            assert [event["text"] for event in events] == [f"xin chào {n}" for n in range(3)]
            assert {event["from"] for event in events} == {"1"}
            assert inbox.bad_signatures == 0
            body = {
                "account_id": events[0]["account_id"],
                "to": {"id": events[0]["data"]["conversation"]["id"], "type": "user"},
                "message": {"type": "text", "text": "chào bạn"},
            }
            sent = await api.data("POST", "/v1/messages", body)
            assert sent["status"] == "accepted"
            seen = (await customer.post(f"{url}/getUpdates", json={"token": TOKEN, "chatId": "1"})).json()[
                "result"
            ]
            assert [update["message"]["text"] for update in seen] == ["chào bạn"]


@pytest.mark.parametrize("script", ["ptb_echo.py", "aiogram_echo.py"])
async def test_foreign_client_as_a_bot_on_our_sandbox(script: str) -> None:
    async with sandbox() as platform:
        base = platform.sandbox.endpoints["telegram"]["bot_api_url"]
        path = str(Path(__file__).parent / "python" / script)
        async with peers.Peer(str(peers.python()), path, base, TOKEN) as bot:
            assert await bot.line() == {"me": int(BOT), "is_bot": True}
            for number in range(3):
                await platform.write(f"hello {number}", 7)
                said = await bot.line()
                assert (said["got"], said["from"]) == (f"hello {number}", 7)
            assert [m["text"] for m in await platform.sent()] == [f"echo: hello {n}" for n in range(3)]
