"""Deliveries alone: the client, and the durable pipeline from an update to the receiver's 2xx on the disk."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from ..bench import Bench
from ..columns import CPU, RATE, Column, Suite
from ..delivery.disk import fsyncs
from ..delivery.job import CONNECTIONS, Job, Measured
from ..delivery.sink import Sink, sink
from ..install import node_peers
from ..names import HTTPX, NAIVE, NODE, OURS, SSL_STREAM, UNDICI
from ..process import LOAD_CORE, directory, output_of, pinned
from ..rig import percentile

NAME = "delivery"
CLIENT, TLS, PIPELINE = "client", "client, TLS", "durable pipeline"
NORMAL, SINGLES = "durable pipeline, synchronous = NORMAL", "durable pipeline, one event a unit"
STEADY, FSYNC, DISK = "a fifth of the rate of one event a unit", "append and fsync", "the disk"
EVENTS, SECONDS, LOAD = 40_000, 4.0, 0.2
LINGERS = (0, 5)  # ms; the better one counts
NAIVE_SHARE = 30  # the naive pipeline gets this many times fewer events
_LONGEST = 300.0


@attrs.frozen
class Task:
    """Processes that read a job, each a way to do the same: the one that costs least CPU counts.

    `jobs` are fields of their jobs.
    """

    case: str
    name: str
    command: Callable[[], list[str]]
    jobs: Sequence[dict[str, Any]]

    def measure(self, where: Path) -> Measured:
        return min((self._run(where, job) for job in self.jobs), key=lambda each: each.cost)

    def _run(self, where: Path, job: dict[str, Any]) -> Measured:
        with tempfile.TemporaryDirectory(dir=where) as own:
            path = Path(own) / "job.json"
            Job(directory=own, **job).write(path)
            return Measured.heard(output_of([*self.command(), str(path)], _LONGEST))


def _python(module: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", f"scripts.benchmarks.delivery.{module}"]


def _node(script: str) -> Callable[[], list[str]]:
    return lambda: ["node", str(node_peers() / script)]


def run(bench: Bench) -> None:
    with bench.subject(NAME, "nginx"), directory() as where, sink(where, pinned(LOAD_CORE)) as target:
        for tasks in (_clients(bench, target), _tls_clients(bench, target), _pipelines(bench, target)):
            for task in bench.turns(tasks):
                with bench.subject(NAME, task.name):
                    found = task.measure(where)
                    bench.add(NAME, task.case, task.name, cpu=found.cost, rate=found.rate)
        with bench.subject(NAME, OURS):
            _steady(bench, where, target)


def _clients(bench: Bench, target: Sink) -> list[Task]:
    jobs = [{"url": target.url, "seconds": bench.options.seconds(SECONDS)}]
    return [
        Task(CLIENT, OURS, _python("client_ours"), jobs),
        Task(CLIENT, UNDICI, _node("client.mjs"), jobs),
        Task(CLIENT, HTTPX, _python("client_httpx"), jobs),
    ]


def _tls_clients(bench: Bench, target: Sink) -> list[Task]:
    seconds = bench.options.seconds(SECONDS)
    jobs = [{"url": target.tls_url, "ca_file": target.ca_file, "seconds": seconds}]
    return [
        Task(TLS, OURS, _python("client_ours"), jobs),
        Task(TLS, SSL_STREAM, _python("client_sslstream"), jobs),
    ]


def _pipelines(bench: Bench, target: Sink) -> list[Task]:
    ours, events = _python("pipeline_ours"), bench.options.count(EVENTS, 400)
    many: dict[str, Any] = {"url": target.url, "count": events}
    few = many | {"count": max(100, events // NAIVE_SHARE)}
    return [
        Task(PIPELINE, OURS, ours, [many]),
        Task(PIPELINE, NODE, _node("pipeline.mjs"), [many | {"linger": linger} for linger in LINGERS]),
        Task(PIPELINE, NAIVE, _python("pipeline_naive"), [few]),
        Task(NORMAL, OURS, ours, [many | {"synchronous": "normal"}]),
        Task(SINGLES, OURS, ours, [many | {"units": "singles"}]),
    ]


def _steady(bench: Bench, where: Path, target: Sink) -> None:
    rates = [each.figures["rate"] for each in bench.results.of(NAME, SINGLES, OURS)]
    if not rates:
        return  # it has failed, and the reason was noted
    rate = rates[-1] * LOAD
    count = max(100, int(rate * bench.options.seconds(SECONDS)))
    job = {"url": target.url, "units": "singles", "rate": rate, "count": count}
    found = Task(STEADY, OURS, _python("pipeline_ours"), [job]).measure(where)
    times = {f"{name} p{share}": _ms(found.times[name], share) for name in found.times for share in (50, 99)}
    bench.add(NAME, STEADY, OURS, cpu=found.cost, rate=found.rate, **times)
    times = {f"delivered p{share}": _ms(fsyncs(where), share) for share in (50, 99)}
    bench.add(NAME, FSYNC, DISK, **times)


def _ms(seconds: list[float], share: int) -> float:
    return percentile(seconds, share / 100) * 1000


SUITE = Suite(
    NAME,
    "Deliveries alone",
    f"{CONNECTIONS} connections to nginx on the other core. The pipeline is everything between a platform's"
    " update and the receiver's 2xx on the disk, in one process without API: accounts hand in 100 updates a"
    " unit. Node's pipeline has the same semantics, with the better of two waits before a commit (0 and 5"
    " ms).",
    run,
    (
        CPU,
        RATE,
        Column("accepted p50", "until committed p50 ms", "{:.2f}"),
        Column("accepted p99", "p99 ms", "{:.2f}"),
        Column("delivered p50", "from there to 2xx p50 ms", "{:.2f}"),
        Column("delivered p99", "p99 ms", "{:.2f}"),
    ),
    driven=False,
)
