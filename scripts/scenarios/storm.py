"""`scripts/chaos storm`: every account of a gateway loses its connection in the same moment.

The sandbox plays Telegram in a process of its own, with a long poll open for each account. It is killed and
started again at once. Then every account must be online again within its policy's time, `/healthz` must
answer throughout, and `max_concurrent_starts` and `start_rate` must never be exceeded.
"""

import contextlib
import resource
import sys
import time
from collections import deque
from pathlib import Path

import attrs
import click
import httpx
import trio
from rich.console import Console

from .processes import (
    GATEWAY_CORE,
    Api,
    directory,
    free_ports,
    sandbox,
    sandbox_config,
    started,
    write_config,
)
from .verdicts import count_crashes, crash_limit, print_verdicts

HEALTH_EVERY, HEALTH_LIMIT = 0.02, 0.25
SPARE_FILES = 500  # open files beside one for each account
SLOTS, RATE = 20, 100.0
INITIAL, FACTOR, JITTER, START_TIMEOUT = 1.0, 2.0, 0.2, 30.0
SLOW = 4  # `supervisors.admission.SLOW_FACTOR`: the limit of starts in progress, in slots

console = Console(highlight=False)


@attrs.define
class Health:
    """How long `/healthz` took, in seconds, on a connection of its own."""

    worst: float = 0.0
    asked: int = 0
    late: list[tuple[float, float]] = attrs.field(factory=list)  # (time of the request, its duration)

    async def watch(self, port: int) -> None:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
        ) as client:
            while True:
                began = time.perf_counter()
                assert (await client.get("/healthz")).status_code == 200
                took = time.perf_counter() - began
                self.asked += 1
                self.worst = max(self.worst, took)
                if took > HEALTH_LIMIT:
                    self.late.append((began, took))
                await trio.sleep(HEALTH_EVERY)


@attrs.define
class Starts:
    """Admitted starts: their count, the most in any second, and the most at a time."""

    count: int
    most_in_a_second: int
    most_holding: int
    most_starting: int

    @classmethod
    def read(cls, path: Path, skip: int = 0) -> "Starts":
        rows = [line.split() for line in path.read_text().splitlines()][skip:]
        window: deque[float] = deque()
        most = 0
        for at, _, _ in rows:
            window.append(float(at))
            while window[0] <= window[-1] - 1:
                window.popleft()
            most = max(most, len(window))
        return cls(len(rows), most, max(int(row[1]) for row in rows), max(int(row[2]) for row in rows))


def room_for(accounts: int) -> None:
    """Raise the limit of open files as far as needed. Exits with 2 if the hard limit is too low."""
    need = accounts + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        console.print(
            f"{accounts} accounts need {need} open files in each process, and the limit is {hard}:"
            f" 'ulimit -Hn {need}' as root, or --accounts {hard - SPARE_FILES}"
        )
        sys.exit(2)
    if soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


def config_of(accounts: int, sandbox_port: int, *, slots: int = SLOTS, rate: float = RATE) -> str:
    """The configuration of Telegram accounts on a sandbox, and their policy."""
    return (
        sandbox_config(sandbox_port)
        + f"""
[supervision.policies.default]
backoff = {{ initial = "{INITIAL}s", factor = {FACTOR}, max = "1m", jitter = {JITTER} }}
stable_after = "5s"
start_timeout = "{START_TIMEOUT}s"
max_concurrent_starts = {slots}
start_rate = "{rate:.0f}/s"
"""
        + "".join(
            f'[[accounts]]\nname = "bot-{number}"\nprovider = "telegram"\n'
            f'credentials = {{ token = "{number}:token" }}\n'
            for number in range(1, accounts + 1)
        )
    )


def allowed(accounts: int, down: float) -> float:
    """Seconds until the last account must be online, by the policy.

    They are the platform's absence (`down`), the longest back-off after the tries that failed meanwhile, the
    queue of starts, and the time that a start may take.
    """
    waited, tries = 0.0, 0
    while waited < down:
        waited += INITIAL * FACTOR**tries
        tries += 1
    return down + INITIAL * FACTOR**tries * (1 + JITTER) + accounts / RATE + START_TIMEOUT


