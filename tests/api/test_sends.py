"""Sends side by side: order within a conversation, none across, and what ends or refuses a send."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.harness import (
    BOT,
    NUMBER,
    Client,
    Platform,
    account,
    free_port,
    gateway,
    public,
    sandbox,
    settings_of,
    whatsapp,
)
from unifyport.gateway import sends

PACE_OFF = '\n[providers.telegram.pace]\naccount = "off"\nuser = "off"\ngroup = "off"\n'


def text(account_id: str, chat: int | str, content: str = "x") -> dict[str, Any]:
    return {
        "account_id": account_id,
        "to": {"id": str(chat), "type": "user"},
        "message": {"type": "text", "text": content},
    }


class World:
    """A gateway with one bot, whose customers 1 to `customers` have written to it."""

    def __init__(self, platform: Platform, api: Client, account_id: str) -> None:
        self.platform = platform
        self.api = api
        self.account_id = account_id

    async def send(self, chat: int | str, content: str = "x", **more: Any) -> httpx.Response:
        return await self.api("POST", "/v1/messages", text(self.account_id, chat, content) | more)

    async def fault(self, kind: str, **more: Any) -> None:
        await self.platform.post("faults", {"kind": kind, **more})

    async def runtime(self, check: Callable[[Any], bool]) -> Any:
        return await self.api.until(check, f"/v1/accounts/{self.account_id}/runtime")

    async def queued(self, count: int) -> None:
        await self.runtime(lambda runtime: runtime["sends"]["queued"] == count)

    async def called(self, method: str) -> None:
        """Wait until the platform has a call of this method."""
        with trio.fail_after(10):
            while all(call["method"] != method for call in self.platform.telegram.connections):
                await trio.sleep(0.01)

    def arrived(self) -> list[tuple[str, str]]:
        return [(str(sent["chat"]["id"]), sent["text"]) for sent in self.platform.telegram.sent()]


Run = Callable[..., Awaitable[Any]]


@pytest.fixture
async def worlds(tmp_path: Path) -> Any:
    """Makes a `World`, once: `customers` in number, `pace` as the file's lines."""
    async with sandbox() as platform, trio.open_nursery() as nursery:
        opened = trio.Event()

        async def make(customers: int = 3, pace: str = PACE_OFF) -> World:
            async def run(task_status: trio.TaskStatus[Client]) -> None:
                settings = settings_of(tmp_path, account() + platform.sandbox.config() + pace)
                async with gateway(settings) as api:
                    task_status.started(api)
                    await opened.wait()

            api = await nursery.start(run)
            [known] = await api.until(
                lambda all_: [each["runtime_status"] for each in all_] == ["running"], "/v1/accounts"
            )
            for customer in range(1, customers + 1):
                platform.telegram.receive({"to": BOT, "from": customer, "text": "hello"})
            return World(platform, api, known["id"])

        yield make
        opened.set()
        nursery.cancel_scope.cancel()


