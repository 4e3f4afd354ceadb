"""`scripts/chaos front`: hostile callers, while platforms and a health check want to be answered.

A gateway that may have 1,024 descriptors is attacked in one way after the other (`hostile.py`). All the while
signed webhooks of real accounts must be answered with 200, and `/healthz` in time. Another gateway, with TLS,
is attacked by handshakes.
"""

import contextlib
import itertools
import os
import ssl
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import attrs
import click
import httpx
import trio
from rich.console import Console

from scripts.benchmarks.wire import Connection, serve
from tests.tls import Authority

from . import cloud
from .hostile import ATTACKS, TLS_ATTACKS
from .processes import (
    GATEWAY_CORE,
    KEY,
    OTHER_CORE,
    ROOT,
    Running,
    directory,
    free_ports,
    pin,
    pinned,
    started,
    write_config,
)

DESCRIPTORS = 1024
WITHIN = 0.25  # seconds in which `/healthz` must answer
NUMBERS = ["100000000000001", "100000000000002"]
PROBE_PAUSE = 0.05
WEBHOOK_PAUSE = 0.02
# Limits the descriptors of a gateway before it starts.
_LIMITED = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}));"
    " os.execv(sys.executable, [sys.executable, '-m', 'unifyport', 'serve', '-c', sys.argv[1]])"
)

console = Console(highlight=False)


@attrs.define
class Seen:
    """What honest callers saw during one attack. Times in seconds."""

    name: str
    probes: list[float] = attrs.field(factory=list)
    statuses: Counter[str] = attrs.field(factory=Counter)  # of probes and webhooks that were not 200
    webhooks: int = 0
    attackers: int = 0  # connections that they made
    descriptors: int = 0  # the most that the gateway had open
    resident: int = 0  # bytes
    cpu: float = 0.0  # the share of a core that the gateway used

    def problems(self, within: float) -> list[str]:
        slow = max(self.probes, default=float("inf"))
        found = [f"/healthz took {slow * 1000:.0f} ms"] if slow > within else []
        return found + [f"{count} x {what}" for what, count in self.statuses.items()]


@attrs.define
class Honest:
    """A health check and a platform, from an address that no attack uses."""

    port: int
    gateway: Running
    context: ssl.SSLContext | None
    messages: "itertools.count[int]" = attrs.field(factory=itertools.count)

    async def connect(self) -> trio.abc.Stream:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        if self.context is None:
            return stream
        secured = trio.SSLStream(stream, self.context, server_hostname="localhost")
        await secured.do_handshake()
        return secured

    async def call(self, request: bytes, seen: Seen, what: str) -> None:
        """One request on a connection of its own."""
        try:
            with trio.fail_after(10):
                async with await self.connect() as stream:
                    status, _ = await Connection(stream).call(request)
            if status != 200:
                seen.statuses[f"{what}: {status}"] += 1
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, ConnectionError) as error:
            seen.statuses[f"{what}: {type(error).__name__}"] += 1

    async def probe(self, seen: Seen) -> None:
        while True:
            began = time.monotonic()
            await self.call(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", seen, "healthz")
            seen.probes.append(time.monotonic() - began)
            await trio.sleep(PROBE_PAUSE)

    async def send_webhooks(self, seen: Seen, account: str, number: str) -> None:
        while True:
            n = next(self.messages)
            request = cloud.webhook(account, number, [(f"wamid.{n}", n % 100, f"{n}")])
            await self.call(request, seen, "webhook")
            seen.webhooks += 1
            await trio.sleep(WEBHOOK_PAUSE)

    async def watch(self, seen: Seen) -> None:
        while True:
            with contextlib.suppress(OSError):
                seen.descriptors = max(
                    seen.descriptors, len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))
                )
                seen.resident = max(seen.resident, self.gateway.resident())
            await trio.sleep(0.2)

    async def under(self, name: str, accounts: dict[str, str], seconds: float, scale: float) -> Seen:
        """Go on while one attack lasts."""
        seen, began, used = Seen(name), time.monotonic(), self.gateway.cpu()
        command = [sys.executable, "-m", "scripts.scenarios.hostile", name, "--port", str(self.port)]
        command += ["--seconds", str(seconds), "--scale", str(scale)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.probe, seen)
            nursery.start_soon(self.watch, seen)
            for number, account in accounts.items():
                nursery.start_soon(self.send_webhooks, seen, account, number)
            ended = await trio.run_process(pinned(OTHER_CORE, command), capture_stdout=True, cwd=ROOT)
            seen.attackers = int(ended.stdout)
            seen.cpu = (self.gateway.cpu() - used) / (time.monotonic() - began)
            nursery.cancel_scope.cancel()
        return seen


