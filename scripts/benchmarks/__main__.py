"""The command: runs the rounds and writes the results and the report."""

import os
import sys
from pathlib import Path
from types import ModuleType

import click

from .about import about
from .bench import Bench, Options
from .columns import Suite
from .install import CACHE
from .names import ABOUT
from .process import LOAD_CORE, ROOT
from .report import missed, render
from .results import Results, Skipped
from .rig import Rig
from .suites import backlog, delivery, devices, ingress, logins, memory, sends, supervision

_MODULES: tuple[ModuleType, ...] = (ingress, sends, delivery, supervision, memory, logins, backlog, devices)
SUITES: dict[str, Suite] = {module.SUITE.name: module.SUITE for module in _MODULES}
REPORT = ROOT / "docs" / "benchmarks.md"
MOST_CALLERS = 4096  # connections
RESULTS = CACHE / "results.json"


def _callers(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(each) for each in text.split(","))
    except ValueError:
        raise click.BadParameter("must be numbers, separated by commas") from None
    if min(found) < 1 or max(found) > MOST_CALLERS:
        raise click.BadParameter(f"each must be 1 to {MOST_CALLERS}")
    return found


@click.command()
@click.argument("suites", nargs=-1, type=click.Choice(list(SUITES)))
@click.option(
    "--rounds",
    default=5,
    type=click.IntRange(min=1),
    show_default=True,
    help="Interleaved; medians are shown.",
)
@click.option("--callers", default="1,16,64,256", show_default=True, callback=_callers)
@click.option(
    "--scale",
    default=1.0,
    type=click.FloatRange(0, min_open=True),
    show_default=True,
    help="Multiplies all counts and times.",
)
@click.option("--peer", "peers", multiple=True, type=click.Choice(list(ABOUT)), help="Only ours and these.")
@click.option(
    "--gateway", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Another checkout."
)
@click.option("--report", default=REPORT, show_default="docs/benchmarks.md", type=click.Path(path_type=Path))
@click.option(
    "--results", default=RESULTS, show_default=".cache/bench/results.json", type=click.Path(path_type=Path)
)
@click.option("--again", is_flag=True, help="Only write the report again from the last results.")
def main(
    *,
    suites: tuple[str, ...],
    rounds: int,
    callers: tuple[int, ...],
    scale: float,
    peers: tuple[str, ...],
    gateway: Path | None,
    report: Path,
    results: Path,
    again: bool,
) -> None:
    """The gateway beside its peers, in one run. SUITES: only these.

    BENCH_DIR: the directory for the databases; it decides which disk is used.
    """
    if again:
        found, failed = Results.read(results), False
    else:
        checkout = gateway.resolve() if gateway else None
        options = Options(rounds, callers, scale, frozenset(peers), checkout)
        found, failed = measure(options, [SUITES[name] for name in suites or SUITES], results)
    report.write_text(render(found, list(SUITES.values())))
    for text in missed(found):
        click.echo(f"missed: {text}")
    click.echo(f"the report is in {report}")
    sys.exit(failed)


def measure(options: Options, suites: list[Suite], path: Path) -> tuple[Results, bool]:
    """Run all rounds. The results are written after each one, so that a run that is cut short is not lost.

    Returns them, and whether the gateway itself failed anywhere.
    """
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {LOAD_CORE})
    results = Results(about(options))
    with Rig() as rig:
        bench = Bench(rig, options, results, lambda text: click.echo(text, err=True))
        for bench.round in range(options.rounds):
            for suite in suites:
                if options.gateway is not None and not suite.driven:
                    continue
                suite.run(bench)
            results.write(path)
    if options.gateway is not None:
        reason = "it is measured inside a process of this checkout, not through the command line"
        results.skipped += [Skipped(suite.name, "", reason) for suite in suites if not suite.driven]
    return results, bench.failed


if __name__ == "__main__":
    main()
