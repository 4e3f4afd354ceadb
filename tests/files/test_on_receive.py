"""Files that are fetched when their message was received: which ones, what waits for them, what is left."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.harness import (
    BOT,
    TOKEN,
    Client,
    Platform,
    Process,
    Receiver,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from unifyport.config.settings import Settings
from unifyport.files import on_receive

EAGER = account() + 'media_fetch = "on_receive"\n'


@attrs.define
class World:
    """Downloads from Telegram wait for `gate`, and are answered with 500 as long as `failing`.

    `asked` has the names of the files that Telegram was asked for.
    """

    directory: Path
    platform: Platform
    inbox: Receiver
    gate: trio.Event = attrs.field(factory=trio.Event)
    failing: bool = False
    asked: list[str] = attrs.field(factory=list)

    def settings(self, accounts: str = EAGER, more: str = "", **sections: Any) -> Settings:
        written = accounts + endpoint(self.inbox.url) + self.platform.sandbox.config() + more
        return settings_of(self.directory, written, **sections)

    def hold_downloads(self) -> None:
        telegram = self.platform.telegram
        serve: Any = telegram.app.view_functions["file"]

        async def file(**path: Any) -> Any:
            self.asked.append(path["path"].rpartition("/")[2])
            await self.gate.wait()
            return (b"", 500) if self.failing else await serve(**path)

        telegram.app.view_functions["file"] = file

    async def picture(self, **more: Any) -> dict[str, Any]:
        """The event of a customer's picture."""
        before = len(self.inbox.of("message.received"))
        media = {"type": "photo", "content": base64.b64encode(f"picture {before}".encode()).decode()}
        await self.platform.post("messages", {"to": BOT, "from": 7, "media": media, **more})
        await self.inbox.until(lambda: len(self.inbox.of("message.received")) > before)
        return self.inbox.of("message.received")[-1]

    async def started(self) -> None:
        await self.inbox.until(lambda: self.inbox.of("account.started"))

    async def until_asked(self, count: int) -> None:
        with trio.fail_after(10):
            while len(self.asked) < count:
                await trio.sleep(0.01)

    async def until_kept(self, count: int, settings: Settings) -> None:
        with trio.fail_after(10):
            while len(kept(settings)) != count:
                await trio.sleep(0.01)  # files have no event to wait for


def kept(settings: Settings) -> list[Path]:
    return [path for path in settings.media_directory.glob("acct_*/*") if path.suffix != ".part"]


async def read(api: Client, event: dict[str, Any]) -> tuple[int, bytes]:
    url = httpx.URL(event["data"]["message"]["attachments"][0]["url"])
    answer = await api.http.get(url.raw_path.decode())
    return answer.status_code, answer.content


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        made = World(tmp_path, platform, inbox)
        made.hold_downloads()
        yield made
        made.gate.set()


async def test_events_do_not_wait_and_deleted_messages_are_not_fetched(world: World) -> None:
    settings = world.settings()
    async with gateway(settings) as api:
        await world.started()
        for _ in range(on_receive.AT_A_TIME_EACH):
            await world.picture()
        await world.until_asked(on_receive.AT_A_TIME_EACH)
        gone = await world.picture(business_connection_id="BC1")
        deleted = {
            "business_connection_id": "BC1",
            "chat": {"id": 7, "type": "private", "first_name": "Mei"},
            "message_ids": [int(gone["message_id"])],
        }
        await world.platform.post("updates", {"to": BOT, "update": {"deleted_business_messages": deleted}})
        await world.inbox.until(lambda: world.inbox.of("message.deleted"))
        last = await world.picture()  # its turn comes after that of the deleted one
        assert len(world.asked) == on_receive.AT_A_TIME_EACH
        world.gate.set()
        await world.until_kept(3, settings)
        assert sorted(world.asked) == ["sandbox-file-1", "sandbox-file-2", "sandbox-file-4"]
        assert await read(api, last) == (200, b"picture 3")
        assert len(world.asked) == 3