@attrs.define(kw_only=True)
class Storm:
    """What was measured. Times in seconds."""

    down: float  # from the loss of the platform until it listened again
    back: float  # from the loss of the platform until all accounts were online
    calm: float  # the worst `/healthz` before the storm
    health: Health
    cpu: float  # of the gateway, during the storm
    starts: Starts  # during the storm
    every: Starts  # since the gateway began
    crashes: int  # tracebacks in the log


async def run(accounts: int) -> bool:
    """Whether everything stayed within its limits; prints what was measured."""
    room_for(accounts)
    return report(accounts, await measure(accounts))


async def measure(accounts: int) -> Storm:
    control, port = free_ports(3), free_ports(1)
    health = Health()
    with directory() as where:
        grants = where / "grants"
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(sandbox(where, control))
            config = write_config(where, port, config_of(accounts, control))
            command = ["-m", "scripts.scenarios.observed", str(config), str(grants)]
            gateway = await stack.enter_async_context(started(GATEWAY_CORE, command, where / "gateway.log"))
            api = Api(port, gateway)
            took = await api.until_running("telegram", accounts, accounts / RATE * 3 + 120)
            console.print(f"{accounts} accounts online after {took:.0f} s, {gateway.resident() / 1e6:.0f} MB")
            await trio.sleep(6)  # until all of them are stable
            admitted = len(grants.read_text().splitlines())
            cpu = gateway.cpu()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(health.watch, port)
                await trio.sleep(2)
                calm = health.worst
                began = time.monotonic()
                await first.kill()
                lost = time.monotonic()
                while await api.running("telegram") == accounts and time.monotonic() < lost + 10:
                    await trio.sleep(0.1)
                await stack.enter_async_context(sandbox(where, control))
                down = time.monotonic() - began
                back = down + await api.until_running("telegram", accounts, accounts / RATE * 4 + 120)
                nursery.cancel_scope.cancel()
            cpu = gateway.cpu() - cpu
            starts, every = Starts.read(grants, skip=admitted), Starts.read(grants)
            console.print(f"gateway: exit {await gateway.stop()} when it was stopped")
        crashes = count_crashes(where / "gateway.log")
    return Storm(
        down=down,
        back=back,
        calm=calm,
        health=health,
        cpu=cpu,
        starts=starts,
        every=every,
        crashes=crashes,
    )


def report(accounts: int, storm: Storm) -> bool:
    """Print each limit and whether it was kept; returns whether all were."""
    limit, health, every = allowed(accounts, storm.down), storm.health, storm.every
    lines = [
        (
            storm.back <= limit,
            f"the platform was away for {storm.down:.1f} s; all were back after {storm.back:.1f} s"
            f" (policy: {limit:.0f} s)",
        ),
        (
            health.worst <= HEALTH_LIMIT,
            f"/healthz: worst {health.worst * 1000:.0f} ms of {health.asked} (limit"
            f" {HEALTH_LIMIT * 1000:.0f} ms; before the storm {storm.calm * 1000:.0f} ms),"
            f" {len(health.late)} late",
        ),
        (
            every.most_in_a_second <= RATE,
            f"start_rate: at most {every.most_in_a_second} in any second (limit {RATE:.0f})",
        ),
        (every.most_holding <= SLOTS, f"max_concurrent_starts: at most {every.most_holding} (limit {SLOTS})"),
        (
            every.most_starting <= SLOTS * SLOW,
            f"slow ones included: at most {every.most_starting} (limit {SLOTS * SLOW})",
        ),
        crash_limit(storm.crashes),
    ]
    note = (
        f"{storm.starts.count} starts for {accounts} accounts; {storm.cpu:.0f} s of the gateway's CPU,"
        f" {storm.cpu / storm.starts.count * 1000:.1f} ms for each start"
    )
    return print_verdicts(console, lines, [note])


@click.command()
@click.option("--accounts", default=10_000, show_default=True)
def main(accounts: int) -> None:
    """Every account loses its connection in the same moment."""
    sys.exit(0 if trio.run(run, accounts) else 1)


if __name__ == "__main__":
    main()
