"""Who is measured, and how: a process of its own on one core,
that reads a job and prints what it measured.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs
import click

from .job import Job, Measured

ROOT = Path(__file__).parents[3]
_CORES = sorted(os.sched_getaffinity(0))
SUBJECT_CORE, SINK_CORE = _CORES[0], _CORES[-1]
_LONGEST = 300.0


def pinned(core: int) -> list[str]:
    """What a command begins with to run on one core, where there are two."""
    return ["taskset", "-c", str(core)] if len(_CORES) > 1 else []


@attrs.frozen
class Subject:
    """`job` is what it is asked for beside what all are asked for."""

    name: str
    command: list[str]
    job: dict[str, Any] = attrs.field(factory=dict)

    def measure(self, directory: Path, **job: Any) -> Measured:
        """In a directory of its own below `directory`."""
        with tempfile.TemporaryDirectory(dir=directory) as own:
            path = Path(own) / "job.json"
            Job(directory=own, **(job | self.job)).write(path)
            command = [*pinned(SUBJECT_CORE), *self.command, str(path)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=_LONGEST
            )
        if done.returncode:
            raise click.ClickException(f"{self.name}: {done.stderr[-2000:]}")
        return Measured.heard(done.stdout)


def python(module: str) -> list[str]:
    return [sys.executable, "-m", f"scripts.benchmarks.delivery.{module}"]
