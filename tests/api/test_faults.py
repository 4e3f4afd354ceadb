"""What the platform does to us: poison, lost links, refusals, and sends whose fate is unknown."""

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import (
    BOT,
    Client,
    Platform,
    Receiver,
    account,
    endpoint,
    gateway,
    receiver,
    sandbox,
    settings_of,
)

QUICK = """[supervision.policies.default]
backoff = { initial = "50ms", max = "200ms", jitter = 0.0 }
max_restarts = 100
"""


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    """(platform, receiver, API, account id), with the account online and one customer known."""
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config() + QUICK
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await platform.write("hello", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [known] = await api.data("GET", "/v1/accounts")
            yield platform, inbox, api, known["id"]


World = tuple[Platform, Receiver, Client, str]


def to(account_id: str, text: str = "x") -> dict[str, Any]:
    return {
        "account_id": account_id,
        "to": {"id": "7", "type": "user"},
        "message": {"type": "text", "text": text},
    }


async def test_poison_is_quarantined_and_the_next_message_arrives(world: World, tmp_path: Path) -> None:
    platform, inbox, api, account_id = world
    readable = {
        "message_id": 900,
        "date": 1,
        "chat": {"id": 7, "type": "private"},
        "from": {"id": 7, "first_name": "x"},
        "text": 5,
    }
    poison: list[dict[str, Any]] = [
        {"never_seen": {"a": 1}},
        {"message": "text"},
        {"message": {"chat": []}},
        {"message": readable},
    ]
    for update in poison:
        await platform.post("updates", {"to": BOT, "update": update})
    await platform.write("after the poison", 7)
    await inbox.until(lambda: any(e["text"] == "after the poison" for e in inbox.of("message.received")))
    kinds = [e["data"]["message"]["type"] for e in inbox.of("message.received")]
    assert kinds == ["text", "unknown", "text"]
    assert (await api.data("GET", f"/v1/accounts/{account_id}"))["runtime_status"] == "running"
    assert len(inbox.of("account.started")) == 1
    import sqlite3

    with sqlite3.connect(tmp_path / "unifyport.db") as database:
        reasons = [row[0] for row in database.execute("select reason from quarantine order by n")]
    assert reasons == ["unknown_update", *["parse: ValidationError"] * 3]


async def test_what_comes_twice_is_one_event(world: World) -> None:
    platform, inbox, _, _ = world
    await platform.post("faults", {"kind": "duplicate"})
    await platform.write("once", 7)
    await platform.write("end", 7)
    await inbox.until(lambda: inbox.of("message.received")[-1]["text"] == "end")
    assert [e["text"] for e in inbox.of("message.received")] == ["hello", "once", "end"]


@pytest.mark.parametrize("kind", ["disconnect", "error_500", "garbage", "conflict", "rate_limit"])
async def test_a_lost_link_comes_back_and_its_states_are_told_in_order(world: World, kind: str) -> None:
    platform, inbox, _, _ = world
    await platform.post("faults", {"kind": kind, "method": "getUpdates", "count": 1, "value": 1})
    await platform.write("wakes the poll", 7)
    await inbox.until(lambda: len(inbox.of("account.started")) == 2)
    await inbox.until(lambda: inbox.of("message.received")[-1]["text"] == "wakes the poll")
    await inbox.until(lambda: inbox.of("account.status.updated")[-1]["data"]["runtime_status"] == "running")
    statuses = [e["data"]["runtime_status"] for e in inbox.of("account.status.updated")]
    assert statuses == ["starting", "running", "reconnecting", "running"]
    assert inbox.of("account.status.updated")[2]["data"]["reason"]


@pytest.mark.parametrize(
    ("kind", "status", "code", "outcome"),
    [
        ("disconnect", 500, "send_message_failed", "unknown"),
        ("error_500", 500, "send_message_failed", "unknown"),
        ("garbage", 500, "send_message_failed", "unknown"),
        ("rate_limit", 429, "rate_limited", "not_sent"),
    ],
)
async def test_a_failed_send_says_what_became_of_it_and_is_never_repeated(
    world: World, kind: str, status: int, code: str, outcome: str
) -> None:
    platform, inbox, api, account_id = world
    await platform.post("faults", {"kind": kind, "method": "sendMessage", "value": 2})
    response = await api("POST", "/v1/messages", to(account_id))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["outcome"]) == (status, code, outcome)
    if kind == "rate_limit":
        assert response.headers["retry-after"] == "2"
    command = await api.data("GET", f"/v1/commands/{error['command_id']}")
    assert command["outcome"] == outcome
    assert (await api("POST", "/v1/messages", to(account_id, "second"))).is_success
    assert [m["text"] for m in await platform.sent()] == ["second"]
    assert len(inbox.of("account.started")) == 1  # the connection was not touched


