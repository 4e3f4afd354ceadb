"""`scripts/chaos delivery`: a bad receiver, and a gateway that is killed again and again.

A platform sends messages and repeats each request until it is answered with 200. The receiver fails a fifth
of its requests, and sometimes hangs or resets the connection. The gateway is killed with SIGKILL at random
moments and started again. In the end every message must have arrived, with a valid signature and in order
within its conversation. An event may arrive twice only if it was accepted just before a kill, before the
gateway had recorded that.
"""

import contextlib
import json
import random
import re
import socket
import struct
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import click
import httpx
import trio
from rich.console import Console

from scripts.benchmarks.wire import Connection, serve
from unifyport.delivery import signing

from . import cloud
from .processes import GATEWAY_CORE, KEY, OTHER_CORE, directory, free_ports, pin, started, write_config

NUMBER = "100000000000000"
SECRET = "scenario-signing-secret"
CONVERSATIONS = 200
BATCH = 10  # messages in a request
SENDERS = 8
IN_FLIGHT = 32
TIMEOUT = 1.0
FAILS, HANGS, RESETS = 0.20, 0.01, 0.01
# Seconds around a kill in which an accepted event may be repeated: 25 ms, a commit, and a busy machine.
FORGOTTEN = 0.5
_HEADER = re.compile(rb"\r\n([a-z-]+): ([^\r]*)")

console = Console(highlight=False)


@attrs.define
class Receiver:
    """A bad receiver. Keeps times of acceptance and event ids by message number, and the order of first
    arrivals by conversation.
    """

    rng: random.Random
    accepted: dict[int, list[float]] = attrs.field(factory=lambda: defaultdict(list))
    ids: dict[int, set[str]] = attrs.field(factory=lambda: defaultdict(set))
    order: dict[str, list[int]] = attrs.field(factory=lambda: defaultdict(list))
    reactions: Counter[str] = attrs.field(factory=Counter)
    bad_signatures: int = 0

    async def run(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, stream: trio.SocketStream) -> None:
        wire = Connection(stream)
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while (request := await wire.message()) is not None:
                match self._take(*request):
                    case "hangs":
                        await trio.sleep(3 * TIMEOUT)
                        return
                    case "resets":
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        await stream.aclose()
                        return
                    case "fails":
                        await wire.send(b"HTTP/1.1 500 -\r\ncontent-length: 4\r\n\r\noops")
                    case _:
                        await wire.send(b"HTTP/1.1 204 -\r\n\r\n")

    def _take(self, head: bytes, body: bytes) -> str:
        headers = {name.decode(): value.decode() for name, value in _HEADER.findall(head)}
        stamp, signature = headers[signing.TIMESTAMP], headers.get(signing.SIGNATURE, "")
        self.bad_signatures += not signing.verify(SECRET, stamp, body, signature)
        x = self.rng.random()
        reaction = (
            "fails"
            if x < FAILS
            else "hangs"
            if x < FAILS + HANGS
            else "resets"
            if x < FAILS + HANGS + RESETS
            else "accepts"
        )
        self.reactions[reaction] += 1
        if reaction == "accepts":
            event = json.loads(body)
            number = int(event["text"])
            if number not in self.accepted:
                self.order[event["from"]].append(number)
            self.accepted[number].append(time.monotonic())
            self.ids[number].add(event["id"])
        return reaction


class Platform:
    """Sends every request until it is answered with 200, across restarts of the gateway."""

    def __init__(self, port: int, account_id: str, events: int) -> None:
        self._port = port
        self._account_id = account_id
        self._batches = iter(range(0, events, BATCH))
        self.taken = 0  # messages whose request was answered with 200

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for sender in range(SENDERS):
                nursery.start_soon(self._sender, sender)

    async def _sender(self, sender: int) -> None:
        """Send batches. Each conversation belongs to one sender, so that its messages are sent in order."""
        mine = range(sender, CONVERSATIONS, SENDERS)
        for first in self._batches:
            numbers = range(first, first + BATCH)
            messages = [(f"wamid.{n}", mine[n % len(mine)], str(n)) for n in numbers]
            await self._send(cloud.webhook(self._account_id, NUMBER, messages))
            self.taken += BATCH

    async def _send(self, request: bytes) -> None:
        while True:
            with contextlib.suppress(OSError, trio.BrokenResourceError, ConnectionError):
                async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
                    status, _ = await Connection(stream).call(request)
                    if status == 200:
                        return
            await trio.sleep(0.05)  # a real platform waits longer


