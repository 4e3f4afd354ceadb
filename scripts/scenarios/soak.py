"""`scripts/chaos soak`: mixed load on one gateway, for long: does its memory have a plateau?

Messages come in and are sent, links are forged, readers of the event stream come and go, and so do endpoints,
accounts and API keys. Memory, descriptors, the time of /healthz and what the gateway's watchdog says
of its event loop are recorded each second.
"""

import contextlib
import itertools
import statistics
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import attrs
import click
import httpx
import trio
from rich.console import Console

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
from .verdicts import count_crashes, crash_limit, print_verdicts

console = Console(soft_wrap=True)
FLAT = 1.05  # memory of the last third: the median of its end by that of its beginning
HEALTH_LIMIT = 1.0  # seconds
PAUSE = 0.02  # seconds between two repeats of each kind of work
ACCOUNT = '[[accounts]]\nname = "bot"\nprovider = "telegram"\ncredentials = { token = "4242:soak-token" }\n'


@attrs.frozen
class Sample:
    at: float
    resident: int  # bytes
    descriptors: int
    health: float  # seconds
    held: int = 0  # turns of the loop longer than 50 ms, so far
    held_seconds: float = 0.0  # of those turns
    longest: float = 0.0  # turn so far, seconds


@attrs.define
class Load:
    """What is done again and again, each in a task, with a pause in seconds; `done` counts."""

    api: Api
    port: int
    control: str
    pause: float
    done: dict[str, int] = attrs.field(factory=dict)
    failed: int = 0

    async def run(self) -> None:
        [account] = await self.api.data("GET", "/v1/accounts")
        async with httpx.AsyncClient(trust_env=False, timeout=30) as platform:

            async def inbound(n: int) -> None:
                order = {"to": "4242", "from": n % 50 + 1, "text": f"message {n}"}
                (
                    await platform.post(f"{self.control}/sandbox/telegram/messages", json=order)
                ).raise_for_status()

            async def send(n: int) -> None:
                body = {
                    "account_id": account["id"],
                    "to": str(n % 50 + 1),
                    "type": "text",
                    "text": f"answer {n}",
                }
                await self.api.http.post("/v1/messages", json=body)

            async def forge(n: int) -> None:
                context = f"acct_{n}".ljust(6000, "x")
                for page in ("media", "qr"):
                    await self.api.http.get(f"/{page}/{context}.{'A' * 60}")

            async def stream(n: int) -> None:
                async with self.api.http.stream("GET", "/v1/events/stream") as response:
                    with trio.move_on_after(0.5):
                        async for _ in response.aiter_lines():
                            pass

            async def endpoint(n: int) -> None:
                body = {"url": "http://127.0.0.1:9/x", "status": "active", "signing_secret": f"secret-{n:08}"}
                made = await self.api.data("POST", "/v1/webhook-endpoints", body)
                await trio.sleep(0.2)
                await self._delete(f"/v1/webhook-endpoints/{made['id']}")

            async def account_churn(n: int) -> None:
                body = {"name": f"a{n}", "provider": "telegram", "auth_mode": "token", "region": "global"}
                body |= {"provider_data": {"token": f"{10_000 + n}:token"}}  # type: ignore[dict-item]
                made = await self.api.data("POST", "/v1/accounts", body)
                await trio.sleep(0.2)
                await self._delete(f"/v1/accounts/{made['id']}")

            async def key(n: int) -> None:
                made = await self.api.data("POST", "/v1/api-keys", {"name": f"key {n}"})
                async with httpx.AsyncClient(trust_env=False) as other:
                    fields = {"x-api-key": made["api_key"]}
                    await other.get(f"http://127.0.0.1:{self.port}/v1/workspace", headers=fields)
                await self._delete(f"/v1/api-keys/{made['key']['id']}")

            async with trio.open_nursery() as nursery:
                for work in (inbound, send, forge, stream, endpoint, account_churn, key):
                    nursery.start_soon(self._again, work)

    async def _delete(self, path: str) -> None:
        (await self.api.http.delete(path)).raise_for_status()

    async def _again(self, work: Callable[[int], Awaitable[None]]) -> None:
        for number in itertools.count():
            try:
                await work(number)
                self.done[work.__name__] = self.done.get(work.__name__, 0) + 1
            except (httpx.HTTPError, KeyError) as error:
                self.failed += 1
                if self.failed <= 5:
                    console.print(f"{work.__name__}: {error!r}")
            await trio.sleep(self.pause)