def outcome_of(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["outcome"]


async def test_conversations_do_not_wait_for_each_other(worlds: Run) -> None:
    world = await worlds(customers=200)
    await world.fault("delay", method="sendMessage", value=0.5, seconds=60)
    answers: list[httpx.Response] = []

    async def send(chat: int) -> None:
        answers.append(await world.send(chat))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for chat in range(1, 201):
                nursery.start_soon(send, chat)
    assert [answer.status_code for answer in answers] == [200] * 200
    assert sorted(int(chat) for chat, _ in world.arrived()) == list(range(1, 201))


async def test_a_conversation_keeps_the_order_of_acceptance(worlds: Run) -> None:
    world = await worlds()
    await world.fault("delay", method="sendMessage", value=8, count=1)  # the others queue up behind it
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(world.send, 1, f"first {number}")
            await world.queued(2 * number + 1)
            nursery.start_soon(world.send, "1" if number % 2 else 1, f"second {number}")
            await world.queued(2 * number + 2)
    expected = [f"{word} {number}" for number in range(6) for word in ("first", "second")]
    assert [content for _, content in world.arrived()] == expected


async def test_a_slow_upload_holds_up_its_own_conversation_only(
    worlds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Bot API takes file and message in one request, so the outcome is unknown."""
    world = await worlds(customers=200)
    monkeypatch.setattr(sends, "DEADLINE_MS", 10_000)
    await world.fault("delay", method="sendDocument", value=60, seconds=60)
    key = await upload(world.api)
    found: dict[str, httpx.Response] = {}

    async def send_file() -> None:
        body = text(world.account_id, 1) | {"message": {"type": "document", "file_key": key}}
        found["file"] = await world.api("POST", "/v1/messages", body)

    statuses: list[int] = []

    async def send(chat: int) -> None:
        statuses.append((await world.send(chat)).status_code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_file)
        await world.queued(1)
        async with trio.open_nursery() as others:
            for chat in range(2, 201):
                others.start_soon(send, chat)
        assert statuses == [200] * 199
        assert "file" not in found
    assert outcome_of(found["file"]) == (500, "send_message_failed", "unknown")


async def upload(api: Client) -> str:
    data = await api.http.post("/v1/media", files={"file": ("a.pdf", b"%PDF-1.4", "application/pdf")})
    assert data.is_success, data.text
    return str(data.json()["data"]["file_key"])


async def test_a_slow_upload_to_the_cloud_api_has_sent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Cloud API takes the file before the message."""
    monkeypatch.setattr(sends, "DEADLINE_MS", 4000)
    async with sandbox() as platform:
        settings = settings_of(tmp_path, whatsapp() + platform.sandbox.config(), **public(0))
        async with gateway(settings) as api:
            await api.until(lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts")
            [known] = await api.data("GET", "/v1/accounts")
            await platform.whatsapp(
                "faults", {"kind": "delay", "method": "media", "value": 60, "seconds": 60}
            )
            body = text(known["id"], "6591234567") | {
                "message": {"type": "document", "file_key": await upload(api)}
            }
            answer = await api("POST", "/v1/messages", body)
            assert outcome_of(answer) == (503, "send_message_failed", "not_sent")
            command = answer.json()["error"]["command_id"]
            assert (await api.data("GET", f"/v1/commands/{command}"))["outcome"] == "not_sent"


async def test_what_cannot_begin_in_time_is_refused_before_it_is_recorded(
    worlds: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sends, "DEADLINE_MS", 24_500
    )  # 22 s of those ahead, 2 s of its own, and half a second
    world = await worlds()
    await world.fault("delay", method="sendMessage", value=15, count=1)
    async with trio.open_nursery() as nursery:
        for number in range(23):  # of one second each, as nothing is known yet
            nursery.start_soon(world.send, 1, f"{number}")
            await world.queued(number + 1)
        refused = await world.send(1, "too many")
        assert outcome_of(refused) == (503, "send_message_failed", "not_sent")
        assert 1 <= int(refused.headers["retry-after"]) <= 3
        assert "command_id" not in refused.json()["error"]
        assert (await world.send(2)).status_code == 200
        await world.api("POST", f"/v1/accounts/{world.account_id}/runtime/stop")


async def test_the_pace_refuses_with_the_time_of_the_next_place(worlds: Run) -> None:
    world = await worlds(pace='\n[providers.telegram.pace]\nuser = { rate = "1/m", burst = 1 }\n')
    assert (await world.send(1)).status_code == 200
    refused = await world.send(1, "again")
    assert outcome_of(refused) == (429, "rate_limited", "not_sent")
    assert 30 <= int(refused.headers["retry-after"]) <= 40
    assert (await world.send(2)).status_code == 200


async def test_the_default_pace_stays_below_the_limits_of_the_platform(worlds: Run) -> None:
    world = await worlds(customers=12, pace="")
    await world.fault("limits", seconds=60)
    answers: list[int] = []

    async def send(chat: int) -> None:
        answers.append((await world.send(chat)).status_code)

    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(send, 1 + number % 12)
    assert answers == [200] * 60
    assert world.platform.telegram.limits.refused == 0


async def test_the_default_pace_stays_below_the_limits_of_a_group(worlds: Run) -> None:
    world = await worlds(pace="")
    chat = {"id": -17, "type": "group", "title": "Ops"}
    world.platform.telegram.receive({"to": BOT, "from": 1, "chat": chat, "text": "hello"})
    await world.fault("limits", seconds=60)
    answers: list[httpx.Response] = []

    async def send(number: int) -> None:
        to = {"to": {"id": "-17", "type": "group"}}
        answers.append(await world.send(-17, f"{number}", **to))

    async with trio.open_nursery() as nursery:
        for number in range(8):  # the burst of five, and three more
            nursery.start_soon(send, number)
    assert [answer.status_code for answer in answers] == [200] * 8
    assert world.platform.telegram.limits.refused == 0


async def test_the_default_pace_stays_below_the_limits_of_a_business_number(tmp_path: Path) -> None:
    """80 a second in all, and one customer who gets more than the 45 that may come at once."""
    async with sandbox() as platform:
        settings = settings_of(tmp_path, whatsapp() + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings) as api:
            [known] = await api.until(
                lambda all_: [each["runtime_status"] for each in all_] == ["running"], "/v1/accounts"
            )
            await platform.connect(known["ingress_url"], NUMBER)
            customers = [f"65900000{number:02}" for number in range(40)]
            for customer in customers:
                platform.cloud.receive({"to": NUMBER, "from": customer, "text": "hello"})
            await platform.whatsapp("faults", {"kind": "limits", "seconds": 60})
            answers: list[httpx.Response] = []

            async def send(customer: str, number: int) -> None:
                answers.append(await api("POST", "/v1/messages", text(known["id"], customer, f"{number}")))

            async def send_many(customer: str, numbers: range) -> None:
                for number in numbers:
                    await send(customer, number)

            async with trio.open_nursery() as nursery:
                for number in range(4 * len(customers)):
                    nursery.start_soon(send, customers[number % len(customers)], number)
            async with trio.open_nursery() as nursery:
                for first in range(0, 42, 14):
                    nursery.start_soon(send_many, customers[0], range(first, first + 14))
            assert [answer.status_code for answer in answers] == [200] * (4 * len(customers) + 42)
            assert platform.cloud.limits.refused == 0


async def test_a_platform_that_says_wait_closes_that_conversation_only(worlds: Run) -> None:
    world = await worlds()
    await world.fault("rate_limit", method="sendMessage", value=3, count=1)
    refused = await world.send(1)
    assert outcome_of(refused) == (429, "rate_limited", "not_sent")
    found: dict[str, httpx.Response] = {}

    async def send_later() -> None:
        found["later"] = await world.send(1, "later")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_later)
        await world.queued(1)
        assert (await world.send(2)).status_code == 200
        assert found == {}
    assert found["later"].status_code == 200


async def test_a_reset_forgets_that_the_platform_told_to_wait(worlds: Run) -> None:
    world = await worlds()
    await world.fault("rate_limit", method="sendMessage", value=1e9, count=1)
    assert (await world.send(1)).status_code == 429
    refused = await world.send(1)
    assert outcome_of(refused) == (429, "rate_limited", "not_sent")
    assert refused.headers["retry-after"] == "3600"
    await world.api("POST", f"/v1/accounts/{world.account_id}/runtime/reset")
    assert (await world.send(1)).status_code == 200


async def test_a_stop_ends_what_waits_and_lets_the_rest_finish(worlds: Run) -> None:
    world = await worlds()
    await world.fault("delay", method="sendMessage", value=4, count=1)
    answers: dict[str, httpx.Response] = {}

    async def send(content: str) -> None:
        answers[content] = await world.send(1, content)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, "begun")
        await world.called("sendMessage")
        nursery.start_soon(send, "waits")
        await world.queued(2)
        await world.api("POST", f"/v1/accounts/{world.account_id}/runtime/stop")
    assert answers["begun"].status_code == 200
    assert outcome_of(answers["waits"]) == (409, "account_binding_not_found", "not_sent")
    assert "shutting_down" in answers["waits"].text
    assert world.arrived() == [("1", "begun")]


async def test_a_reconnect_keeps_the_queue(worlds: Run) -> None:
    world = await worlds()
    await world.fault("delay", method="sendMessage", value=2, count=1)
    answers: list[int] = []

    async def send(content: str) -> None:
        answers.append((await world.send(1, content)).status_code)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(send, f"{number}")
            await world.queued(number + 1)
        await world.api("POST", f"/v1/accounts/{world.account_id}/runtime/reconnect")
    assert answers == [200] * 3
    assert world.arrived() == [("1", "0"), ("1", "1"), ("1", "2")]


async def test_metrics_tell_of_the_queue(worlds: Run) -> None:
    world = await worlds(pace='\n[providers.telegram.pace]\nuser = { rate = "1/m", burst = 1 }\n')
    assert (await world.send(1)).status_code == 200
    assert (await world.send(1)).status_code == 429
    metrics = (await world.api.http.get("/metrics")).text
    assert 'unifyport_commands_refused_total{channel="telegram",reason="rate_limited"} 1.0' in metrics
    assert 'unifyport_commands_queued{channel="telegram"} 0.0' in metrics
    assert 'unifyport_commands_in_progress{channel="telegram"} 0.0' in metrics
