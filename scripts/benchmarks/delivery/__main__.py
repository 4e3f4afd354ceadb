"""Runs the rounds, every subject after the other in each, and prints the medians beside the goals."""

import json
import os
import platform
import tempfile
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from .disk import fsyncs
from .goals import DISK, GOALS, OURS, Round, figures, percentiles
from .job import CONNECTIONS
from .node import node_peers
from .sink import Sink, sink
from .subjects import SINK_CORE, SUBJECT_CORE, Subject, pinned, python

LOAD = 0.2
LINGERS = (0, 5)  # ms
NAIVE = 30  # the naive pipeline gets this many times fewer events


def subjects(target: Sink, events: int) -> list[tuple[str, Subject]]:
    """What is measured in each round, as (measurement, subject), in this order."""
    node = node_peers()
    ours = python("pipeline_ours")
    tls = {"url": target.tls_url, "ca_file": target.ca_file}
    many, few = {"count": events}, {"count": max(200, events // NAIVE)}
    return [
        ("client", Subject(OURS, python("client_ours"))),
        ("client", Subject("undici", ["node", str(node / "client.cjs")])),
        ("client", Subject("httpx on trio", python("client_httpx"))),
        ("calls", Subject(OURS, python("client_calls"))),
        ("client, TLS", Subject(OURS, python("client_ours"), tls)),
        ("client, TLS", Subject("trio.SSLStream", python("client_sslstream"), tls)),
        ("durable", Subject(OURS, ours, many)),
        *(
            (
                "durable",
                Subject(_node(linger), ["node", str(node / "pipeline.cjs")], many | {"linger": linger}),
            )
            for linger in LINGERS
        ),
        ("durable", Subject("naive", python("pipeline_naive"), few)),
        ("durable, NORMAL", Subject(OURS, ours, many | {"synchronous": "normal"})),
        ("durable, one event a unit", Subject(OURS, ours, many | {"units": "singles"})),
    ]


def _node(linger: int) -> str:
    return f"Node, linger {linger} ms"


def one_round(target: Sink, directory: Path, progress: Console, *, events: int, seconds: float) -> Round:
    found: Round = {}
    for what, subject in subjects(target, events):
        progress.print(f"  {what}: {subject.name}")
        measured = subject.measure(directory, url=target.url, seconds=seconds)
        found[what, subject.name] = figures(measured)
    lingers = [found["durable", _node(linger)] for linger in LINGERS]
    found["durable", "Node"] = min(lingers, key=lambda each: each["cost"])
    rate = found["durable", OURS]["rate"] * LOAD
    progress.print(f"  steady: {rate:,.0f} events/s")
    steady = Subject(OURS, python("pipeline_ours"), {"units": "singles"})
    measured = steady.measure(directory, url=target.url, rate=rate, count=int(rate * seconds))
    found["steady", OURS] = figures(measured)
    found["steady", DISK] = percentiles("fsync", fsyncs(directory))
    return found


def medians_of(rounds: list[Round]) -> Round:
    return {
        key: {name: median(found[key][name] for found in rounds) for name in figures_}
        for key, figures_ in rounds[0].items()
    }


def table(medians: Round) -> Table:
    shown = Table("", "", "per second", "CPU us each", f"CPU / {OURS}'s")
    for (what, subject), values in medians.items():
        if what == "steady" or subject == "Node":
            continue
        base = medians[what, OURS]["cost"]
        shown.add_row(
            *(what, subject, f"{values['rate']:,.0f}", f"{values['cost']:.1f}"),
            f"{values['cost'] / base:.2f}x",
        )
    return shown


def latencies(medians: Round) -> Table:
    steady = medians["steady", OURS]
    shown = Table(f"{OURS} at {steady['rate']:,.0f} events/s", "p50 ms", "p99 ms")
    for subject, name, text in (
        (OURS, "accepted", "handed in -> commit answered"),
        (OURS, "delivered", "commit answered -> 2xx of the sink"),
        (DISK, "fsync", "append of an event and fsync, the disk alone"),
    ):
        values = medians["steady", subject]
        shown.add_row(text, *(f"{values[f'{name} {share}'] * 1000:.2f}" for share in ("p50", "p99")))
    return shown


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Interleaved; medians are shown.")
@click.option(
    "--events", default=40_000, show_default=True, help="Of each pipeline; the naive one gets fewer."
)
@click.option("--seconds", default=4.0, show_default=True, help="Of each client, and of the latencies.")
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, events: int, seconds: float, as_json: bool) -> None:
    """Deliveries beside undici, httpx, trio's streams, a Node pipeline and a naive one.

    BENCH_DIR: the directory for the databases; it decides which disk is used.
    """
    os.sched_setaffinity(0, {SINK_CORE})
    progress = Console(stderr=True, quiet=as_json)
    where, found = os.environ.get("BENCH_DIR"), []
    with tempfile.TemporaryDirectory(
        prefix="unifyport-bench-", dir=where, ignore_cleanup_errors=True
    ) as path:
        directory = Path(path)
        with sink(directory, pinned(SINK_CORE)) as target:
            for number in range(rounds):
                progress.print(f"round {number + 1} of {rounds}")
                found.append(one_round(target, directory, progress, events=events, seconds=seconds))
    medians = medians_of(found)
    if as_json:
        values = {f"{what}: {subject}": figures_ for (what, subject), figures_ in medians.items()}
        ratios = {goal.text: goal.of(found) for goal in GOALS}
        about = {"python": platform.python_version(), "rounds": rounds, "events": events}
        click.echo(json.dumps({**about, "medians": values, "ratios": ratios}, indent=2))
        return
    for shown in (table(medians), latencies(medians)):
        Console(width=100).print(shown)
    for goal in GOALS:
        click.echo(goal.line(found))
    click.echo(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores;"
        f" medians of {rounds} interleaved rounds; {CONNECTIONS} connections;"
        f" {events} events a pipeline (naive {events // NAIVE});"
        f" subject on core {SUBJECT_CORE}, nginx on core {SINK_CORE}"
    )


if __name__ == "__main__":
    main()
