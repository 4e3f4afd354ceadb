"""`Idempotency-Key`: whoever repeats a send is told what became of the first one, and the platform gets one message."""

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
    assert first.status_code == again.status_code == 500
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
