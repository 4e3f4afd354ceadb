"""`scripts/chaos neighbours`: one account crash-loops, one is flooded; the others must hardly notice.

A hundred accounts in one gateway: ninety-eight WhatsApp numbers with a steady low load, another number that
is flooded with webhooks as fast as they are accepted, and a Telegram bot whose connection is always cut. It
measures the time from a platform's request to the arrival at the receiver for the ninety-eight numbers,
alone and beside the other two accounts, interleaved in one run.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from statistics import median

import attrs
import click
import trio
from rich.console import Console

from scripts.benchmarks.wire import Connection, post, serve

from . import cloud
from .processes import (
    GATEWAY_CORE,
    OTHER_CORE,
    Api,
    Running,
    directory,
    free_ports,
    pin,
    sandbox,
    sandbox_config,
    started,
    write_config,
)

SIGNING_SECRET = "scenario-signing-secret"
QUIET = 98
RATE = 50.0  # requests per second, over all quiet accounts
FLOODERS = 16  # connections of the flood; each sends the next request as soon as one is answered
CUSTOMERS = 200  # senders in the flood
LIMIT = 1.5  # p99 beside the other two, to p99 alone
LOOP = 0.1  # seconds of back-off between the crashes

_TEXT = re.compile(rb'"text":\s*"(\d+)"')
console = Console(highlight=False)


class Receiver:
    """Receives webhooks: keeps the arrival times of the quiet accounts' messages, and counts the flood's."""

    def __init__(self) -> None:
        self.arrived: dict[int, float] = {}
        self.flood = 0
        self._news = trio.Event()

    async def hook(self, method: bytes, path: bytes, body: bytes) -> tuple[int, bytes]:
        match = _TEXT.search(body)
        if match is None:
            self.flood += b'"flood"' in body
        else:
            self.arrived.setdefault(int(match[1]), time.perf_counter())
            self._news.set()
        return 204, b""

    async def until(self, numbers: range, seconds: float) -> None:
        with trio.fail_after(seconds):
            while not all(number in self.arrived for number in numbers):
                await self._news.wait()
                self._news = trio.Event()


@attrs.define
class House:
    port: int
    ids: dict[str, str]  # by name
    gateway: Running
    receiver: Receiver
    sandbox_port: int
    next_number: int = 0

    def webhook(self, name: str, customer: int, text: str) -> bytes:
        message = (f"wamid.{time.time_ns()}.{customer}", customer, text)
        return cloud.webhook(self.ids[name], name, [message])

    async def trickle(self, seconds: float) -> list[float]:
        """Inbound messages of the quiet accounts at a steady rate.

        Returns the sorted seconds from the time at which each was due to its arrival.
        """
        count = int(RATE * seconds)
        numbers = range(self.next_number, self.next_number + count)
        self.next_number += count
        due: dict[int, float] = {}
        free: list[Connection] = []
        async with contextlib.AsyncExitStack() as stack, trio.open_nursery() as nursery:

            async def one(request: bytes) -> None:
                if free:
                    wire = free.pop()
                else:
                    stream = await stack.enter_async_context(
                        await trio.open_tcp_stream("127.0.0.1", self.port)
                    )
                    wire = Connection(stream)
                status, body = await wire.call(request)
                assert status == 200, (status, body)
                free.append(wire)

            began, clock = time.perf_counter(), trio.current_time()
            for place, number in enumerate(numbers):
                await trio.sleep_until(clock + place / RATE)
                due[number] = began + place / RATE
                nursery.start_soon(one, self.webhook(name_of(number % QUIET), number % 10_000, str(number)))
        await self.receiver.until(numbers, 60)
        return sorted(self.receiver.arrived[number] - due[number] for number in numbers)

    async def flood(self) -> None:
        """Send to one account as fast as requests are answered, until cancelled."""

        async def flooder(number: int) -> None:
            async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
                wire, customer = Connection(stream), number
                while True:
                    customer = (customer + FLOODERS) % CUSTOMERS
                    status, body = await wire.call(self.webhook(name_of(QUIET), 10_000 + customer, "flood"))
                    assert status in (200, 429, 503), (status, body)

        async with trio.open_nursery() as nursery:
            for number in range(FLOODERS):
                nursery.start_soon(flooder, number)

    async def crash_loop(self) -> None:
        """Cut the bot's connection whenever it polls, until cancelled."""
        fault = {"kind": "disconnect", "method": "getUpdates", "seconds": 3600}
        await self._sandbox("POST", "faults", fault)
        await self._sandbox("POST", "messages", {"to": "4242", "from": 7, "text": "ends the open poll"})
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await self._sandbox("DELETE", "faults", {})

    async def _sandbox(self, method: str, what: str, order: dict[str, object]) -> None:
        body = json.dumps(order).encode()
        request = post(f"/sandbox/telegram/{what}", body, {}).replace(b"POST", method.encode(), 1)
        async with await trio.open_tcp_stream("127.0.0.1", self.sandbox_port) as stream:
            status, answer = await Connection(stream).call(request)
            assert status == 200, answer