def configuration(graph: int) -> str:
    return (
        f'[providers.whatsapp]\ngraph_api_url = "http://127.0.0.1:{graph}"\n'
        f'media_url = "http://127.0.0.1:{graph}"\n' + "".join(map(cloud.declared, NUMBERS))
    )


async def besiege(where: Path, attacks: list[str], seconds: float, scale: float, *, tls: bool) -> list[Seen]:
    """Attack one gateway in one way after the other."""
    port = free_ports(1)
    context, more = None, ""
    if tls:
        authority = Authority(where)
        cert, key = authority.issue("localhost")
        context = ssl.create_default_context(cafile=authority.ca)
        more = f'tls = {{ cert = "{cert}", key = "{key}" }}\n'
    async with trio.open_nursery() as nursery:
        graph = await nursery.start(serve, cloud.graph)
        config = write_config(where, port, configuration(graph))
        config.write_text(config.read_text().replace("[server]\n", f"[server]\n{more}"))
        command = ["-c", _LIMITED.format(DESCRIPTORS), str(config)]
        async with started(GATEWAY_CORE, command, where / "gateway.log") as gateway:
            honest = Honest(port, gateway, context)
            accounts = await until_running(honest)
            seen = [await honest.under(name, accounts, seconds, scale) for name in attacks]
            log = (where / "gateway.log").read_text()
            if crashes := log.count("Traceback"):
                seen[-1].statuses["crashes in the log"] = crashes
                console.print(log[-3000:])
            if gateway.process.poll() is not None:
                seen[-1].statuses["the gateway ended"] = 1
        nursery.cancel_scope.cancel()
    return seen


async def until_running(honest: Honest) -> dict[str, str]:
    """Wait for the accounts; their ids by number."""
    scheme = "http" if honest.context is None else "https"
    verify = True if honest.context is None else honest.context
    async with httpx.AsyncClient(verify=verify, trust_env=False, headers={"x-api-key": KEY}) as client:
        with trio.fail_after(60):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    found = (await client.get(f"{scheme}://localhost:{honest.port}/v1/accounts")).json()[
                        "data"
                    ]
                    if len(found) == len(NUMBERS) and all(a["runtime_status"] == "running" for a in found):
                        return {account["name"]: account["id"] for account in found}
                if honest.gateway.process.poll() is not None:
                    raise RuntimeError(honest.gateway.log.read_text()[-2000:])
                await trio.sleep(0.05)


def report(seen: list[Seen], within: float) -> bool:
    """Print what honest callers saw during each attack; returns whether that was within the limits."""
    for each in seen:
        problems = each.problems(within)
        probes = sorted(each.probes)
        console.print(
            f"{'BAD ' if problems else 'ok  '} {each.name:19} {each.attackers:6} connections;"
            f" /healthz {len(probes)} times, p50 {probes[len(probes) // 2] * 1000:.0f} ms,"
            f" at most {probes[-1] * 1000:.0f} ms; {each.webhooks} webhooks;"
            f" {each.descriptors} descriptors, {each.resident / 2**20:.0f} MiB, {each.cpu:.0%} of a core"
        )
        for problem in problems:
            console.print(f"       {problem}")
    return not any(each.problems(within) for each in seen)


async def run(seconds: float, scale: float, within: float, attacks: Sequence[str] = ()) -> bool:
    """Whether everything stayed within its limits; prints what was measured."""
    seen = list[Seen]()
    for kinds, tls in ((ATTACKS, False), (TLS_ATTACKS, True)):
        if names := [name for name in kinds if not attacks or name in attacks]:
            with directory() as where:
                seen += await besiege(where, names, seconds, scale, tls=tls)
    return report(seen, within)


@click.command()
@click.option("--seconds", default=15.0, show_default=True, help="that each attack lasts")
@click.option("--scale", default=1.0, show_default=True, help="how many of the callers attack")
@click.option("--attack", "attacks", multiple=True, type=click.Choice([*ATTACKS, *TLS_ATTACKS]))
def main(seconds: float, scale: float, attacks: tuple[str, ...]) -> None:
    """Hostile callers against a gateway that may have 1,024 descriptors."""
    pin(OTHER_CORE)
    sys.exit(0 if trio.run(run, seconds, scale, WITHIN, attacks) else 1)


if __name__ == "__main__":
    main()
