"""kill -9 around a change of an API key: then the key is as it is stored, and as its caller was told."""

import random
from pathlib import Path

import httpx
import pytest
import trio

from tests.harness import Client, Process, free_port, write_config

pytestmark = pytest.mark.chaos

ROUNDS = 6


async def test_killed_while_a_key_is_rotated(tmp_path: Path) -> None:
    rng, port = random.Random(7), free_port()
    process = Process(write_config(tmp_path, port=port), port)
    url = f"http://127.0.0.1:{port}"

    async def admits(secret: str) -> bool:
        return (await Client(url, secret)("GET", "/v1/workspace")).status_code == 200

    await process.start()
    try:
        for round_ in range(ROUNDS):
            made = await process.client.data("POST", "/v1/api-keys", {"name": f"key {round_}"})
            old, path = made["api_key"], f"/v1/api-keys/{made['key']['id']}"
            new: list[str] = []

            async def rotate(path: str = path, new: list[str] = new) -> None:
                try:
                    answer = await process.client("POST", f"{path}/rotate", {"name": "rotated"})
                except httpx.TransportError:
                    return
                new.append(answer.json()["data"]["api_key"])

            assert await admits(old)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(rotate)
                await trio.sleep(rng.random() * 0.02)  # a process has no event to wait for
                await process.kill()
            await process.start()
            stored = {key["id"]: key["name"] for key in await process.client.data("GET", "/v1/api-keys")}
            assert await admits(old) == (stored[made["key"]["id"]] != "rotated")
            for secret in new:
                assert await admits(secret)
                assert not await admits(old)
    finally:
        await process.kill()