async def test_a_send_that_finds_the_token_revoked(world: World) -> None:
    platform, inbox, api, account_id = world
    await platform.post("faults", {"kind": "logout", "method": "sendMessage"})
    response = await api("POST", "/v1/messages", to(account_id))
    assert (response.status_code, response.json()["error"]["outcome"]) == (409, "not_sent")
    await inbox.until(lambda: len(inbox.of("account.auth.required")) == 1)
    assert (await api.data("GET", f"/v1/accounts/{account_id}/auth"))["status"] == "failed"


async def test_a_caller_who_goes_away_does_not_stop_the_send(world: World) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 0.5})
    with trio.move_on_after(0.1):
        await api("POST", "/v1/messages", to(account_id, "goes on"))
    assert (await api("POST", "/v1/messages", to(account_id, "after"))).is_success
    assert [m["text"] for m in await platform.sent()] == ["goes on", "after"]


async def test_a_stop_lets_the_send_in_flight_finish(world: World) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 0.5})
    answers: list[Any] = []

    async def send() -> None:
        answers.append(await api("POST", "/v1/messages", to(account_id, "in flight")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while not any(c["method"] == "sendMessage" for c in platform.telegram.connections):
            await trio.lowlevel.checkpoint()
        stopped = await api.data("POST", f"/v1/accounts/{account_id}/runtime/stop")
    assert answers[0].is_success
    assert stopped["operation_status"] == "succeeded"
    assert [m["text"] for m in await platform.sent()] == ["in flight"]


async def test_idle_connections_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    import time

    from tests.harness import Process, free_port, write_config

    port = free_port()
    process = Process(write_config(tmp_path, port=port), port)
    await process.start()
    await process.client.data("GET", "/v1/workspace")  # and the connection stays open
    began = time.monotonic()
    assert await process.stop() == 0
    assert time.monotonic() - began < 10


async def test_one_bug_in_the_writer_is_survived_by_the_whole_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors.writer import Writer

    commit, crashes = Writer._commit, [1]

    async def once(self: Writer, group: Any) -> None:
        if crashes and any(type(job.work).__name__ == "AcceptCommand" for job in group):
            crashes.pop()
            raise RuntimeError("a bug that the test ordered")
        await commit(self, group)

    monkeypatch.setattr(Writer, "_commit", once)
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config() + QUICK
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await platform.write("one", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [known] = await api.data("GET", "/v1/accounts")
            with pytest.raises(Exception):  # noqa: B017  the front went down with it, or answered 503
                assert (await api("POST", "/v1/messages", to(known["id"]))).is_success
            assert crashes == []
            await platform.write("two", 7)
            await inbox.until(lambda: any(e["text"] == "two" for e in inbox.of("message.received")), 30)
            import httpx

            with trio.fail_after(20):
                while True:
                    try:
                        if (await api("GET", "/readyz")).status_code == 200:
                            break
                    except httpx.TransportError:
                        await trio.lowlevel.checkpoint()
            await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{known['id']}")
            assert (await api("POST", "/v1/messages", to(known["id"], "after"))).is_success


async def test_sends_that_wait_longer_than_their_deadline_harm_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, _, api, account_id = world
    await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 8, "count": 1})
    outcomes: dict[str, str] = {}

    async def send(text: str) -> None:
        response = await api("POST", "/v1/messages", to(account_id, text))
        outcomes[text] = response.json()["error"]["outcome"]

    async with trio.open_nursery() as nursery:
        monkeypatch.setattr("unifyport.gateway.sends.DEADLINE_MS", 4_000)
        nursery.start_soon(send, "on the wire")
        while not any(c["method"] == "sendMessage" for c in platform.telegram.connections):
            await trio.lowlevel.checkpoint()
        monkeypatch.setattr("unifyport.gateway.sends.DEADLINE_MS", 300)  # over before the first one's
        nursery.start_soon(send, "waits")
        nursery.start_soon(send, "waits too")
    assert outcomes == {"on the wire": "unknown", "waits": "not_sent", "waits too": "not_sent"}
    assert (await api.data("GET", f"/v1/accounts/{account_id}"))["runtime_status"] == "running"
    monkeypatch.undo()
    assert (await api("POST", "/v1/messages", to(account_id, "after"))).is_success


async def test_inactive_and_active_again_at_once(tmp_path: Path) -> None:
    async with sandbox() as platform:
        async with gateway(settings_of(tmp_path, platform.sandbox.config())) as api:
            body = {"provider": "telegram", "provider_data": {"token": "4242:x"}}
            path = f"/v1/accounts/{(await api.data('POST', '/v1/accounts', body))['id']}"
            await api.until(lambda a: a["runtime_status"] == "running", path)
            await api.data("PATCH", path, {"status": "inactive"})
            await api.data("PATCH", path, {"status": "active"})
            await api.until(lambda a: a["runtime_status"] == "running", path)
            await api.data("PATCH", path, {"status": "inactive"})
            await api.until(lambda a: a["runtime_status"] == "stopped", path)
            import time

            began = time.monotonic()
            assert (await api("DELETE", path)).status_code == 204
            assert time.monotonic() - began < 3