def loop_figures(metrics: str) -> tuple[int, float, float]:
    """`held`, `held_seconds` and `longest` of a sample, from the text of `/metrics`."""
    found: dict[str, float] = {}
    for line in metrics.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("unifyport_loop_"):
            found[name] = float(value)
    return (
        int(found["unifyport_loop_held_total"]),
        found["unifyport_loop_held_seconds_total"],
        found["unifyport_loop_longest_turn_seconds"],
    )


async def _record(api: Api, gateway: Running, samples: list[Sample]) -> None:
    while True:
        began = trio.current_time()
        await api.http.get("/healthz")
        took = trio.current_time() - began
        loop = loop_figures((await api.http.get("/metrics")).text)
        samples.append(Sample(began, gateway.resident(), gateway.descriptors(), took, *loop))
        await trio.sleep(1)


async def run(seconds: float, figures: Path | None = None, *, pause: float = PAUSE) -> bool:
    """Load a gateway for so long. Whether every limit was kept."""
    pin(OTHER_CORE)
    samples = list[Sample]()
    with directory() as where:
        control, port = free_ports(20), free_ports(1)
        async with sandbox(where, control):
            config = write_config(where, port, ACCOUNT + sandbox_config(control))
            command = ["-m", "unifyport", "serve", "-c", str(config)]
            async with started(GATEWAY_CORE, command, where / "gateway.log") as gateway:
                api = Api(port, gateway)
                await api.until_running("telegram", 1, 60)
                load = Load(api, port, f"http://127.0.0.1:{control}", pause)
                with trio.move_on_after(seconds):
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(load.run)
                        nursery.start_soon(_record, api, gateway, samples)
                await api.http.aclose()
                crashes = count_crashes(gateway.log)
                code = await gateway.stop()
    if figures is not None:
        _write(samples, figures)
    return _judge(samples, load, crashes, code)


def _write(samples: list[Sample], figures: Path) -> None:
    """One line a sample: seconds, bytes, descriptors, seconds, turns, seconds, seconds."""
    lines = [
        f"{s.at - samples[0].at:.0f},{s.resident},{s.descriptors},{s.health:.4f}"
        f",{s.held},{s.held_seconds:.4f},{s.longest:.4f}"
        for s in samples
    ]
    head = "seconds,resident,descriptors,healthz,held,held_seconds,longest_turn"
    figures.write_text("\n".join([head, *lines]) + "\n")


def _judge(samples: list[Sample], load: Load, crashes: int, code: int) -> bool:
    last = samples[len(samples) * 2 // 3 :]
    part = max(1, len(last) // 4)
    first, final = (statistics.median(s.resident for s in group) for group in (last[:part], last[-part:]))
    slowest = max(sample.health for sample in samples[len(samples) // 10 :])
    descriptors, end = [sample.descriptors for sample in last], samples[-1]
    limits = [
        (final <= first * FLAT, f"memory in the last third: {first / 2**20:.0f} -> {final / 2**20:.0f} MiB"),
        (max(descriptors) <= 200, f"descriptors: {min(descriptors)} to {max(descriptors)}"),
        (slowest <= HEALTH_LIMIT, f"/healthz: at most {slowest * 1000:.0f} ms"),
        (end.longest <= HEALTH_LIMIT, f"longest turn of the loop: {end.longest * 1000:.0f} ms"),
        (load.failed == 0, f"requests that failed: {load.failed}"),
        (code == 0, f"exit code {code}"),
        crash_limit(crashes),
    ]
    share = end.held_seconds / max(1.0, end.at - samples[0].at)
    thirds = [samples[min(len(samples) - 1, len(samples) * n // 3)].resident >> 20 for n in range(4)]
    notes = [
        f"memory at the start, after each third and at the end, MiB: {', '.join(map(str, thirds))}",
        ", ".join(f"{name} {count}" for name, count in load.done.items()),
        f"turns of the loop over 50 ms: {end.held}, {share:.2%} of the time",
    ]
    return print_verdicts(console, limits, notes)


@click.command()
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--pause", default=PAUSE, show_default=True, help="Seconds between two repeats of each work.")
@click.option("--figures", type=click.Path(path_type=Path), help="Write the samples as CSV.")
def main(minutes: float, pause: float, figures: Path | None) -> None:
    """Mixed load on one gateway; its memory must have a plateau."""
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(0 if trio.run(partial(run, pause=pause), minutes * 60, figures) else 1)


if __name__ == "__main__":
    main()
