"""A run that makes every event type and every message kind, and the bodies that a receiver got in it.

All platforms send the examples of their documentation through the sandbox. What only devices
see comes from `telling.py`, logins from the reference platform. What a run makes anew each time (ids, times,
links, codes) is replaced by constants.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness import (
    BOT,
    CUSTOMER,
    NUMBER,
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
from tests.providers.documentation import TELEGRAM, WHATSAPP
from tests.reference.device import reference
from tests.reference.platform import TOKEN
from tests.reference.serving import reference_platform
from unifyport.providers.telegram.bot.kinds import KINDS
from unifyport.providers.telegram.bot.updates import ALLOWED_UPDATES

from .line import of_line
from .others import of_others
from .telling import told_by

AT, SHOWN_AT = 1_780_790_400, "2026-06-07T00:00:00Z"  # of the documented examples
_ALL = '["*", "provider.event"]'
_OURS = "only to bring something about"
Body = dict[str, Any]


async def catalogue(directory: Path) -> list[Body]:
    """The bodies that receivers got, with constants."""
    line, now = await of_line(directory)
    others, later = await of_others(directory)
    of_rest = [*(constant(body, now) for body in line), *(constant(body, later) for body in others)]
    return [*await _of_bots(directory), *of_rest, *await _of_devices(directory)]


# -- Telegram bots and the Cloud API -------------------------------------------------------------------------


async def _of_bots(directory: Path) -> list[Body]:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + whatsapp() + endpoint(inbox.url, events=_ALL) + platform.sandbox.config()
        async with gateway(settings_of(directory, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            shop = next(a for a in await api.data("GET", "/v1/accounts") if a["provider"] == "whatsapp")
            await platform.connect(shop["ingress_url"])
            now = int(time.time())
            for update in _of_telegram():
                seen = len(inbox.deliveries)
                await platform.post("updates", {"to": BOT, "update": _at(update, now)})
                await inbox.until(lambda seen=seen: len(inbox.deliveries) > seen)  # type: ignore[misc]
            for value in _of_whatsapp(now):
                seen = len(inbox.deliveries)
                await platform.whatsapp("updates", {"to": NUMBER, "value": value})
                await inbox.until(lambda seen=seen: len(inbox.deliveries) > seen)  # type: ignore[misc]
            await _sent_and_read(api, platform, inbox, shop["id"])
            await _token_revoked(platform, inbox)
    return [constant(body, now) for body in inbox.deliveries if body.get("text") != _OURS]


def _of_telegram() -> Iterator[Body]:
    """Every kind of message, what may stand beside each, and every kind of update."""
    fields, updates = TELEGRAM["message"], TELEGRAM["update"]
    head = {name: updates["message"][name] for name in ("message_id", "date", "chat", "from")}
    for kind in KINDS:
        yield {"message": {**head, kind: fields[kind]}}
    beside = [
        {"photo": fields["photo"], "caption": "one of two", "media_group_id": "13"},
        {"text": "hi", "forward_origin": fields["forward_origin"]},
        {
            "text": "this one",
            "reply_to_message": fields["reply_to_message"],
            "quote": {**fields["quote"], "text": "two"},
        },
        {"text": "hi", "message_thread_id": 42, "is_topic_message": True},
    ]
    yield from ({"message": {**head, **more}} for more in beside)
    yield from ({name: update} for name, update in updates.items() if name in ALLOWED_UPDATES)
    yield from ({"message": {**head, name: fields[name]}} for name in ("new_chat_title", "pinned_message"))


def _of_whatsapp(now: int) -> Iterator[Body]:
    """Every kind of message, every reply to an interactive message, a notice, and what the owner writes."""
    messages = [
        {"type": kind, **fields} for kind, fields in WHATSAPP["message"].items() if kind != "interactive"
    ]
    messages += [
        {"type": "interactive", "interactive": fields} for fields in WHATSAPP["interactive"].values()
    ]
    contacts = [{"wa_id": CUSTOMER, "user_id": "SG.1", "profile": {"name": "Mei", "username": "mei"}}]
    for number, message in enumerate(messages):
        whole = {"from": CUSTOMER, "id": f"wamid.{number}", "timestamp": str(now), **message}
        yield {"contacts": contacts, "messages": [whole]}
    details = {"details": "Message failed to send because of the number's rate limit"}
    yield {"errors": [{"code": 130429, "title": "Rate limit hit", "error_data": details}]}
    yield {
        "statuses": [{"id": "wamid.out", "status": "played", "timestamp": str(now), "recipient_id": CUSTOMER}]
    }


async def _sent_and_read(api: Client, platform: Platform, inbox: Receiver, shop: str) -> None:
    await platform.whatsapp("messages", {"to": NUMBER, "text": _OURS})
    await inbox.until(lambda: any(body.get("text") == _OURS for body in inbox.deliveries))
    order = {"type": "text", "text": "Yes, in black and white"}
    to = {"id": CUSTOMER, "type": "user"}
    sent = await api.data("POST", "/v1/messages", {"account_id": shop, "to": to, "message": order})
    for status in ("delivered", "read", "failed"):
        seen = len(inbox.of("message.status.updated"))
        await platform.whatsapp("receipts", {"message_id": sent["message_id"], "status": status})
        await inbox.until(lambda seen=seen: len(inbox.of("message.status.updated")) > seen)  # type: ignore[misc]


async def _token_revoked(platform: Platform, inbox: Receiver) -> None:
    await platform.post("faults", {"kind": "logout"})
    await platform.write(_OURS, 7)
    await inbox.until(lambda: inbox.of("account.auth.required"))
    await inbox.until(
        lambda: any(body["data"].get("runtime_status") == "disconnected" for body in inbox.deliveries)
    )


# -- devices -------------------------------------------------------------------------------------------------


async def _of_devices(directory: Path) -> list[Body]:
    async with receiver() as inbox, reference_platform() as running:
        registry = told_by("whatsapp", reference("line"))
        more = (
            f'[[accounts]]\nname = "phone"\nprovider = "whatsapp"\ncredentials = {{ token = "{TOKEN}" }}\n'
            f'[providers.whatsapp]\napi_url = "{running.url}"\n[providers.line]\napi_url = "{running.url}"\n'
        )
        folder = directory / "devices"
        folder.mkdir()
        settings = settings_of(folder, more + endpoint(inbox.url, events=_ALL), registry=registry)
        async with gateway(settings, [*registry.channels.values()]) as api:
            await inbox.until(lambda: len(inbox.of("conversation.deleted")) == 1)
            made = await api.data("POST", "/v1/accounts", {"provider": "line", "auth_mode": "qrcode"})
            path = f"/v1/accounts/{made['id']}/auth"
            shown = await api.data("POST", f"{path}/qr/start")
            running.platform.logins.scan(shown["auth_payload"]["qr_code"], "+6590000003")
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            await inbox.until(lambda: len(inbox.of("account.auth.succeeded")) == 2)
    return [constant(body, int(time.time())) for body in inbox.deliveries]


# -- constants -----------------------------------------------------------------------------------------------

_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_CONSTANTS = [
    (re.compile(r"\bevt_[0-9a-z]{26}\b"), "evt_0123456789abcdefghjkmnpqrs"),
    (re.compile(r"\bacct_[0-9a-z]+\b"), "acct_0123456789abcdefghjkmnpqrs"),
    (re.compile(r"\bcmd_[0-9a-z]+\b"), "cmd_0123456789abcdefghjkmnpqrs"),
    (re.compile(r"http://127\.0\.0\.1:\d+/[^\"]*"), "https://gateway.example/v1/media/file/opaque"),
    (re.compile(r'("reply_token": )"[^"]*"'), r'\1"opaque"'),
    (re.compile(r'("qr_code": )"[^"]*"'), r'\1"opaque"'),
    (re.compile(r"\bwamid\.[A-Za-z0-9+/=]{12,}"), "wamid.HBgK"),
    (_TIME, SHOWN_AT),
]


def _at(update: Body, now: int) -> Body:
    """An example of the documentation that happens now."""
    found: Body = json.loads(json.dumps(update).replace(str(AT), str(now)))
    return found


def constant(body: Body, now: int) -> Body:
    """The body without what is new in each run."""
    text = json.dumps(body, ensure_ascii=False)
    for second in range(now - 5, now + 60):
        text = text.replace(str(second), str(AT))
    for pattern, instead in _CONSTANTS:
        text = pattern.sub(instead, text)
    found: Body = json.loads(text)
    found["timestamp"] = AT
    return found
