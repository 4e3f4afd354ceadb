"""Telegram clients that this project did not write, and the sandbox's data centres that they connect to.

Each is a process that takes orders and tells events as JSON lines (`device_peers.Client`).
"""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import trio

from unifyport.protocols.mtproto.rsa import ServerKey
from unifyport.sandbox.serving import bind
from unifyport.sandbox.telegram.user.directory import Person
from unifyport.sandbox.telegram.user.platform import UserPlatform

from . import peers
from .device_peers import Client, started

KINDS = ("telethon", "kurigram")


@contextlib.asynccontextmanager
async def centres() -> AsyncIterator[UserPlatform]:
    """The sandbox's data centres."""
    platform = UserPlatform()
    async with trio.open_nursery() as nursery:
        addresses = {}
        for protocol in platform.protocols:
            listener = bind("127.0.0.1", 0)
            addresses[protocol.name] = protocol.address_at(listener)
            nursery.start_soon(protocol.serve, listener)
        platform.endpoints(addresses)
        yield platform
        nursery.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def client(
    platform: UserPlatform, kind: str, directory: Path, *, dc: int = 2, transport: str = "abridged"
) -> AsyncIterator[Client]:
    """A client of this kind that is connected, first to this data centre."""
    directory.mkdir(parents=True, exist_ok=True)
    key = directory / "key"
    key.write_text(_key(platform, kind))
    address = platform.server.addresses[f"dc{dc}"]
    command = [*build(kind), str(dc), address, str(key), str(directory), transport]
    async with started(kind, command) as running:
        await running.event("connected")
        yield running


def _key(platform: UserPlatform, kind: str) -> str:
    if kind == "telethon":
        return platform.server.public_key
    numbers = platform.server.private_key.public_key().public_numbers()
    fingerprint = ServerKey(numbers.n, numbers.e).fingerprint
    return json.dumps({"n": numbers.n, "e": numbers.e, "fingerprint": fingerprint})


def build(kind: str) -> list[str]:
    """The command that runs a kind of client; builds its environment if that is not there yet."""
    interpreter = peers.python(peers.HERE / "python" / f"{kind}.in")
    return [str(interpreter), str(peers.HERE / "python" / f"{kind}_peer.py")]


async def log_in(platform: UserPlatform, running: Client, phone: str, password: str = "") -> int:
    """Log in by a code, and with the password if there is one. Returns the account's identifier."""
    await running.ask("send_code", phone=f"+{phone}")
    code = platform.logins.codes[phone].value
    answer: Any = await running.ask("sign_in", phone=f"+{phone}", code=code)
    if answer.get("password"):
        answer = await running.ask("password", password=password)
    return int(answer["id"])


def scan(platform: UserPlatform, url: str, person: Person) -> None:
    """The person's phone scans a QR code."""
    platform.orders.obey({"do": "scan", "qr": url, "phone": person.phone})
