"""Deliveries alone: the client, and the durable pipeline from an update to the receiver's 2xx on the disk."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
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
from ..process import LOAD_CORE, ROOT, SUBJECT_CORE, PeerFailed, directory, pinned
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
    """A process that reads a job. `fields` are of the job, beside those of the round."""

    command: Callable[[], list[str]]
    fields: dict[str, Any] = attrs.field(factory=dict)

    def measure(self, where: Path, **job: Any) -> Measured:
        with tempfile.TemporaryDirectory(dir=where) as own:
            path = Path(own) / "job.json"
            Job(directory=own, **(job | self.fields)).write(path)
            command = [*pinned(SUBJECT_CORE), *self.command(), str(path)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=_LONGEST
            )
        if done.returncode:
            raise PeerFailed(done.stderr[-1000:].strip())
        return Measured.heard(done.stdout)


def _python(module: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", f"scripts.benchmarks.delivery.{module}"]


def _node(script: str) -> Callable[[], list[str]]:
    return lambda: ["node", str(node_peers() / script)]


def run(bench: Bench) -> None:
    with bench.subject(NAME, OURS), directory() as where, sink(where, pinned(LOAD_CORE)) as target:
        _clients(bench, where, target)
        _pipelines(bench, where, target)
        _steady(bench, where, target)


def _clients(bench: Bench, where: Path, target: Sink) -> None:
    tls = {"url": target.tls_url, "ca_file": target.ca_file}
    for case, name, command, fields in (
        (CLIENT, OURS, _python("client_ours"), {}),
        (CLIENT, UNDICI, _node("client.mjs"), {}),
        (CLIENT, HTTPX, _python("client_httpx"), {}),
        (TLS, OURS, _python("client_ours"), tls),
        (TLS, SSL_STREAM, _python("client_sslstream"), tls),
    ):
        _measure(bench, where, case, name, Task(command, {"url": target.url} | fields))


def _pipelines(bench: Bench, where: Path, target: Sink) -> None:
    ours, events = _python("pipeline_ours"), bench.options.count(EVENTS, 400)
    many, few = {"url": target.url, "count": events}, max(100, events // NAIVE_SHARE)
    _measure(bench, where, PIPELINE, OURS, Task(ours, many))
    _measure(
        bench, where, PIPELINE, NODE, *(Task(_node("pipeline.mjs"), many | {"linger": n}) for n in LINGERS)
    )
    _measure(bench, where, PIPELINE, NAIVE, Task(_python("pipeline_naive"), many | {"count": few}))
    _measure(bench, where, NORMAL, OURS, Task(ours, many | {"synchronous": "normal"}))
    _measure(bench, where, SINGLES, OURS, Task(ours, many | {"units": "singles"}))


def _measure(bench: Bench, where: Path, case: str, name: str, *tasks: Task) -> None:
    """Measure each way in which a subject can be run; the one that costs least CPU counts."""
    if not bench.wants(name):
        return
    with bench.subject(NAME, name):
        seconds = bench.options.seconds(SECONDS)
        found = min((task.measure(where, seconds=seconds) for task in tasks), key=lambda each: each.cost)
        bench.add(NAME, case, name, cpu=found.cost, rate=found.rate)


def _steady(bench: Bench, where: Path, target: Sink) -> None:
    rates = [each.figures["rate"] for each in bench.results.of(NAME, SINGLES, OURS)]
    if not rates:
        return  # it has failed, and the reason was noted
    rate = rates[-1] * LOAD
    count = max(100, int(rate * bench.options.seconds(SECONDS)))
    task = Task(_python("pipeline_ours"), {"units": "singles", "rate": rate, "count": count})
    found = task.measure(where, url=target.url)
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