async def test_what_a_kill_left_is_fetched_at_the_next_start(world: World) -> None:
    port = free_port()
    settings = world.settings(**public(port))
    assert settings.path is not None
    process = Process(settings.path, port)
    try:
        await process.start()
        await world.started()
        event = await world.picture()
        await world.until_asked(1)
        await process.kill()
        assert not kept(settings)
        world.gate.set()
        await process.start()
        await world.until_kept(1, settings)
        world.platform.telegram.files.clear()
        assert await read(process.client, event) == (200, b"picture 0")
        assert len(world.asked) == 2
    finally:
        await process.kill()


async def test_a_failed_fetch_is_tried_again_then_left_to_the_link(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(on_receive, "PAUSES", (0.01,))
    caplog.set_level("INFO", "unifyport.media")
    settings = world.settings()
    world.failing = True
    world.gate.set()
    async with gateway(settings) as api:
        await world.started()
        event = await world.picture()
        with trio.fail_after(10):
            while "its link is left" not in caplog.text:
                await trio.sleep(0.01)
        assert set(world.asked) == {"sandbox-file-1"}
        assert len(world.asked) >= 2
        assert (await read(api, event))[0] == 502
        world.failing = False
        assert await read(api, event) == (200, b"picture 0")


async def test_a_transient_failure_is_made_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_receive, "PAUSES", (0.01,) * 1000)
    settings = world.settings()
    world.failing = True
    world.gate.set()
    async with gateway(settings):
        await world.started()
        await world.picture()
        await world.until_asked(3)
        assert not kept(settings)
        world.failing = False
        await world.until_kept(1, settings)


async def test_what_does_not_fit_into_the_queue_is_left_to_its_link(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(on_receive, "QUEUED_EACH", 1)
    settings = world.settings()
    async with gateway(settings) as api:
        await world.started()
        for number in range(1, on_receive.AT_A_TIME_EACH + 1):
            await world.picture()
            await world.until_asked(number)
        await world.picture()
        left = await world.picture()
        assert "unifyport_files_to_fetch 1.0" in (await api.http.get("/metrics")).text
        world.gate.set()
        await world.until_kept(3, settings)
        assert "more files come than are fetched" in caplog.text
        assert await read(api, left) == (200, b"picture 3")


async def test_an_account_made_through_the_api_says_when(world: World) -> None:
    settings = world.settings("")
    world.gate.set()
    body = {"provider": "telegram", "provider_data": {"token": TOKEN}}
    async with gateway(settings) as api:
        refused = await api("POST", "/v1/accounts", {**body, "media_fetch": "soon"})
        assert refused.status_code == 400
        assert "media_fetch: must be one of" in refused.json()["error"]["message"]
        made = await api.data("POST", "/v1/accounts", body)
        assert made["media_fetch"] == "on_link"
        path = f"/v1/accounts/{made['id']}"
        await world.started()
        await world.picture()
        changed = await api.data("PATCH", path, {"media_fetch": "on_receive"})
        assert changed["media_fetch"] == "on_receive"
        await world.picture()
        await world.until_kept(1, settings)
        assert world.asked == ["sandbox-file-2"]
        assert (await api.data("GET", f"{path}/runtime"))["incarnations"] == 1
        assert (await api.data("PATCH", path, {"name": "other"}))["media_fetch"] == "on_receive"
        await api.data("PATCH", path, {"media_fetch": "on_link"})
    async with gateway(world.settings("", '[media]\nfetch = "on_receive"\n')) as api:  # it says so itself
        assert (await api.data("GET", path))["media_fetch"] == "on_link"
        changed = await api.data("PATCH", path, {"media_fetch": "default"})
        assert changed["media_fetch"] == "on_receive"  # as the file says


async def test_media_fetch_is_the_default_of_accounts(world: World) -> None:
    world.gate.set()
    settings = world.settings(account(), '[media]\nfetch = "on_receive"\n')
    async with gateway(settings) as api:
        await world.started()
        [found] = await api.data("GET", "/v1/accounts")
        assert found["media_fetch"] == "on_receive"
        await world.picture()
        await world.until_kept(1, settings)
