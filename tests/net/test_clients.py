"""HTTP clients of platforms: crowds take turns, and nothing is left to the garbage collector."""

import gc
from typing import Any

import httpcore
import httpx
import pytest
import trio
import trio.testing

from supervisors.turnstile import Turnstile
from tests.harness import sandbox
from unifyport.net.clients import new_client, request, ssl_context
from unifyport.net.streams import _BACKEND
from unifyport.process.garbage import TICK, Garbage


async def test_every_read_goes_through_the_turnstile(monkeypatch: pytest.MonkeyPatch) -> None:
    entered = 0
    enter = Turnstile.enter

    async def counted(self: Turnstile) -> None:
        nonlocal entered
        entered += 1
        await enter(self)

    monkeypatch.setattr(Turnstile, "enter", counted)
    async with sandbox() as platform:
        client = new_client(ssl_context())
        url = platform.sandbox.endpoints["telegram"]["bot_api_url"]
        response = await request(client, "GET", f"{url}/bot1:token/getMe", timeout=5)
        assert (response.status, entered >= 1) == (200, True)
        await client.aclose()


async def test_a_request_leaves_no_cycles() -> None:
    async with sandbox() as platform:
        url = platform.sandbox.endpoints["telegram"]["bot_api_url"]
        client = new_client(ssl_context())
        await request(client, "GET", f"{url}/bot1:token/getMe", timeout=5)
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await request(client, "GET", f"{url}/bot1:token/getMe", timeout=5)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left: list[Any] = [each for each in gc.garbage if isinstance(each, httpx.Response)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert left == []
        await client.aclose()


async def test_nothing_is_looked_at_while_a_crowd_passes(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("gc.collect", asked.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Garbage()._collect)
        monkeypatch.setattr(Turnstile, "crowded", True)
        await trio.sleep(10.5 * TICK)
        assert asked == []
        monkeypatch.setattr(Turnstile, "crowded", False)
        await trio.sleep(10 * TICK)
        assert asked == [1] * 10
        nursery.cancel_scope.cancel()


async def test_a_stream_that_was_closed_is_lost_and_no_bug() -> None:
    async with sandbox() as platform:
        host, _, port = (
            platform.sandbox.endpoints["telegram"]["bot_api_url"].rpartition("//")[2].partition(":")
        )
        stream = await _BACKEND.connect_tcp(host, int(port))
        await stream.aclose()
        with pytest.raises(httpcore.ReadError):
            await stream.read(100)
        with pytest.raises(httpcore.WriteError):
            await stream.write(b"x")
        assert stream.get_extra_info("is_readable")
        with pytest.raises(httpcore.ConnectError):
            await _BACKEND.connect_tcp("x" * 70 + ".example", 1, timeout=1)
