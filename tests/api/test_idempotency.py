"""`Idempotency-Key`: whoever repeats a send is told what became of the first one,
and the platform gets one message.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.api.test_faults import World, to, world
from tests.harness import Client, Platform, Process, account, free_port, sandbox, write_config

__all__ = ["world"]  # the fixture


async def send(api: Client, account_id: str, key: str, text: str = "x", **more: Any) -> httpx.Response:
    return await api("POST", "/v1/messages", to(account_id, text) | more, headers={"Idempotency-Key": key})


def code_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


async def test_200_at_once_are_one_message(world: World) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 0.5})
    answers: list[httpx.Response] = []

    async def one(client: Client) -> None:
        answers.append(await send(client, account_id, "order-1"))

    clients = [Client(str(api.http.base_url)) for _ in range(8)]
    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(one, clients[number % len(clients)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["message_id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len(await platform.sent()) == 1


async def test_a_repeat_gets_the_same_answer_whatever_the_order_of_its_fields(world: World) -> None:
    platform, _, api, account_id = world
    first = await send(api, account_id, "k")
    body = dict(reversed(to(account_id).items()))
    again = await api("POST", "/v1/messages", body, headers={"Idempotency-Key": "k"})
    assert again.json()["data"] == first.json()["data"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await platform.sent()) == 1


async def test_a_key_is_for_one_send(world: World) -> None:
    platform, _, api, account_id = world
    await send(api, account_id, "k")
    other = await send(api, account_id, "k", "another text")
    assert (other.status_code, code_of(other)) == (409, "idempotency_key_reused")
    assert (await send(api, account_id, "other-key", "another text")).status_code == 200
    assert len(await platform.sent()) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "a\tb"])
async def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    platform, _, api, account_id = world
    response = await send(api, account_id, key)
    assert (response.status_code, code_of(response)) == (400, "invalid_request")
    assert await platform.sent() == []


async def test_what_the_platform_refused_is_refused_again_without_asking_it(world: World) -> None:
    _platform, _, api, account_id = world
    first = await send(api, account_id, "k", to={"id": "404", "type": "user"})
    again = await send(api, account_id, "k", to={"id": "404", "type": "user"})
    assert first.status_code == again.status_code == 404
    assert first.json()["error"]["outcome"] == "rejected"
    assert first.json()["error"] == again.json()["error"]


async def test_an_unknown_outcome_is_said_again_and_nothing_is_sent_twice(world: World) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "lost_answer", "method": "sendMessage", "count": 1})
    first = await send(api, account_id, "k")
    again = await send(api, account_id, "k")
    for response in (first, again):
        assert response.status_code == 500
        assert response.json()["error"]["outcome"] == "unknown"
    assert first.json()["error"]["command_id"] == again.json()["error"]["command_id"]
    assert len(await platform.sent()) == 1


async def test_what_provably_did_not_happen_lets_go_of_its_key(world: World) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "rate_limit", "method": "sendMessage", "count": 1, "value": 0})
    first = await send(api, account_id, "k")
    assert first.json()["error"]["outcome"] == "not_sent"
    again = await send(api, account_id, "k")
    assert again.status_code == 200
    assert "idempotent-replayed" not in again.headers


async def test_a_caller_that_goes_away_changes_nothing(world: World) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 0.5})
    with trio.move_on_after(0.2):
        await send(api, account_id, "k")
    again = await send(api, account_id, "k")
    assert again.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await platform.sent()) == 1


@pytest.mark.chaos
async def test_killed_between_the_platforms_call_and_its_answer(tmp_path: Path) -> None:
    async with sandbox() as platform:
        port = free_port()
        process = Process(write_config(tmp_path, port=port, more=account() + platform.sandbox.config()), port)
        await process.start()
        try:
            [bot] = await process.client.until(
                lambda found: found[0]["runtime_status"] == "running", "/v1/accounts"
            )
            await platform.write("hello", 7)
            await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 3, "count": 1})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send_and_lose_the_line, process, bot["id"])
                await _until_called(platform)
                await process.kill()
            await process.start()
            again = await send(process.client, bot["id"], "k")
            assert again.json()["error"]["outcome"] == "unknown"
            assert again.headers["idempotent-replayed"] == "true"
            assert len(await platform.sent()) <= 1
        finally:
            await process.kill()


async def _send_and_lose_the_line(process: Process, account_id: str) -> None:
    with pytest.raises(httpx.TransportError):
        await send(process.client, account_id, "k")


async def _until_called(platform: Platform) -> None:
    with trio.fail_after(10):
        while True:
            calls = (await platform.http.get("/sandbox/telegram/connections")).json()
            if any("sendMessage" in str(call) for call in calls):
                return


async def test_an_account_that_restarts_in_the_middle_of_a_send(world: World) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 1, "count": 1})
    answers: list[httpx.Response] = []

    async def first() -> None:
        answers.append(await send(api, account_id, "k"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        await _until_called(platform)
        assert (await api("POST", f"/v1/accounts/{account_id}/runtime/reconnect")).is_success
    again = await send(api, account_id, "k")
    assert answers[0].status_code == again.status_code == 200
    assert answers[0].json()["data"] == again.json()["data"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await platform.sent()) == 1


class Gateway:
    """A gateway in a process of its own, with one bot that a customer has written to."""

    def __init__(self, platform: Platform, process: Process) -> None:
        self.platform, self.process = platform, process
        self.bot = ""

    async def start(self) -> None:
        await self.process.start()
        [bot] = await self.process.client.until(
            lambda found: found[0]["runtime_status"] == "running", "/v1/accounts"
        )
        self.bot = bot["id"]

    async def sending(self, key: str, text: str) -> None:
        """Send, and do not mind that the line is lost."""
        with contextlib.suppress(httpx.TransportError):
            await send(Client(str(self.process.client.http.base_url)), self.bot, key, text)

    async def repeat(self, key: str, text: str) -> httpx.Response:
        return await send(self.process.client, self.bot, key, text)


@pytest.fixture
async def own_process(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with sandbox() as platform:
        port = free_port()
        process = Process(write_config(tmp_path, port=port, more=account() + platform.sandbox.config()), port)
        gateway = Gateway(platform, process)
        await gateway.start()
        await platform.write("hello", 7)
        try:
            yield gateway
        finally:
            await process.kill()


@pytest.mark.chaos
async def test_killed_with_sends_in_the_queue(own_process: Gateway) -> None:
    """What was being sent is unknown, what waited was not sent; and nothing is sent by the boot itself."""
    gateway, platform = own_process, own_process.platform
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 3, "count": 1})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.sending, "first", "first")
        await _until_called(platform)
        for number in range(5):
            nursery.start_soon(gateway.sending, f"queued-{number}", f"queued-{number}")
        await _until_recorded(gateway.process, 6)
        await gateway.process.kill()
    await gateway.start()
    assert [m["text"] for m in await platform.sent() if m["text"] != "first"] == []
    first = await gateway.repeat("first", "first")
    assert (first.status_code, first.json()["error"]["outcome"]) == (500, "unknown")
    for number in range(5):
        again = await gateway.repeat(f"queued-{number}", f"queued-{number}")
        assert again.status_code == 200
        assert "idempotent-replayed" not in again.headers  # it let go of its key
    texts = [message["text"] for message in await platform.sent()]
    assert sorted(text for text in texts if text != "first") == [f"queued-{n}" for n in range(5)]
    assert texts.count("first") <= 1


@pytest.mark.chaos
async def test_stopped_between_the_platforms_answer_and_the_record(own_process: Gateway) -> None:
    """An operator's stop waits until what is known is on record."""
    gateway, platform = own_process, own_process.platform
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 1, "count": 1})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.sending, "k", "x")
        await _until_called(platform)
        assert await gateway.process.stop() == 0
    [message] = await platform.sent()
    await gateway.start()
    again = await gateway.repeat("k", "x")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json()["data"]["message_id"] == str(message["message_id"])
    assert len(await platform.sent()) == 1


async def _until_recorded(process: Process, count: int) -> None:
    """So many sends are in the store: they were accepted."""
    database = process.config.with_name("unifyport.db")
    with trio.fail_after(10):
        while True:
            with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
                [found] = reader.execute("select count(*) from command").fetchone()
            if found >= count:
                return
            await trio.sleep(0.02)  # a process has no event to wait for