async def until_ready(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with trio.fail_after(60):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        return
                await trio.sleep(0.02)


async def account_id(port: int) -> str:
    async with httpx.AsyncClient(trust_env=False, headers={"x-api-key": KEY}) as client:
        with trio.fail_after(60):
            while True:
                [account] = (await client.get(f"http://127.0.0.1:{port}/v1/accounts")).json()["data"]
                if account["runtime_status"] == "running":
                    return str(account["id"])
                await trio.sleep(0.02)


def configuration(hook: int, graph: int) -> str:
    return f"""
[[webhook_endpoints]]
name = "receiver"
url = "http://127.0.0.1:{hook}/hook"
subscribed_events = ["message.received"]
signing_secret = "{SECRET}"
retry_policy = {{ max_attempts = 1000, schedule = ["100ms", "300ms", "1s"] }}
[webhook_endpoints.delivery]
timeout = "{int(TIMEOUT)}s"
max_in_flight = {IN_FLIGHT}
breaker = {{ initial = "500ms", max = "2s" }}
[providers.whatsapp]
graph_api_url = "http://127.0.0.1:{graph}"
media_url = "http://127.0.0.1:{graph}"
{cloud.declared(NUMBER)}"""


@attrs.define
class Found:
    events: int
    seconds: float
    kills: list[float]
    receiver: Receiver

    @property
    def repeats(self) -> list[tuple[int, float]]:
        """Every repeated acceptance: (number, time of the acceptance before)."""
        accepted = self.receiver.accepted
        return [(n, before) for n, times in accepted.items() for before in times[:-1]]

    @property
    def unexplained(self) -> list[int]:
        """Repeats of events whose acceptance before was not near a kill."""
        return [n for n, at in self.repeats if not any(abs(kill - at) <= FORGOTTEN for kill in self.kills)]

    def problems(self) -> list[str]:
        missing = [n for n in range(self.events) if n not in self.receiver.accepted]
        order = self.receiver.order
        disordered = [customer for customer, numbers in order.items() if numbers != sorted(numbers)]
        twice = [n for n, ids in self.receiver.ids.items() if len(ids) > 1]
        found: dict[str, Sequence[Any]] = {
            "lost": missing,
            "out of order, messages of": disordered,
            "under two event ids": twice,
            "repeated without a kill": self.unexplained,
        }
        problems = [f"{what}: {items[:10]} ({len(items)})" for what, items in found.items() if items]
        if self.receiver.bad_signatures:
            problems.append(f"{self.receiver.bad_signatures} bad signatures")
        return problems


async def run(events: int, kills: int, seed: int) -> Found:
    rng = random.Random(seed)
    receiver = Receiver(random.Random(seed + 1))
    pin(OTHER_CORE)
    with directory() as where:
        async with trio.open_nursery() as nursery:
            graph = await nursery.start(serve, cloud.graph)
            hook = await nursery.start(receiver.run)
            port = free_ports(1)
            config = write_config(where, port, configuration(hook, graph))
            found = await _run_gateways(
                where, config, port, receiver=receiver, events=events, kills=kills, rng=rng
            )
            nursery.cancel_scope.cancel()
    return found


async def _run_gateways(
    where: Path, config: Path, port: int, *, receiver: Receiver, events: int, kills: int, rng: random.Random
) -> Found:
    """Run a gateway after the other. Each is killed at a random count of events; the last one finishes."""
    aims = sorted(rng.uniform(0.02, 0.98) * events for _ in range(kills))
    killed: list[float] = []
    began, platform = time.monotonic(), None
    async with trio.open_nursery() as nursery:
        for aim in [*aims, float(events)]:
            command = ["-m", "unifyport", "serve", "-c", str(config)]
            async with started(GATEWAY_CORE, command, where / "gateway.log") as gateway:
                await until_ready(port)
                if platform is None:
                    platform = Platform(port, await account_id(port), events)
                    nursery.start_soon(platform.run)
                with trio.fail_after(1800):
                    while len(receiver.accepted) < aim:
                        assert gateway.process.poll() is None, gateway.log.read_text()[-3000:]
                        await trio.sleep(0.001)
                if aim < events:
                    killed.append(time.monotonic())
                else:
                    await trio.sleep(2 * TIMEOUT)  # for late repeats
                    assert await gateway.stop() == 0
    return Found(events, time.monotonic() - began, killed, receiver)


@click.command()
@click.option("--events", default=50_000, show_default=True)
@click.option("--kills", default=10, show_default=True)
@click.option(
    "--seed", default=None, type=int, help="Printed at the end; the same seed makes the same decisions."
)
def main(events: int, kills: int, seed: int | None) -> None:
    """A receiver that fails 20 %, hangs 1 % and resets 1 %; a gateway that is killed at random."""
    seed = seed if seed is not None else random.randrange(10**6)
    events -= events % BATCH
    found = trio.run(run, events, kills, seed)
    receiver, repeats = found.receiver, len(found.repeats)
    most = kills * IN_FLIGHT + round(sum(receiver.reactions.values()) / found.seconds * FORGOTTEN * kills)
    console.print(
        f"{events} events in {found.seconds:.0f} s, {kills} kills, seed {seed}\n"
        f"attempts {sum(receiver.reactions.values())}: {dict(receiver.reactions)}\n"
        f"repeats {repeats} ({repeats / max(1, kills):.1f} a kill;"
        f" at most {most} are explained by work in flight)"
    )
    problems = found.problems()
    for problem in problems:
        console.print(f"[red]{problem}[/red]")
    console.print("nothing lost, order kept, every signature valid" if not problems else "FAILED")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
