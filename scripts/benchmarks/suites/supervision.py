"""`supervisors` beside Erlang/OTP and triotp: restarts, and the memory of children that wait."""

import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from ..bench import Bench
from ..columns import Column, Suite
from ..install import ERLANG as ERLANG_PROGRAM
from ..install import HERE, program, python_peers
from ..names import ERLANG, OURS, TRIOTP
from ..process import directory, output_of

NAME = "supervision"
RESTARTS, MEMORY = "all children crash at once", "idle children"
IDLE, RESTARTED, TIMES = 100_000, 10_000, 5
# With more, triotp takes quadratic time or does not end.
TRIOTP_IDLE, TRIOTP_RESTARTED = 10_000, 300
_SECONDS = 600
_SOURCES = HERE / "supervision"


@attrs.frozen
class Crowd:
    """`command`: the kind of measurement -> the command; counts of children follow it."""

    name: str
    command: Callable[[str], list[str]]
    idle: int = IDLE
    restarted: int = RESTARTED


def _ours(kind: str) -> list[str]:
    return [sys.executable, "-m", "scripts.benchmarks.supervision.ours", kind]


def _triotp(kind: str) -> list[str]:
    return [python_peers(), str(_SOURCES / "triotp_peer.py"), kind]


def _erlang(build: Path) -> Callable[[str], list[str]]:
    def command(kind: str) -> list[str]:
        erl = program(ERLANG_PROGRAM)
        if not any(build.iterdir()):
            output_of([f"{erl}c", "-o", str(build), str(_SOURCES / "supervision_peer.erl")], _SECONDS)
        quiet = [erl, "-noshell", "+S", "1:1", "+P", "1000000", "-pa", str(build)]
        return [*quiet, "-s", "supervision_peer", "main", kind]

    return command


def run(bench: Bench) -> None:
    with directory() as build:
        crowds = [
            Crowd(OURS, _ours),
            Crowd(ERLANG, _erlang(build)),
            Crowd(TRIOTP, _triotp, TRIOTP_IDLE, TRIOTP_RESTARTED),
        ]
        for crowd in bench.turns(crowds):
            with bench.subject(NAME, crowd.name):
                restarted, idle = (bench.options.count(n, 100) for n in (crowd.restarted, crowd.idle))
                restarts = _number(crowd.command("restarts"), restarted)
                bench.add(NAME, RESTARTS, crowd.name, restarts=restarts)
                bench.add(NAME, MEMORY, crowd.name, bytes=_number(crowd.command("memory"), idle))


def _number(command: list[str], count: int) -> float:
    """What a command prints last."""
    return float(output_of([*command, str(count), str(TIMES)], _SECONDS).split()[-1])


SUITE = Suite(
    NAME,
    "Supervisors",
    f"{RESTARTED:,} children crash at once, {TIMES} times (triotp {TRIOTP_RESTARTED}; Erlang under"
    f" {RESTARTED // 10:,} supervisors of ten); {IDLE:,} children wait (triotp {TRIOTP_IDLE:,}).",
    run,
    (Column("restarts", "restarts per CPU second", ratio=True), Column("bytes", "bytes a child", ratio=True)),
    driven=False,
)
