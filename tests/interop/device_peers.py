"""WhatsApp device clients that this project did not write, and the relay that they connect to.

Each is a process that takes orders and tells events as JSON lines. `Client.ask` waits for the answer to an
order; `Client.event` waits for the next event that fits, whatever comes in between.
"""

import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import trio

from tests.relay_client import relay
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message
from unifyport.sandbox.whatsapp.device.directory import Account
from unifyport.sandbox.whatsapp.device.platform import DevicePlatform

from . import peers

__all__ = ["KINDS", "Client", "Failed", "build", "client", "linked", "relay", "text_of", "until"]

KINDS = ("baileys", "whatsmeow", "pyaileys")
SECONDS = 30.0


class Failed(Exception):
    """A client answered an order with an error."""


class Client:
    """A running client. `all`: every event that it has told; `events`: those that no call has taken yet."""

    def __init__(self, name: str, process: trio.Process) -> None:
        self.name = name
        self.events: list[dict[str, Any]] = []
        self.all: list[dict[str, Any]] = []
        self._process = process
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        self._news = trio.Event()
        self._ended = False

    async def read(self) -> None:
        """Take what the process says until it ends."""
        assert self._process.stdout is not None
        buffer = b""
        async for chunk in self._process.stdout:
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                try:
                    told = json.loads(line)
                except ValueError:
                    raise AssertionError((self.name, line)) from None
                if "n" in told:
                    self._answers[told["n"]] = told
                else:
                    self.events.append(told)
                    self.all.append(told)
            self._wake()
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def ask(self, do: str, **fields: Any) -> Any:
        """The result of an order. Raises `Failed`, `trio.TooSlowError`."""
        number = self._asked = self._asked + 1
        assert self._process.stdin is not None
        await self._process.stdin.send_all(json.dumps({"n": number, "do": do, **fields}).encode() + b"\n")
        await self._until(lambda: number in self._answers, do)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    async def event(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """The next event of this name with these fields; others stay for later calls."""

        def fitting() -> list[dict[str, Any]]:
            wanted = {"event": name, **fields}
            return [told for told in self.events if all(told.get(n) == v for n, v in wanted.items())]

        await self._until(fitting, f"{name} {fields}")
        found = fitting()[0]
        self.events.remove(found)
        return found

    async def _until(self, ready: Callable[[], Any], what: str) -> None:
        try:
            with trio.fail_after(SECONDS):
                while not ready():
                    assert not self._ended, f"{self.name} has ended, and not told: {what}"
                    await self._news.wait()
        except trio.TooSlowError:
            raise AssertionError(f"{self.name} did not tell: {what}; it told {self.all[-8:]}") from None


def build(kind: str) -> None:
    """Build a kind of client if it is not built yet; skips the test where it cannot be."""
    PROGRAMS[kind]()


@contextlib.asynccontextmanager
async def client(platform: DevicePlatform, kind: str, directory: Path) -> AsyncIterator[Client]:
    """A client of this kind that connects to the relay: `baileys`, `pyaileys` or `whatsmeow`."""
    at = platform.addresses
    directory.mkdir(parents=True, exist_ok=True)
    where = [at["device_url"], at["device_root_key"], at["device_media_url"]]
    async with started(kind, [*PROGRAMS[kind](), *where, str(directory)]) as running:
        yield running


@contextlib.asynccontextmanager
async def started(name: str, command: list[str]) -> AsyncIterator[Client]:
    """A client that this command starts; it is killed at the end."""
    process = await trio.lowlevel.open_process(
        command,
        env=peers.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        async with trio.open_nursery() as nursery:
            running = Client(name, process)
            nursery.start_soon(running.read)
            yield running
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@contextlib.asynccontextmanager
async def linked(
    platform: DevicePlatform, kind: str, directory: Path, account: Account
) -> AsyncIterator[Client]:
    """A client whose code the account's phone has scanned, and that is connected."""
    async with client(platform, kind, directory) as running:
        qr = await running.event("qr")
        platform.relay.pairing.scan(qr["codes"][0], account)
        await running.event("open")
        yield running


async def until(ready: Callable[[], Any]) -> None:
    """Wait for what the relay has seen, or has done."""
    with trio.fail_after(SECONDS):
        while not ready():
            await trio.sleep(0.01)


def text_of(message: Message) -> str:
    return message.conversation or message.extendedTextMessage.text


def _baileys() -> list[str]:
    return [peers.node_program(), str(peers.node(peers.HERE / "baileys") / "baileys_peer.mjs")]


def _pyaileys() -> list[str]:
    interpreter = peers.python(peers.HERE / "python" / "pyaileys.in")
    return [str(interpreter), str(peers.HERE / "python" / "pyaileys_peer.py")]


def _whatsmeow() -> list[str]:
    return [peers.go_program(peers.HERE / "go")]


PROGRAMS: dict[str, Callable[[], list[str]]] = {
    "baileys": _baileys,
    "pyaileys": _pyaileys,
    "whatsmeow": _whatsmeow,
}
