"""Files of a linked device when the media server, or the phone, does not have them, or has others."""

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.device_world import MEI, SHOP, DeviceWorld, device_world
from unifyport.providers.whatsapp.device import media as device_media

PICTURE = b"picture" * 1000


async def received(world: DeviceWorld) -> dict[str, Any]:
    """The event of a picture that MEI sends."""
    media = {"type": "image", "content": base64.b64encode(PICTURE).decode()}
    await world.order("messages", **{"from": MEI}, to=SHOP, media=media)
    await world.inbox.until(lambda: world.received(SHOP))
    return world.received(SHOP)[0]


async def fetch(world: DeviceWorld, event: dict[str, Any]) -> httpx.Response:
    [file] = event["data"]["message"]["attachments"]
    return await world.api.http.get(file["url"])


async def test_a_file_that_neither_server_nor_phone_has_is_gone(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        event = await received(world)
        await world.do("expire_media")
        world.relay.customers._media.kept.clear()
        answer = await fetch(world, event)
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "media_gone")


async def test_a_file_whose_phone_is_off_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_media, "RETRY_SECONDS", 0.1)
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        event = await received(world)
        await world.do("expire_media")
        phones = world.relay.customers._media
        answered = phones.upload_again
        monkeypatch.setattr(phones, "upload_again", lambda *_: None)
        answer = await fetch(world, event)
        assert answer.json()["error"] == {"code": "media_failed", "message": "media_expired"}
        monkeypatch.setattr(phones, "upload_again", answered)
        monkeypatch.setattr(device_media, "RETRY_SECONDS", 45.0)
        answer = await fetch(world, event)
        assert (answer.status_code, answer.content) == (200, PICTURE)


@pytest.mark.parametrize("damage", ["changed", "truncated", "of another message"])
async def test_a_file_that_is_not_what_was_sent_is_not_given(tmp_path: Path, damage: str) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        event = await received(world)
        [stored] = world.relay.media.files.values()
        whole = stored.content
        stored.content = {
            "changed": whole[:5000] + b"x" + whole[5001:],
            "truncated": whole[:-16],
            "of another message": whole[16:],
        }[damage]
        answer = await fetch(world, event)
        assert answer.status_code >= 500, answer.text
        assert PICTURE[:100] not in answer.content
        stored.content = whole
        assert (await fetch(world, event)).content == PICTURE


async def test_an_upload_is_authorized_again_when_that_has_expired(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        key = await world.upload(PICTURE, "shot.png", "image/png")
        message = {"type": "image", "file_key": key}
        assert (await world.send(SHOP, MEI, message=message)).status_code == 200
        world.relay.media.auth = "another"
        answer = await world.send(SHOP, MEI, message=message)
        assert answer.status_code == 200, answer.text
        assert world.file_of((await world.sent())[-1]) == PICTURE


async def test_an_upload_that_fails_sends_nothing(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        key = await world.upload(PICTURE, "shot.png", "image/png")
        await world.order("faults", kind="garbage", method="upload", count=1)
        answer = await world.send(SHOP, MEI, message={"type": "image", "file_key": key})
        assert answer.json()["error"]["outcome"] == "not_sent", answer.text
        assert await world.sent() == []
