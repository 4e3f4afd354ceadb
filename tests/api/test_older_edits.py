"""An older edit that the platform reports after a newer one gives no event."""

import time
from pathlib import Path
from typing import Any

from tests.harness import (
    BOT,
    CUSTOMER,
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


async def test_telegram(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)):
            await inbox.until(lambda: inbox.of("account.started"))
            chat = {"id": 7, "type": "private", "first_name": "Mei"}
            message = {
                "message_id": 1,
                "date": 1_780_000_000,
                "chat": chat,
                "from": {**chat, "is_bot": False},
            }
            for text, seconds in (("new", 9), ("old", 5), ("newest", 9), ("other", 1)):
                at = {"edit_date": 1_780_000_000 + seconds, "message_id": 2 if text == "other" else 1}
                update = {"edited_message": {**message, **at, "text": text}}
                await platform.post("updates", {"to": BOT, "update": update})
            await inbox.until(lambda: len(inbox.of("message.updated")) == 3)
            assert [event["text"] for event in inbox.of("message.updated")] == ["new", "newest", "other"]


async def test_whatsapp(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: inbox.of("account.started"))
            [found] = await api.data("GET", "/v1/accounts")
            await platform.connect(found["ingress_url"])
            now = int(time.time()) - 60
            for text, seconds, id_ in (("new", 9, "A"), ("old", 5, "A"), ("other", 1, "B")):
                message: dict[str, Any] = {"type": "text", "text": {"body": text}}
                edit = {"original_message_id": f"wamid.{id_}", "message": message}
                at = str(now + seconds)
                order = {"from": CUSTOMER, "type": "edit", "edit": edit, "timestamp": at}
                await platform.whatsapp("messages", order)
            await inbox.until(lambda: len(inbox.of("message.updated")) == 2)
            assert [event["text"] for event in inbox.of("message.updated")] == ["new", "other"]
