"""CHRLINE, a device of LINE that this project did not write, at our sandbox."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from tests.line_device_world import LineDeviceWorld

from . import peers
from .device_peers import Client, started

HERE = Path(__file__).parent


@contextlib.asynccontextmanager
async def chrline(world: LineDeviceWorld) -> AsyncIterator[Client]:
    """A client that is not logged in."""
    python = await trio.to_thread.run_sync(peers.python, HERE / "python" / "chrline.in")
    url = world.platform.sandbox.endpoints["line"]["device_url"]
    command = [str(python), str(HERE / "python" / "chrline_peer.py"), url]
    async with started("chrline", command) as client:
        yield client


async def log_in(world: LineDeviceWorld, client: Client, name: str, form: str = "requestSQR2") -> str:
    """Log a client in as this person, whose phone scans and types the PIN; the person's mid."""
    await world.do("account", name=name)
    results: list[dict[str, str]] = []

    async def ask() -> None:
        results.append(await client.ask("login", form=form))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await world.do("scan", qr=(await client.event("qr"))["url"], name=name)
        await world.do("enter_pin", pin=(await client.event("pin"))["pin"], name=name)
    return results[0]["mid"]
