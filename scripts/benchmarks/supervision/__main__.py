"""Runs the rounds, every supervisor after the other in each, and prints the medians side by side."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import attrs
import click
import trio
from rich.console import Console
from rich.table import Table

from tests.interop import peers

from .accounts import whole_accounts

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CORE = 0
IDLE, RESTARTED, TIMES = 100_000, 10_000, 5
ACCOUNTS = 500
TRIOTP_IDLE, TRIOTP_RESTARTED = 10_000, 300  # with more, triotp takes quadratic time or does not end

GOALS = [  # ratios UnifyPort / peer: (kind, peer, at least or at most, goal)
    ("restarts", "Erlang/OTP", ">=", 0.9),
    ("restarts", "triotp", ">=", 10.0),
    ("memory", "Erlang/OTP", "<=", 1.4),
]
Command = Callable[[str, int], list[str]]


@attrs.define
class Subject:
    name: str
    command: Command
    idle: int = IDLE
    restarted: int = RESTARTED

    def measure(self, kind: str) -> float:
        count = self.idle if kind == "memory" else self.restarted
        command = self.command(kind, count)
        pinned = ["taskset", "-c", str(CORE), *command] if (os.cpu_count() or 1) > 1 else command
        done = subprocess.run(pinned, capture_output=True, text=True, check=False, cwd=ROOT, timeout=600)
        if done.returncode:
            raise click.ClickException(f"{self.name}: {done.stderr[-1000:]}")
        return float(done.stdout.split()[-1])


def subjects(build: Path) -> list[Subject]:
    erl = _erlang()
    subprocess.run([erl + "c", "-o", str(build), str(HERE / "supervision_peer.erl")], check=True)
    triotp = str(peers.python(HERE / "requirements.in"))

    def ours(kind: str, count: int) -> list[str]:
        return [sys.executable, "-m", "scripts.benchmarks.supervision.ours", kind, str(count), str(TIMES)]

    def erlang(kind: str, count: int) -> list[str]:
        quiet = [erl, "-noshell", "+S", "1:1", "+P", "1000000", "-pa", str(build)]
        return [*quiet, "-s", "supervision_peer", "main", kind, str(count), str(TIMES)]

    def peer(kind: str, count: int) -> list[str]:
        return [triotp, str(HERE / "triotp_peer.py"), kind, str(count), str(TIMES)]

    return [
        Subject("UnifyPort", ours),
        Subject("Erlang/OTP", erlang),
        Subject("triotp", peer, TRIOTP_IDLE, TRIOTP_RESTARTED),
    ]


def _erlang() -> str:
    """The path of `erl`; Debian's package is installed if it is missing and this is possible."""
    if shutil.which("erl") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-q"], check=False, capture_output=True)
        subprocess.run(
            ["apt-get", "install", "-yq", "--no-install-recommends", "erlang-base"],
            check=False,
            capture_output=True,
        )
    found = shutil.which("erl")
    if found is None:
        raise click.ClickException("Erlang is missing: apt-get install erlang-base")
    return found


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Interleaved; medians are shown.")
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, as_json: bool) -> None:
    """Restarts per second of CPU time, and memory per idle child, beside Erlang/OTP and triotp."""
    progress = Console(stderr=True, quiet=as_json)
    with tempfile.TemporaryDirectory() as build:
        all_ = subjects(Path(build))
        found: dict[tuple[str, str], list[float]] = {}
        for number in range(rounds):
            for subject in all_:
                progress.print(f"round {number + 1} of {rounds}: {subject.name}")
                for kind in ("restarts", "memory"):
                    found.setdefault((kind, subject.name), []).append(subject.measure(kind))
    progress.print("whole accounts")
    size, restarts = trio.run(whole_accounts, ACCOUNTS)
    medians = {key: median(values) for key, values in found.items()}
    goals = [
        (kind, peer, relation, goal, medians[kind, "UnifyPort"] / medians[kind, peer])
        for kind, peer, relation, goal in GOALS
    ]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "medians": {f"{kind} {name}": value for (kind, name), value in medians.items()},
                    "whole accounts": {"restarts per CPU second": restarts, "bytes": size},
                    "ratios": {f"{kind} to {peer}": ratio for kind, peer, _, _, ratio in goals},
                },
                indent=2,
            )
        )
        return
    table = Table("", *(subject.name for subject in all_))
    for kind, label in (
        ("restarts", "restarts per CPU second, all crash at once"),
        ("memory", "bytes per active, idle child"),
    ):
        table.add_row(label, *(f"{medians[kind, subject.name]:,.0f}" for subject in all_))
    Console().print(table)
    click.echo(
        f"a whole account of the gateway, with its nursery and its connection:"
        f" {restarts:,.0f} restarts per second of CPU, {size:,.0f} bytes ({ACCOUNTS} Telegram accounts)"
    )
    for kind, peer, relation, goal, ratio in goals:
        good = ratio >= goal if relation == ">=" else ratio <= goal
        click.echo(f"{kind} to {peer}: {ratio:.2f}x (goal {relation} {goal}x){'' if good else '  MISSED'}")
    click.echo(
        f"Python {platform.python_version()}, {platform.machine()}; medians of {rounds} interleaved"
        f" rounds on one core; restarts: {RESTARTED} children x {TIMES} (triotp {TRIOTP_RESTARTED},"
        f" Erlang under {RESTARTED // 10} supervisors of 10); idle: {IDLE} (triotp {TRIOTP_IDLE})"
    )


if __name__ == "__main__":
    main()
