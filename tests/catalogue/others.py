"""The part of TikTok, Zalo and X in the run: the examples of their documentation, through their sandboxes."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests import zalo
from tests.api.tiktok_world import tiktok
from tests.api.x_world import ME, MEI, x_account
from tests.harness import (
    Platform,
    Receiver,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from tests.providers.documentation import TIKTOK, ZALO, X
from unifyport.sandbox.x.api import XPlatform

Body = dict[str, Any]
_ACCOUNTS = tiktok() + zalo.bot_account() + zalo.official_account("official") + x_account()
# What makes no event, or ends the login.
_SILENT = {"dm.indicate_typing", "oauth.revoke"}


async def of_others(directory: Path) -> tuple[list[Body], int]:
    """The bodies that a receiver got, and when (unix s)."""
    folder = directory / "others"
    folder.mkdir()
    now = int(time.time())
    async with _world(folder) as (platform, inbox):
        for order in (_of_tiktok, _of_zalo_bots, _of_zalo_accounts, _of_x):
            for sandbox_name, body in order(_now(now)):
                seen = len(inbox.deliveries)
                await zalo.order(platform, "updates", body, of=sandbox_name)
                await inbox.until(partial(_has_come, inbox, body, seen))
    return [body for body in inbox.deliveries if "provider_data" in body["data"]], now


def _has_come(inbox: Receiver, order: Body, seen: int) -> bool:
    """Whether a receiver that had `seen` bodies got what an order makes: known by its text, if it has one of
    its own, as one order may make several events.
    """
    own = order.get("payload", {}).get("of")
    newer = inbox.deliveries[seen:]
    return bool(newer) and (own is None or any(f'"{own}"' in json.dumps(body) for body in newer))


@asynccontextmanager
async def _world(folder: Path) -> AsyncIterator[tuple[Platform, Receiver]]:
    async with sandbox() as platform, receiver() as inbox:
        file = _ACCOUNTS + endpoint(inbox.url, events='["*", "provider.event"]') + platform.sandbox.config()
        async with gateway(settings_of(folder, file, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 4)
            for account in await api.data("GET", "/v1/accounts"):
                if account["provider_account_ref"] == zalo.OA:
                    await zalo.connect(platform, account["ingress_url"])
            x = platform.sandbox.platforms["x"]
            assert isinstance(x, XPlatform)
            await api.until(lambda _: bool(x.open), "/v1/accounts")
            yield platform, inbox


def _now(now: int) -> Callable[[Any], Any]:
    """Examples as if they happened now."""
    return lambda examples: json.loads(json.dumps(examples).replace("1780790400", str(now)))


_SEALED = ("chat.received", "chat.sent")  # of X, whose examples nobody has signed


def _of_tiktok(now: Callable[[Any], Any]) -> Iterator[tuple[str, Body]]:
    examples = now(TIKTOK)
    for number, (kind, fields) in enumerate(examples["message"].items()):
        content = {**examples["head"], "type": kind, **fields, "message_id": f"msg-{number + 10}"}
        yield "tiktok", {"event": "im_receive_msg", "content": content}
    pressed = {**examples["head"], "type": "text", **examples["message"]["text"], **examples["beside"]}
    yield "tiktok", {"event": "im_receive_msg", "content": {**pressed, "message_id": "msg-99"}}
    for event, content in examples["event"].items():
        if event != "im_receive_msg":
            yield "tiktok", {"event": event, "content": content}


def _of_zalo_bots(now: Callable[[Any], Any]) -> Iterator[tuple[str, Body]]:
    examples = now(ZALO["bot"])
    for update in [*examples["event"].values(), *examples["event_seen"].values()]:
        yield "zalo", {"update": update}


def _of_zalo_accounts(now: Callable[[Any], Any]) -> Iterator[tuple[str, Body]]:
    yield from (("zalo-official", {"event": event}) for event in now(ZALO["official"]["event"]).values())


def _of_x(now: Callable[[Any], Any]) -> Iterator[tuple[str, Body]]:
    text = json.dumps(now(X)).replace("1111111111111111111", ME).replace("2222222222222222222", MEI)
    examples = json.loads(text)
    for number, said in enumerate(examples["content"].values()):
        payload = json.loads(json.dumps(examples["payload"]["dm.received"]))
        [item] = payload["direct_message_events"]
        item["id"], item["message_create"]["message_data"] = str(10**18 + number), said
        yield "x", {"event_type": "dm.received", "payload": payload}
    for event_type in examples["event_types"]:
        if event_type not in (*_SILENT, *_SEALED) and event_type != "dm.received":
            payload = examples["payload"].get(event_type, {"of": event_type})
            yield "x", {"event_type": event_type, "payload": payload}
