"""kill -9: everything that the platform gave us arrives, in order per conversation, under one id."""

import random
import resource
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import (
    Platform,
    Process,
    Receiver,
    account,
    endpoint,
    free_port,
    receiver,
    sandbox,
    write_config,
)

pytestmark = pytest.mark.chaos

CONVERSATIONS = 10
SCRIPT = Path(__file__).with_name("crashing_server.py")
QUICK = '[supervision.policies.default]\nbackoff = { initial = "100ms", max = "1s" }\nmax_restarts = 1000\n'
PATIENT = '{ max_attempts = 100, schedule = ["100ms", "200ms"] }'


async def write_messages(platform: Platform, count: int) -> None:
    for number in range(count):
        await platform.write(f"{number}", 1 + number % CONVERSATIONS)


def judge(inbox: Receiver, count: int) -> int:
    """Assert what must hold; returns the number of repeats."""
    messages = inbox.of("message.received")
    ids: dict[str, set[str]] = defaultdict(set)
    first: dict[str, list[int]] = defaultdict(list)
    for event in messages:
        if event["id"] not in ids[event["text"]]:
            if not ids[event["text"]]:
                first[event["from"]].append(int(event["text"]))
            ids[event["text"]].add(event["id"])
    missing = [n for n in range(count) if str(n) not in ids]
    assert not missing, f"lost: {missing[:20]} ({len(missing)})"
    assert not [text for text, found in ids.items() if len(found) != 1], "an id differs between repeats"
    assert all(numbers == sorted(numbers) for numbers in first.values()), "order broken"
    assert inbox.bad_signatures == 0
    return len(messages) - count


def arrived(inbox: Receiver) -> int:
    return len({event["text"] for event in inbox.of("message.received")})


async def kill_at_random(
    process: Process, times: int, rng: random.Random, inbox: Receiver, count: int
) -> None:
    """Kill after random amounts of work, so that kills fall into it however fast the machine is."""
    for number in range(times):
        aim = min(count - 1, round(count * (number + rng.random()) / times))
        with trio.move_on_after(5):
            await inbox.until(lambda aim=aim: arrived(inbox) >= aim, 60)  # type: ignore[misc]
        await process.kill()
        await process.start()


@pytest.mark.parametrize("script", [None, SCRIPT], ids=["", "normalizer crashes"])
async def test_2000_messages_six_kills_receiver_fails_20_percent(tmp_path: Path, script: Path | None) -> None:
    count, rng = 2000, random.Random(7)

    def answer(event: dict[str, Any]) -> int:
        return 500 if rng.random() < 0.2 else 204

    async with sandbox() as platform, receiver(answer) as inbox:
        port = free_port()
        more = account() + endpoint(inbox.url, retry=PATIENT) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port, script)
        await process.start()
        try:
            await inbox.until(lambda: bool(inbox.of("account.started")))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write_messages, platform, count)
                nursery.start_soon(kill_at_random, process, 6, rng, inbox, count)
            await inbox.until(lambda: arrived(inbox) == count, 120)
            assert judge(inbox, count) >= 0
            assert inbox.attempts > count * 1.1  # the receiver did fail
            log = process.log.read_text()
            assert ("a crash that the test ordered" in log) is (script is not None)
            assert await process.stop() == 0
        finally:
            await process.kill()


async def test_receiver_down_for_longer_than_the_retry_schedule(tmp_path: Path) -> None:
    count, down = 300, [True]

    def answer(event: dict[str, Any]) -> int:
        return 503 if down[0] else 204

    async with sandbox() as platform, receiver(answer) as inbox:
        port = free_port()
        short = '{ max_attempts = 2, schedule = ["50ms"] }'
        more = account() + endpoint(inbox.url, retry=short) + platform.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        try:
            await write_messages(platform, count)
            await process.client.until(
                lambda p: len(p["items"]) >= 200 or (not p["has_more"] and len(p["items"]) >= 200),
                "/v1/events?type=message.received&limit=200",
            )
            await process.kill()
            await process.start()
            with trio.move_on_after(6):  # more than fifty times the schedule
                await trio.sleep_forever()
            down[0] = False
            await inbox.until(lambda: arrived(inbox) == count, 60)
            assert judge(inbox, count) == 0
        finally:
            await process.kill()


async def test_disk_full_for_a_while_loses_nothing_and_restarts_nobody(tmp_path: Path) -> None:
    count = 600
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        try:
            await inbox.until(lambda: bool(inbox.of("account.started")))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write_messages, platform, count)
                await inbox.until(lambda: arrived(inbox) > 50, 30)
                _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (16 * 1024, hard))
                await _readiness(process, 503)
                assert (await process.client.http.get("/healthz")).status_code == 200
                body = {
                    "account_id": (await process.client.data("GET", "/v1/accounts"))[0]["id"],
                    "to": {"id": "1", "type": "user"},
                    "message": {"type": "text", "text": "x"},
                }
                refused = await process.client("POST", "/v1/messages", body)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                assert await platform.sent() == []
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
                await _readiness(process, 200)
            await inbox.until(lambda: arrived(inbox) == count, 60)
            judge(inbox, count)
            assert len(inbox.of("account.started")) == 1
            statuses = [e["data"]["runtime_status"] for e in inbox.of("account.status.updated")]
            assert statuses == ["starting", "running"]
            assert await process.stop() == 0
        finally:
            await process.kill()


async def _readiness(process: Process, status: int) -> None:
    with trio.fail_after(20):
        while (await process.client.http.get("/readyz")).status_code != status:
            await trio.lowlevel.checkpoint()
