"""What a deleted message leaves: no bytes in the cache, and links that answer 410."""

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
    CUSTOMER,
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
from unifyport.config.settings import Settings

PHOTO = {"type": "photo", "content": base64.b64encode(b"a picture").decode()}
IMAGE = {"type": "image", "content": base64.b64encode(b"a picture").decode(), "mime_type": "image/jpeg"}


@attrs.define
class World:
    platform: Platform
    inbox: Receiver
    settings: Settings

    def messages(self) -> list[dict[str, Any]]:
        return self.inbox.of("message.received")

    def kept(self) -> list[str]:
        return [path.name for path in self.settings.media_directory.glob("acct_*/*")]

    async def until_kept(self, count: int) -> None:
        with trio.fail_after(10):
            while len(self.kept()) != count:
                await trio.sleep(0.01)  # files have no event to wait for

    async def picture(self, **more: Any) -> dict[str, Any]:
        """The event of a customer's picture."""
        before = len(self.messages())
        await self.platform.post("messages", {"to": BOT, "from": 7, "media": PHOTO, **more})
        await self.inbox.until(lambda: len(self.messages()) > before)
        return self.messages()[-1]

    async def delete(self, *numbers: str) -> None:
        """The customer deletes messages of the business connection."""
        chat = {"id": 7, "type": "private", "first_name": "Mei"}
        deleted = {
            "business_connection_id": "BC1",
            "chat": chat,
            "message_ids": [int(number) for number in numbers],
        }
        before = len(self.inbox.of("message.deleted"))
        update = {"deleted_business_messages": deleted}
        await self.platform.post("updates", {"to": BOT, "update": update})
        await self.inbox.until(lambda: len(self.inbox.of("message.deleted")) == before + len(numbers))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        yield World(platform, inbox, settings_of(tmp_path, more, **public(free_port())))


def link(event: dict[str, Any]) -> str:
    return str(httpx.URL(event["data"]["message"]["attachments"][0]["url"]).raw_path.decode())


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


GONE = (410, "message_deleted")


async def test_a_deleted_message_of_telegram_leaves_no_file(world: World) -> None:
    async with gateway(world.settings) as api:
        await world.inbox.until(lambda: len(world.inbox.of("account.started")) == 2)
        first = await world.picture(business_connection_id="BC1")
        second = await world.picture(business_connection_id="BC1")
        unread = await world.picture(business_connection_id="BC1")
        for event in (first, second):
            assert (await api.http.get(link(event))).content == b"a picture"
        await world.until_kept(2)
        await world.delete(first["message_id"], unread["message_id"])
        assert reason(await api.http.get(link(first))) == GONE
        assert reason(await api.http.get(link(unread))) == GONE
        await world.until_kept(1)
        assert (await api.http.get(link(second))).content == b"a picture"
        await world.platform.post("messages", {"to": BOT, "from": 7, "text": "still here"})
    async with gateway(world.settings) as api:  # after a restart
        await world.inbox.until(lambda: len(world.inbox.of("account.started")) == 4)
        assert reason(await api.http.get(link(first))) == GONE
        assert (await api.http.get(link(second))).content == b"a picture"


async def test_a_revoked_message_of_whatsapp_leaves_no_file(world: World) -> None:
    async with gateway(world.settings) as api:
        await world.inbox.until(lambda: len(world.inbox.of("account.started")) == 2)
        accounts = await api.data("GET", "/v1/accounts")
        [found] = [each for each in accounts if each["provider"] == "whatsapp"]
        await world.platform.connect(found["ingress_url"])
        await world.platform.whatsapp("messages", {"from": CUSTOMER, "media": IMAGE})
        await world.inbox.until(lambda: len(world.messages()) == 1)
        [event] = world.messages()
        assert (await api.http.get(link(event))).content == b"a picture"
        await world.until_kept(1)
        revoke = {"original_message_id": event["message_id"]}
        order = {"from": CUSTOMER, "type": "revoke", "revoke": revoke}
        await world.platform.whatsapp("messages", order)
        await world.inbox.until(lambda: world.inbox.of("message.deleted"))
        assert reason(await api.http.get(link(event))) == GONE
        await world.until_kept(0)


async def test_what_the_account_takes_back_leaves_no_file_whoever_sent_it(world: World) -> None:
    async with gateway(world.settings) as api:
        await world.inbox.until(lambda: len(world.inbox.of("account.started")) == 2)
        event, other = await world.picture(), await world.picture()
        for each in (event, other):
            assert (await api.http.get(link(each))).status_code == 200
        body = {"account_id": event["account_id"], "conversation_id": "7"}
        missing = await api("POST", "/v1/messages/revoke", {**body, "message_id": "99"})
        assert missing.status_code != 200
        await api.data("POST", "/v1/messages/revoke", {**body, "message_id": event["message_id"]})
        assert reason(await api.http.get(link(event))) == GONE
        await world.until_kept(1)
        assert (await api.http.get(link(other))).status_code == 200


async def test_bytes_that_a_kill_has_left_are_deleted_at_the_next_start(world: World) -> None:
    async with gateway(world.settings) as api:
        await world.inbox.until(lambda: len(world.inbox.of("account.started")) == 2)
        event = await world.picture(business_connection_id="BC1")
        other = await world.picture(business_connection_id="BC1")
        for each in (event, other):
            assert (await api.http.get(link(each))).status_code == 200
        [directory] = world.settings.media_directory.glob("acct_*")
        before = {path: path.read_bytes() for path in directory.iterdir()}
        await world.delete(event["message_id"])
        await world.until_kept(1)
        [gone] = [path for path in before if not path.exists()]
    gone.write_bytes(before[gone])
    part = gone.with_name(f"{gone.name}.part")
    part.write_bytes(b"a pic")
    async with gateway(world.settings):
        await world.until_kept(1)
    assert not part.exists()


async def test_a_file_that_is_fetched_while_its_message_is_deleted_is_not_given(world: World) -> None:
    async with gateway(world.settings) as api:
        await world.inbox.until(lambda: len(world.inbox.of("account.started")) == 2)
        event = await world.picture(business_connection_id="BC1")
        answers: list[httpx.Response] = []
        fetching, deleted = trio.Event(), trio.Event()
        telegram = world.platform.telegram
        serve: Any = telegram.app.view_functions["file"]

        async def slow(**path: Any) -> Any:
            fetching.set()
            await deleted.wait()
            return await serve(**path)

        telegram.app.view_functions["file"] = slow

        async def read() -> None:
            answers.append(await api.http.get(link(event)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await fetching.wait()
            await world.delete(event["message_id"])
            deleted.set()
        assert reason(answers[0]) == GONE
        assert world.kept() == []
