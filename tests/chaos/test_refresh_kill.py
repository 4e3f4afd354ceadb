"""kill -9 around the refresh of tokens of which each serves once: the account is not locked out where the new
pair was durable or the platform never gave one, and fails honestly where it was answered and lost.
"""

import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import Process, free_port, write_config
from tests.reference.oauth import NAME, Grants, oauth_platform

pytestmark = pytest.mark.chaos

SCRIPT = Path(__file__).with_name("oauth_server.py")


@contextlib.asynccontextmanager
async def idle_account(directory: Path) -> AsyncIterator[tuple[Process, Grants]]:
    """A gateway that is not started yet, with an account whose tokens live for a second and a half."""
    async with oauth_platform() as platform:
        platform.grants.lifetime = 1.5
        seed, port = platform.grants.seed("user-1"), free_port()
        more = platform.table() + f'[[accounts]]\nname = "idle"\nprovider = "{NAME}"\n'
        more += f'credentials = {{ refresh_token = "{seed}" }}\n'
        process = Process(write_config(directory, port=port, more=more), port, SCRIPT)
        try:
            yield process, platform.grants
        finally:
            with contextlib.suppress(ProcessLookupError):
                await process.kill()


async def refreshed(grants: Grants, times: int) -> None:
    with trio.fail_after(20):
        while grants.refreshes < times:
            await grants.news.wait()


async def running(process: Process) -> Any:
    [account] = await process.client.until(
        lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts"
    )
    return account


async def killed(process: Process, when: str) -> None:
    await process.start_with({"DIE_AT": when})
    assert await process.ended() == -signal.SIGKILL, "it did not refresh"


async def test_killed_after_the_new_pair_was_durable(tmp_path: Path) -> None:
    async with idle_account(tmp_path) as (process, grants):
        for _ in range(3):
            await killed(process, "after")
        await process.start()
        await running(process)
        await refreshed(grants, grants.refreshes + 2)
        await running(process)
        assert len(grants.refresh_tokens) == 1


async def test_killed_before_the_platform_has_acted(tmp_path: Path) -> None:
    async with idle_account(tmp_path) as (process, grants):
        grants.held = trio.Event()
        await process.start_with({})
        with trio.fail_after(20):
            while not grants.waiting:
                await grants.news.wait()
        await process.kill()
        grants.held = None
        await process.start()
        await running(process)
        assert len(grants.refresh_tokens) == 1


async def test_killed_between_the_answer_and_the_commit(tmp_path: Path) -> None:
    async with idle_account(tmp_path) as (process, grants):
        await killed(process, "before")
        await process.start()
        [account] = await process.client.data("GET", "/v1/accounts")
        path = f"/v1/accounts/{account['id']}"
        state = await process.client.until(lambda s: s["status"] == "failed", f"{path}/auth")
        assert state["last_error"] == "refresh_token_refused"
        explained = await process.client.data("GET", f"{path}/explain")
        assert "refresh token" in explained["action"]
        asked = grants.refreshes
        await process.client.data("GET", f"{path}/runtime")
        assert grants.refreshes == asked  # and it is not tried again and again
