"""Telegram against peers that this project did not write: a Bot API server for our connector,
clients for our sandbox.
"""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import BOT, TOKEN, account, endpoint, free_port, gateway, receiver, sandbox, settings_of
from unifyport.model.message import Contact, OutboundContacts, OutboundMessage, OutboundText, Phone
from unifyport.providers.telegram.bot import send_objects
from unifyport.providers.telegram.bot.render import render

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


KEYBOARD = {
    "inline_keyboard": [
        [{"text": "Yes", "callback_data": "yes"}, {"text": "See", "url": "https://a.example"}]
    ]
}
PLACE = {"latitude": 1.3, "longitude": 103.8}
CONTENTS: dict[str, Any] = {
    "location": PLACE,
    "venue": {**PLACE, "title": "Shop", "address": "1 Road"},
    "poll": {"question": "Lunch?", "options": ["Rice", "Noodles"], "is_anonymous": False},
    "dice": {"emoji": "🎯"},
    "rich_message": {"markdown": "hello"},
    "invoice": {
        "title": "Tea",
        "description": "A cup",
        "payload": "p",
        "currency": "XTR",
        "prices": [{"label": "Tea", "amount": 5}],
    },
    "album": [{"type": "photo", "media": f"https://files.example/{n}.jpg"} for n in range(2)],
}


async def test_aiogram_sends_what_we_render_and_reads_the_answers(tmp_path: Path) -> None:
    options = {"disable_notification": True, "protect_content": True, "reply_markup": KEYBOARD}
    entities = {"entities": [{"type": "bold", "offset": 0, "length": 2}]}
    messages: dict[str, OutboundMessage] = {
        name: OutboundText("7", "user", provider_data={name: value}) for name, value in CONTENTS.items()
    }
    messages["text"] = OutboundText(
        "7", "user", "hello", reply_to_message_id="1", provider_data={**options, **entities}
    )
    messages["contact"] = OutboundContacts("7", "user", contacts=[Contact("Mei", [Phone("+6590000001")])])
    requests = [render(message) for message in messages.values()]
    calls = [(request.method, request.fields) for request in requests]
    message = {"chat_id": 7, "message_id": 1}
    calls += [("getChat", {"chat_id": 7}), ("getChatMemberCount", {"chat_id": 7}), ("deleteMessage", message)]
    path = tmp_path / "calls"
    path.write_text("".join(json.dumps(call) + "\n" for call in calls))
    async with sandbox() as platform:
        base = platform.sandbox.endpoints["telegram"]["bot_api_url"]
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{base}/bot{TOKEN}/getMe")
        await platform.write("hello", 7)
        script = str(Path(__file__).parent / "python" / "aiogram_sends.py")
        async with peers.Peer(str(peers.python()), script, base, TOKEN, str(path)) as bot:
            said = [await bot.line() for _ in calls]
    assert [line for line in said if line["unknown"] or "error" in line] == []
    found = [line["content"] for line in said]
    contents = ["photo" if name == "album" else name for name in CONTENTS]
    assert found == [*contents, "text", "contact", "ChatFullInfo", "int", "bool"]


async def test_aiogram_has_the_fields_that_we_know_inside_of_objects() -> None:
    """No field of the Bot API is warned of, and none is known that it has not."""
    inline, button = send_objects.REPLY_MARKUP["inline_keyboard"], send_objects.REPLY_MARKUP["keyboard"]
    assert inline is not None
    assert button is not None
    options, tasks = send_objects.POLL["options"], send_objects.CHECKLIST["tasks"]
    price, prices = send_objects.SUGGESTED_POST_PARAMETERS["price"], send_objects.INVOICE["prices"]
    known = {
        "MessageEntity": send_objects.ENTITIES,
        "InlineKeyboardButton": inline,
        "WebAppInfo": inline["web_app"],
        "LoginUrl": inline["login_url"],
        "SwitchInlineQueryChosenChat": inline["switch_inline_query_chosen_chat"],
        "CopyTextButton": inline["copy_text"],
        "KeyboardButton": button,
        "KeyboardButtonRequestUsers": button["request_users"],
        "KeyboardButtonRequestChat": button["request_chat"],
        "KeyboardButtonRequestManagedBot": button["request_managed_bot"],
        "KeyboardButtonPollType": button["request_poll"],
        "LinkPreviewOptions": send_objects.LINK_PREVIEW_OPTIONS,
        "SuggestedPostParameters": send_objects.SUGGESTED_POST_PARAMETERS,
        "SuggestedPostPrice": price,
        "ReplyParameters": send_objects.REPLY_PARAMETERS,
        "InputPollOption": options,
        "InputChecklistTask": tasks,
        "LabeledPrice": prices,
    }
    keyboards = ["InlineKeyboardMarkup", "ReplyKeyboardMarkup", "ReplyKeyboardRemove", "ForceReply"]
    script = str(Path(__file__).parent / "python" / "aiogram_objects.py")
    async with peers.Peer(str(peers.python()), script, *known, *keyboards) as judge:
        fields = await judge.line(seconds=120)
    markup = {name for kind in keyboards for name in fields.pop(kind)}
    assert markup == set(send_objects.REPLY_MARKUP)
    for name, names in known.items():
        assert names is not None
        assert set(fields[name]) == set(names), name
