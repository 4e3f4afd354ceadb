"""Runs the rounds, each subject after the other in every round, and prints the medians side by side."""

import json
import os
import platform
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from statistics import median
from typing import Any

import click
import trio
from rich.console import Console
from rich.table import Table

from .rig import Rig
from .subjects import Subject, gateway, naive

New = Callable[[str, str, int], AbstractAsyncContextManager[Subject]]
SUBJECTS: dict[str, New] = {"UnifyPort": gateway, "naive": naive}
SENDERS = 16  # sending accounts
IDLE = 1000
LOAD = 0.2
RIG_CORE = 1

ROWS = [
    ("ingress", "inbound to webhook, events/s", "{:,.0f}", True),
    ("ingress_cpu", "  CPU per event, ms", "{:.2f}", False),
    ("p50", f"  p50 at {LOAD:.0%} of its own rate, ms", "{:.1f}", False),
    ("p99", f"  p99 at {LOAD:.0%} of its own rate, ms", "{:.1f}", False),
    ("sends", "send to platform, sends/s", "{:,.0f}", True),
    ("sends_cpu", "  CPU per send, ms", "{:.2f}", False),
    ("idle", f"memory per idle account at {IDLE}, KiB", "{:.1f}", False),
    ("resident", "memory without accounts, MiB", "{:.1f}", False),
]


async def one_round(rig: Rig, new: New, events: int, seconds: float) -> dict[str, float]:
    async with new(rig.graph, rig.hook, SENDERS) as subject:
        await rig.flood(subject, events // 10)  # warm up
        rate, cpu = await rig.flood(subject, events)
        found = {"ingress": rate, "ingress_cpu": cpu * 1000}
        latencies = await rig.steady(subject, rate * LOAD, seconds)
        found["p50"] = latencies[len(latencies) // 2] * 1000
        found["p99"] = latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))] * 1000
        rate, cpu = await rig.sends(subject, events)
        return found | {"sends": rate, "sends_cpu": cpu * 1000}


async def memory(rig: Rig, new: New) -> dict[str, float]:
    """Resident memory with and without idle accounts, each in a process of its own."""
    found = {}
    for count in (0, IDLE):
        async with new(rig.graph, rig.hook, count) as subject:
            await trio.sleep(2)  # until start-up is over
            found[count] = subject.resident()
    return {"idle": (found[IDLE] - found[0]) / IDLE / 1024, "resident": found[0] / 1024**2}


async def run(rounds: int, events: int, seconds: float, quiet: bool) -> dict[str, dict[str, float]]:
    progress = Console(stderr=True, quiet=quiet)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in SUBJECTS}
    rig = Rig()
    async with trio.open_nursery() as nursery:
        await nursery.start(rig.run)
        for number in range(rounds):
            for name, new in SUBJECTS.items():
                progress.print(f"round {number + 1} of {rounds}: {name}")
                results[name].append(await one_round(rig, new, events, seconds))
        medians = {
            name: {key: median(found[key] for found in all_) for key in all_[0]}
            for name, all_ in results.items()
        }
        for name, new in SUBJECTS.items():
            progress.print(f"memory: {name}")
            medians[name] |= await memory(rig, new)
        nursery.cancel_scope.cancel()
    return medians


def table(medians: dict[str, dict[str, float]]) -> Table:
    names = list(medians)
    shown = Table("", *names, "UnifyPort / naive")
    for key, label, form, _ in ROWS:
        ours, peer = medians["UnifyPort"][key], medians["naive"][key]
        shown.add_row(label, *(form.format(medians[name][key]) for name in names), f"{ours / peer:.2f}x")
    return shown


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Interleaved; medians are shown.")
@click.option("--events", default=3000, show_default=True, help="Of each throughput measurement.")
@click.option("--seconds", default=8.0, show_default=True, help="Of each latency measurement.")
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, events: int, seconds: float, as_json: bool) -> None:
    """The gateway beside a naive FastAPI + httpx + one-commit-per-event service."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {RIG_CORE})
    medians = trio.run(run, rounds, events, seconds, as_json)
    if as_json:
        about: dict[str, Any] = {"python": platform.python_version(), "rounds": rounds, "events": events}
        click.echo(json.dumps({**about, "medians": medians}, indent=2))
        return
    Console().print(table(medians))
    click.echo(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores;"
        f" medians of {rounds} interleaved rounds of {events} events;"
        f" subject on core 0, load and receiver on core {RIG_CORE}"
    )


main()