def name_of(number: int) -> str:
    return str(10**14 + number)


def config_of(graph_port: int, hook_port: int, sandbox_port: int) -> str:
    whatsapp = "".join(cloud.declared(name_of(number)) for number in range(QUIET + 1))
    telegram = sandbox_config(sandbox_port)
    url = telegram[telegram.index("bot_api_url") :].splitlines()[0]
    return f"""
[[webhook_endpoints]]
name = "receiver"
url = "http://127.0.0.1:{hook_port}/hook"
subscribed_events = ["message.received"]
signing_secret = "{SIGNING_SECRET}"
[providers.whatsapp]
graph_api_url = "http://127.0.0.1:{graph_port}"
media_url = "http://127.0.0.1:{graph_port}"
[providers.telegram]
{url}
{whatsapp}
[[accounts]]
name = "crash-loop"
provider = "telegram"
credentials = {{ token = "4242:token" }}
supervision = {{ max_restarts = 20000, backoff = {{ initial = "{LOOP}s", max = "{LOOP}s" }} }}
"""


@contextlib.asynccontextmanager
async def house(nursery: trio.Nursery) -> AsyncIterator[House]:
    receiver = Receiver()
    graph_port = await nursery.start(serve, cloud.graph)
    hook_port = await nursery.start(serve, receiver.hook)
    control, port = free_ports(3), free_ports(1)
    with directory() as where:
        async with sandbox(where, control):
            config = write_config(where, port, config_of(graph_port, hook_port, control), public=True)
            command = ["-m", "unifyport", "serve", "-c", str(config)]
            async with started(GATEWAY_CORE, command, where / "gateway.log") as gateway:
                api = Api(port, gateway)
                await api.until_running("whatsapp", QUIET + 1, 60)
                await api.until_running("telegram", 1, 60)
                accounts = await api.data("GET", "/v1/accounts")
                ids = {account["name"]: account["id"] for account in accounts}
                yield House(port, ids, gateway, receiver, control)


@attrs.define
class Round:
    alone: list[float]
    beside: list[float]
    crashes: int
    flooded: float  # per second
    cpu: float  # of the gateway, share of a core


async def one_round(found: House, seconds: float) -> Round:
    alone = await found.trickle(seconds)
    bot = f"/v1/accounts/{found.ids['crash-loop']}/runtime"
    api = Api(found.port, found.gateway)
    before = (await api.data("GET", bot))["incarnations"]
    flood, cpu, began = found.receiver.flood, found.gateway.cpu(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(found.flood)
        nursery.start_soon(found.crash_loop)
        await trio.sleep(1)
        beside = await found.trickle(seconds)
        nursery.cancel_scope.cancel()
    took = time.perf_counter() - began
    crashes = (await api.data("GET", bot))["incarnations"] - before
    measured = Round(
        alone,
        beside,
        crashes,
        (found.receiver.flood - flood) / took,
        (found.gateway.cpu() - cpu) / took,
    )
    await trio.sleep(2)  # until the flood's backlog is delivered
    return measured


def percentile(values: list[float], share: float) -> float:
    """A percentile of sorted seconds, in milliseconds."""
    return values[min(len(values) - 1, int(len(values) * share))] * 1000


async def run(rounds: int, seconds: float) -> bool:
    pin(OTHER_CORE)
    async with trio.open_nursery() as nursery:
        async with house(nursery) as found:
            await found.trickle(3)  # warm up
            all_ = [await one_round(found, seconds) for _ in range(rounds)]
        nursery.cancel_scope.cancel()
    ratios = []
    for number, each in enumerate(all_, 1):
        ratios.append(percentile(each.beside, 0.99) / percentile(each.alone, 0.99))
        console.print(
            f"round {number}: p50 {percentile(each.alone, 0.5):.1f} -> {percentile(each.beside, 0.5):.1f} ms,"
            f" p99 {percentile(each.alone, 0.99):.1f} -> {percentile(each.beside, 0.99):.1f} ms"
            f" ({ratios[-1]:.2f}x); {each.crashes} crashes, {each.flooded:.0f} messages/s of the flood,"
            f" {each.cpu:.0%} of a core"
        )
    good = median(ratios) <= LIMIT
    console.print(
        f"{'ok  ' if good else 'BAD '} p99 of {QUIET} accounts beside a crash loop and a flood:"
        f" {median(ratios):.2f}x (limit {LIMIT}x), median of {rounds} rounds of {seconds:.0f} s"
    )
    return good


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="Of each measurement.")
def main(rounds: int, seconds: float) -> None:
    """One account crash-loops and one is flooded; the others must hardly notice."""
    sys.exit(0 if trio.run(run, rounds, seconds) else 1)


if __name__ == "__main__":
    main()
