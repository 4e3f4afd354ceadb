"""What a change of one endpoint costs does not depend on how many there are: rows read, and calls made.

A comparison of all rows with what is known, every few seconds, is not counted: the least of several changes.
"""

import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.harness import Client, gateway, settings_of
from unifyport.model.webhook import ENDPOINT_INACTIVE, WebhookEndpoint
from unifyport.process.clock import wall_clock_ms
from unifyport.storage.contract import PutEndpoint
from unifyport.storage.sqlite.store import SqliteStore

FEW, MANY, TIMES = 20, 1000, 8
PART = 10  # instructions of SQLite's machine that are counted at once


class Work:
    """What was done so far: `instructions` of SQLite, `calls` of Python functions in this thread."""

    def __init__(self) -> None:
        self.instructions = self.calls = 0

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = _connect(*arguments, **options)
        connection.set_progress_handler(self._count, PART)
        return connection

    def _count(self) -> int:
        self.instructions += PART
        return 0

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        self.calls += event == "call"


_connect = sqlite3.connect


async def costs(client: Client, work: Work) -> dict[str, tuple[int, int]]:
    """(instructions, calls) of each kind of change."""
    found: dict[str, list[tuple[int, int]]] = {}

    async def count(name: str, method: str, path: str, body: Any = None) -> Any:
        work.instructions = work.calls = 0
        answer = await client(method, path, body)
        found.setdefault(name, []).append((work.instructions, work.calls))
        assert answer.is_success, answer.text
        return answer.json().get("data") if answer.content else None

    sys.setprofile(work.profile)
    try:
        for n in range(TIMES):
            body = {"url": f"http://127.0.0.1:9/{n}", "status": "active", "signing_secret": "secret-of-one"}
            made = await count("create", "POST", "/v1/webhook-endpoints", body)
            path = f"/v1/webhook-endpoints/{made['id']}"
            await count("update", "PATCH", path, {"subscribed_events": ["message.received"]})
            await count("delete", "DELETE", path)
    finally:
        sys.setprofile(None)
    return {name: (min(a for a, _ in each), min(b for _, b in each)) for name, each in found.items()}


async def with_endpoints(directory: Path, count: int, work: Work) -> AsyncIterator[Client]:
    settings = settings_of(directory)
    store = SqliteStore(settings.database, settings.key_ring, wall_clock_ms)
    store.open()
    rows = (
        WebhookEndpoint(f"we_{n}", f"https://{n}.example", status=ENDPOINT_INACTIVE) for n in range(count)
    )
    await store.commit([*map(PutEndpoint, rows)])
    store.close()
    async with gateway(settings) as client:
        await client.until(lambda status: status["endpoint_count"] == count, "/v1/status")
        yield client


async def test_a_change_costs_what_one_endpoint_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, measured = Work(), {}
    monkeypatch.setattr(sqlite3, "connect", work.connect)
    for count in (FEW, MANY):
        directory = tmp_path / str(count)
        directory.mkdir()
        async for client in with_endpoints(directory, count, work):
            measured[count] = await costs(client, work)
    for name, (instructions, calls) in measured[MANY].items():
        few_instructions, few_calls = measured[FEW][name]
        assert instructions <= 1.5 * few_instructions + 20 * PART, name
        assert calls <= 1.5 * few_calls, name
