"""Ordinary work of the largest size that is documented: no task computes for longer than 5 ms in one step.

Hostile requests have a limit of their own (`test_bounded_work.py`). The bodies at our own limits are longer
than what platforms document; they are here, too, where a platform documents nothing.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec
import trio

from tests import line_world, zalo
from tests.api import tiktok_world, x_world
from tests.harness import (
    APP_SECRET,
    CUSTOMER,
    NUMBER,
    TOKEN,
    Client,
    Platform,
    Receiver,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)
from tests.steps import LIMIT, Steps, longest_step, watch_steps
from unifyport.model.account import Account
from unifyport.model.webhook import ENDPOINT_INACTIVE, WebhookEndpoint
from unifyport.process.clock import wall_clock_ms
from unifyport.providers.http import decode_answer, decode_long
from unifyport.providers.telegram.bot.polled import parse_updates
from unifyport.providers.telegram.bot.signature import secret_of as telegram_secret
from unifyport.providers.tiktok.business.signature import sign as sign_tiktok
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign
from unifyport.providers.x.api.signature import sign as sign_x
from unifyport.providers.zalo.bot.signature import secret_of as zalo_secret
from unifyport.storage.contract import ApiKey, PutAccount, PutApiKey, PutEndpoint, Write
from unifyport.storage.sqlite.store import SqliteStore

META_BYTES, META_UPDATES = 3 * 1024 * 1024, 1000  # https://developers.facebook.com/docs/graph-api/webhooks
MEBIBYTE = 1024 * 1024
MOST_CONTACTS = 100
MOST_TEXT = 4096  # characters of a message of Telegram and of WhatsApp
PAGE = 200

Signed = tuple[bytes, dict[str, str]]


def _whatsapp(number: int) -> Signed:
    text = "x" * (META_BYTES // META_UPDATES - 200)
    items = [
        {
            "id": f"wamid.{number}.{each}",
            "from": CUSTOMER,
            "timestamp": str(int(time.time())),
            "type": "text",
            "text": {"body": text},
        }
        for each in range(META_UPDATES)
    ]
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": items}
    body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()
    return body, {SIGNATURE: sign(APP_SECRET, body)}


def _line(number: int) -> Signed:
    events = [
        {
            "type": "message",
            "message": {"type": "text", "id": f"{number}{each:06}", "text": "hello", "quoteToken": "q" * 64},
            "webhookEventId": f"{number}.{each}",
            "deliveryContext": {"isRedelivery": False},
            "timestamp": int(time.time() * 1000),
            "source": {"type": "user", "userId": line_world.MEI},
            "replyToken": "r" * 32,
            "mode": "active",
        }
        for each in range(300)
    ]
    body = json.dumps({"destination": line_world.CHANNEL, "events": events}).encode()
    digest = hmac.digest(line_world.CHANNEL_SECRET.encode(), body, hashlib.sha256)
    return body, {"x-line-signature": base64.b64encode(digest).decode()}


def _telegram(number: int) -> Signed:
    chat = {"id": 5, "type": "private"}
    message = {"message_id": number + 1, "date": int(time.time()), "chat": chat, "text": "x"}
    body = _filled({"update_id": number + 1, "message": message})
    return body, {"x-telegram-bot-api-secret-token": telegram_secret({"token": TOKEN})}


def _x(number: int) -> Signed:
    said = {"text": "x"}
    written = {"target": {"recipient_id": x_world.ME}, "sender_id": x_world.MEI, "message_data": said}
    at = str(int(time.time() * 1000))
    event = {"type": "message_create", "id": str(10**18 + number), "created_timestamp": at}
    payload = {"direct_message_events": [{**event, "message_create": written}]}
    data = {"filter": {"user_id": x_world.ME}, "event_type": "dm.received", "payload": payload}
    body = _filled({"data": data})
    return body, {"x-twitter-webhooks-signature": sign_x(x_world.APP["consumer_secret"], body)}


def _zalo_bot(number: int) -> Signed:
    user = {"id": zalo.USER, "display_name": "Mai", "is_bot": False}
    chat = {"id": zalo.USER, "chat_type": "PRIVATE"}
    head = {"message_id": f"m{number}", "date": int(time.time() * 1000), "from": user, "chat": chat}
    body = _filled({"event_name": "message.text.received", "message": {**head, "text": "x"}})
    return body, {"x-bot-api-secret-token": zalo_secret({"bot_token": zalo.BOT_TOKEN})}


def _zalo_official(number: int) -> Signed:
    event = {
        "event_name": "user_send_text",
        "app_id": zalo.APP_ID,
        "timestamp": str(int(time.time() * 1000)),
        "sender": {"id": zalo.CUSTOMER},
        "recipient": {"id": zalo.OA},
        "message": {"msg_id": f"m{number}", "text": "x"},
    }
    body = _filled(event)
    return body, zalo.signed(body)


def _tiktok(number: int) -> Signed:
    content = {
        "from_user": {"id": tiktok_world.CUSTOMER, "role": "personal_account"},
        "to_user": {"id": tiktok_world.BUSINESS, "role": "business_account"},
        "conversation_id": "conv",
        "message_id": f"m{number}",
        "timestamp": int(time.time() * 1000),
        "type": "text",
        "text": {"body": "x"},
    }
    head = {"client_key": tiktok_world.APP, "event": "im_receive_msg", "user_openid": tiktok_world.BUSINESS}
    body = _filled({**head, "create_time": int(time.time()), "content": json.dumps(content)})
    return body, {"tiktok-signature": sign_tiktok(tiktok_world.APP_SECRET, body, int(time.time()))}


def _filled(body: Any) -> bytes:
    """The body with a text in place of "x" that makes it as long as a body may be."""
    text = json.dumps(body)
    place = '"x"' if '"x"' in text else '\\"x\\"'
    return text.replace(place, place.replace("x", "x" * (MEBIBYTE - len(text)))).encode()


BODIES: dict[str, tuple[str, Callable[[int], Signed]]] = {  # account -> its provider, what it is called with
    "shop": ("whatsapp", _whatsapp),
    "line": ("line", _line),
    "bot": ("telegram", _telegram),
    "x": ("x", _x),
    "zalo-bot": ("zalo", _zalo_bot),
    "zalo-shop": ("zalo", _zalo_official),
    "tiktok": ("tiktok", _tiktok),
}
ACCOUNTS = (
    whatsapp()
    + line_world.line()
    + account().replace("\ncredentials", '\nreceive = "webhook"\ncredentials')
    + x_world.x_account(receive="webhook")
    + zalo.bot_account('receive = "webhook"', name="zalo-bot")
    + zalo.official_account("zalo-shop")
    + tiktok_world.tiktok("tiktok")
)


@attrs.define
class World:
    api: Client
    inbox: Receiver
    platform: Platform
    steps: Steps
    ids: dict[str, str]  # of the accounts, by name

    async def check(self, work: Callable[[int], Awaitable[object]], what: str) -> None:
        took = await longest_step(self.steps, work)
        assert took <= LIMIT, f"{what}: {took * 1000:.1f} ms"


@contextlib.asynccontextmanager
async def world(
    directory: Path, accounts: str = ACCOUNTS, *, rows: Sequence[Write] = ()
) -> AsyncIterator[World]:
    """Once all declared accounts run. `rows`: what the database has before."""
    async with sandbox() as platform, receiver() as inbox:
        more = accounts + endpoint(inbox.url) + platform.sandbox.config()
        settings = settings_of(directory, more, **public(free_port()))
        if rows:
            store = SqliteStore(settings.database, settings.key_ring, wall_clock_ms)
            store.open()
            await store.commit(rows)
            store.close()
        async with gateway(settings) as api:
            count = accounts.count("[[accounts]]")
            await inbox.until(lambda: len(inbox.of("account.started")) >= count)
            ids = {each["name"]: each["id"] for each in await api.data("GET", "/v1/accounts")}
            with watch_steps() as steps:
                yield World(api, inbox, platform, steps, ids)


async def test_webhooks_of_every_platform(tmp_path: Path) -> None:
    """From the first byte until the receiver has the last event."""
    async with world(tmp_path) as here:
        for name, (provider, signed) in BODIES.items():
            path = f"/ingress/{provider}/{here.ids[name]}"

            async def call(number: int, path: str = path, signed: Any = signed) -> None:
                body, headers = signed(number)
                before = len(here.inbox.of("message.received"))
                answer = await here.api.http.post(path, content=body, headers=headers)
                assert answer.status_code == 200
                await here.inbox.until(lambda: len(here.inbox.of("message.received")) > before)

            await here.check(call, name)


async def test_answers_of_polls() -> None:
    """As many updates as an answer may have, each with as much text and as many entities as a message."""
    entities = [{"type": "bold", "offset": each, "length": 1} for each in range(100)]
    chat = {"id": 5, "type": "private"}
    head = {"date": int(time.time()), "chat": chat, "text": "é" * MOST_TEXT, "entities": entities}
    updates = [{"update_id": each, "message": {**head, "message_id": each}} for each in range(1, 101)]
    answer = json.dumps({"ok": True, "result": updates}).encode()
    decoder = msgspec.json.Decoder(_Answer)

    async def read(_: int) -> None:
        async def take() -> None:
            result = (await decode_answer(answer, decoder)).result
            events, highest = await parse_updates(await decode_long(result, list[msgspec.Raw]), "42")
            assert (len(events), highest) == (100, 100)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)

    with watch_steps() as steps:
        assert await longest_step(steps, read) <= LIMIT


class _Answer(msgspec.Struct):
    result: msgspec.Raw


def _rows() -> list[Write]:
    """A page of accounts that are stopped, of endpoints that are inactive, and of API keys."""
    rows: list[Write] = []
    metadata = {f"key {number}": "v" * 100 for number in range(5)}
    for n in range(PAGE):
        row = Account(f"acct_{n}", f"bot {n}", "telegram", "telegram", "global", "token", desired="stopped")
        rows.append(PutAccount(attrs.evolve(row, metadata=metadata, credentials={"token": f"{n}:token"})))
        rows.append(PutEndpoint(WebhookEndpoint(f"we_{n}", f"https://{n}.example", status=ENDPOINT_INACTIVE)))
        rows.append(PutApiKey(ApiKey(f"ak_{n}", f"key {n}", "up", hashlib.sha256(b"%d" % n).digest())))
    return rows


async def test_lists_and_what_an_operator_reads(tmp_path: Path) -> None:
    async with world(tmp_path, whatsapp() + "[metrics]\naccounts = true\n", rows=_rows()) as here:
        api = here.api
        body, headers = _whatsapp(0)
        answer = await api.http.post(f"/ingress/whatsapp/{here.ids['shop']}", content=body, headers=headers)
        assert answer.status_code == 200
        paths = [
            "/v1/accounts",
            "/v1/webhook-endpoints",
            "/v1/api-keys",
            "/metrics",
            "/openapi.json",
            "/docs",
        ]
        paths += [
            f"/v1/events?limit={PAGE}",
            "/v1/status?limit=1000",
            "/v1/supervisors",
            "/v1/capabilities",
        ]
        for path in paths:

            async def look(_: int, path: str = path) -> None:
                assert (await api("GET", path)).is_success

            await here.check(look, path)

        async def follow(_: int) -> None:
            held = 0
            async with api.http.stream("GET", "/v1/events/stream?after=earliest") as response:
                async for piece in response.aiter_bytes():
                    held += len(piece)
                    if held > META_BYTES:
                        break

        await here.check(follow, "the stream")


async def test_sends_and_uploads(tmp_path: Path) -> None:
    accounts = account() + whatsapp()
    cards = [
        {
            "name": f"Mei {each}",
            "phones": [{"number": f"+65{each:08}"}],
            "emails": [{"address": f"mei{each}@example.com"}],
        }
        for each in range(MOST_CONTACTS)
    ]
    async with world(tmp_path, accounts) as here:

        async def send(name: str, to: str, message: Any) -> None:
            body = {"account_id": here.ids[name], "to": {"id": to, "type": "user"}, "message": message}
            answer = await here.api("POST", "/v1/messages", body)
            assert answer.is_success, answer.text

        await here.platform.write("hello")
        ingress = f"http://127.0.0.1:{here.api.port}/ingress/whatsapp/{here.ids['shop']}"
        await here.platform.connect(ingress, NUMBER)
        await here.platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
        text = {"type": "text", "text": "x" * MOST_TEXT}
        await here.check(lambda _: send("bot", "1", text), "a text")
        await here.check(lambda _: send("shop", CUSTOMER, {"type": "contact", "contacts": cards}), "contacts")
        content = {"file": ("a.bin", b"x" * 5 * MEBIBYTE, "application/octet-stream")}
        await here.check(lambda _: here.api.http.post("/v1/media", files=content), "an upload")
