"""What a bot's connection must show beside what its other tests do."""

import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.harness import (
    BOT,
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
)
from tests.parity.disk import SlowDisk
from unifyport.providers import telegram
from unifyport.providers.contract.base import Channel
from unifyport.providers.telegram.bot.signature import SECRET_TOKEN, secret_of, verify

MINE = {"token": TOKEN}


def message(number: int, text: str, *, date: int | None = None) -> dict[str, Any]:
    return {
        "message_id": number,
        "date": int(time.time()) if date is None else date,
        "chat": {"id": 7, "type": "private", "first_name": "Mei"},
        "from": {"id": 7, "first_name": "Mei"},
        "text": text,
    }


@attrs.frozen
class World:
    platform: Platform
    inbox: Receiver
    api: Client
    account: dict[str, Any]

    async def call(self, number: int, **update: Any) -> int:
        """Telegram calls our webhook."""
        body = json.dumps({"update_id": number, **update}).encode()
        headers = {SECRET_TOKEN: secret_of(MINE)}
        response = await self.api.http.post(self.account["ingress_url"], content=body, headers=headers)
        return response.status_code

    async def send(self, text: str) -> Any:
        to = {"id": "7", "type": "user"}
        body = {"account_id": self.account["id"], "to": to, "message": {"type": "text", "text": text}}
        return await self.api("POST", "/v1/messages", body)

    def texts(self) -> list[str]:
        return [event["text"] for event in self.inbox.of("message.received")]


@contextlib.asynccontextmanager
async def by_webhook(directory: Path, channel: Channel = telegram.CHANNEL) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        file = account() + 'receive = "webhook"\n' + endpoint(inbox.url)
        file += (
            f'[providers.telegram]\nbot_api_url = "{platform.sandbox.endpoints["telegram"]["bot_api_url"]}"\n'
        )
        async with gateway(settings_of(directory, file, **public(free_port())), [channel]) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [known] = await api.data("GET", "/v1/accounts")
            yield World(platform, inbox, api, known)


async def test_updates_out_of_order_are_emitted_as_they_come(tmp_path: Path) -> None:
    async with by_webhook(tmp_path) as world:
        for number in (12, 11, 12, 10):
            assert await world.call(number, message=message(number, f"{number}")) == 200
        await world.inbox.until(lambda: len(world.texts()) == 3)
        assert world.texts() == ["12", "11", "10"]


async def test_an_edit_of_a_message_that_was_never_seen(tmp_path: Path) -> None:
    async with by_webhook(tmp_path) as world:
        edited = {**message(400, "new"), "edit_date": int(time.time())}
        assert await world.call(20, edited_message=edited) == 200
        await world.inbox.until(lambda: world.inbox.of("message.updated"))
        [event] = world.inbox.of("message.updated")
        assert (event["message_id"], event["text"]) == ("400", "new")
        assert not world.texts()


async def test_an_update_older_than_its_key_is_kept_for(tmp_path: Path) -> None:
    async with by_webhook(tmp_path) as world:
        old = int(time.time()) - 14 * 86_400
        assert await world.call(30, message=message(1, "stale", date=old)) == 200
        assert await world.call(31, message=message(2, "fresh")) == 200
        await world.inbox.until(lambda: world.texts() == ["fresh"])
        assert "unifyport_quarantined_total 1.0" in (await world.api.http.get("/metrics")).text


async def test_while_the_disk_is_slow_telegram_keeps_the_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    [spec] = telegram.CHANNEL.connections_of("token")
    assert spec.ingress is not None
    assert spec.ingress.commit_seconds < 10
    hasty = attrs.evolve(spec, ingress=attrs.evolve(spec.ingress, commit_seconds=0.5))
    async with by_webhook(tmp_path, attrs.evolve(telegram.CHANNEL, connections=[hasty])) as world:
        disk.stall()
        try:
            assert await world.call(40, message=message(1, "once")) == 503
        finally:
            disk.go_on()
        assert await world.call(40, message=message(1, "once")) == 200
        assert await world.call(41, message=message(2, "end")) == 200
        await world.inbox.until(lambda: "end" in world.texts())
        assert world.texts() == ["once", "end"]


async def test_a_lost_answer_is_unknown_and_never_repeated(tmp_path: Path) -> None:
    async with by_webhook(tmp_path) as world:
        await world.platform.write("hello", 7)
        await world.platform.post("faults", {"kind": "lost_answer", "method": "sendMessage"})
        lost = await world.send("once")
        error = lost.json()["error"]
        assert (lost.status_code, error["outcome"]) == (500, "unknown")
        assert (await world.send("after")).is_success
        assert [sent["text"] for sent in await world.platform.sent()] == ["once", "after"]
        command = await world.api.data("GET", f"/v1/commands/{error['command_id']}")
        assert command["outcome"] == "unknown"


async def test_a_file_that_telegram_no_longer_has(tmp_path: Path) -> None:
    async with by_webhook(tmp_path) as world:
        media = {"type": "photo", "content": "aGk="}
        for _ in range(2):
            await world.platform.post("messages", {"to": BOT, "from": 7, "media": media})
        await world.inbox.until(lambda: len(world.inbox.of("message.received")) == 2)
        here, gone = (
            event["data"]["message"]["attachments"][0]["url"] for event in world.inbox.of("message.received")
        )
        assert (await world.api.http.get(here)).content == b"hi"
        world.platform.telegram.files.clear()
        assert (await world.api.http.get(gone)).status_code == 410
        await world.api.data("POST", f"/v1/accounts/{world.account['id']}/runtime/stop")
        assert (await world.api.http.get(gone)).status_code == 503
        assert (await world.api.http.get(here)).status_code == 200  # it is in the cache


GOOD = secret_of(MINE)


@pytest.mark.parametrize(
    ("name", "headers", "good"),
    [
        ("good", {SECRET_TOKEN: GOOD}, True),
        ("wrong", {SECRET_TOKEN: GOOD[:-1] + "x"}, False),
        ("longer", {SECRET_TOKEN: GOOD + "x"}, False),
        ("missing", {}, False),
        ("empty", {SECRET_TOKEN: ""}, False),
        ("another account's", {SECRET_TOKEN: secret_of({"token": "99:other"})}, False),
        ("not ASCII", {SECRET_TOKEN: "\u00e9" * 64}, False),
        ("1 MB", {SECRET_TOKEN: "x" * 2**20}, False),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 2**20], ids=["empty", "small", "1 MB"])
def test_the_secret_in_the_header(name: str, headers: dict[str, str], good: bool, body: bytes) -> None:
    assert verify(MINE, headers, body) is good


async def test_a_poll_that_holds_only_what_cannot_be_used_moves_on(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)):
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            for number in range(150):  # more than a page
                await platform.post("updates", {"to": BOT, "update": {"message": number}})
            await platform.write("after", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            with trio.fail_after(10):
                while platform.telegram.bots[TOKEN].updates:
                    await trio.lowlevel.checkpoint()
