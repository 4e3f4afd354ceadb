"""Files of incoming messages are kept before their links are followed, on every connection.

The platform drops the file as soon as the gateway has it; the link gives its bytes all the same.
"""

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.api.tiktok_world import CUSTOMER as TIKTOK_CUSTOMER
from tests.api.tiktok_world import tiktok
from tests.api.x_world import x_account
from tests.harness import (
    BOT,
    CUSTOMER,
    Platform,
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
from tests.line_world import CHANNEL, line, line_of
from tests.zalo import bot_account, connect, official_account
from unifyport.sandbox.x.api import XPlatform

CONTENT = bytes(range(256)) * 300


async def _is_connected_already(platform: Platform, url: str) -> None:
    """The gateway polls, or gives the platform its address."""


@attrs.frozen
class Case:
    """`order`: what a customer's file is at the sandbox; `files`: where that keeps it."""

    name: str  # of the local platform
    declared: str
    order: dict[str, Any]
    files: Callable[[Platform], dict[Any, Any]]
    connect: Callable[[Platform, str], Awaitable[None]] = _is_connected_already

    async def write(self, platform: Platform) -> None:
        media = {"mime_type": "image/jpeg", "content": base64.b64encode(CONTENT).decode()}
        order = {**self.order, "media": {**media, **self.order.get("media", {})}}
        response = await platform.http.post(f"/sandbox/{self.name}/messages", json=order)
        assert response.is_success, response.text


def _files_of(platform: Platform, name: str, attribute: str) -> dict[Any, Any]:
    found: dict[Any, Any] = getattr(platform.sandbox.platforms[name], attribute)
    return found


def x_of(platform: Platform) -> XPlatform:
    found = platform.sandbox.platforms["x"]
    assert isinstance(found, XPlatform)
    return found


IMAGE: dict[str, Any] = {"media": {"type": "image"}}
CASES = {
    "telegram_bot": Case(
        "telegram",
        account(),
        {"to": BOT, "from": 7, "media": {"type": "photo"}},
        lambda platform: platform.telegram.files,
    ),
    "whatsapp_cloud": Case(
        "whatsapp",
        whatsapp(),
        {"from": CUSTOMER, **IMAGE},
        lambda platform: platform.cloud.media,
        lambda platform, url: platform.connect(url),
    ),
    "line_messaging": Case(
        "line", line(), IMAGE, lambda platform: line_of(platform).channels[CHANNEL].contents
    ),
    "tiktok_business": Case(
        "tiktok",
        tiktok(),
        {"from": TIKTOK_CUSTOMER, **IMAGE},
        lambda platform: _files_of(platform, "tiktok", "media"),
    ),
    "zalo_bot": Case("zalo", bot_account(), IMAGE, lambda platform: _files_of(platform, "zalo", "files")),
    "zalo_official": Case(
        "zalo-official",
        official_account(),
        IMAGE,
        lambda platform: _files_of(platform, "zalo-official", "files"),
        connect,
    ),
    "x_api": Case(
        "x",
        x_account(),
        {"text": "look", "media": {"type": "photo"}},
        lambda platform: x_of(platform).directory.files,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_file_outlives_the_platforms_copy(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    async with sandbox() as platform, receiver() as inbox:
        more = case.declared + 'media_fetch = "on_receive"\n' + endpoint(inbox.url)
        settings = settings_of(tmp_path, more + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings) as api:
            await inbox.until(lambda: inbox.of("account.started"))
            [found] = await api.data("GET", "/v1/accounts")
            assert found["media_fetch"] == "on_receive"
            if found.get("ingress_url"):
                await case.connect(platform, found["ingress_url"])
            await case.write(platform)
            await inbox.until(lambda: inbox.of("message.received"))
            with trio.fail_after(10):
                while not [p for p in settings.media_directory.glob("acct_*/*") if p.suffix != ".part"]:
                    await trio.sleep(0.01)  # files have no event to wait for
            assert case.files(platform)
            case.files(platform).clear()
            [event] = inbox.of("message.received")
            [attachment] = event["data"]["message"]["attachments"]
            async with httpx.AsyncClient(trust_env=False) as stranger:
                answer = await stranger.get(attachment["url"])
            assert (answer.status_code, answer.content) == (200, CONTENT)
