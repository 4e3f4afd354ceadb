"""The subjects: each is a process of its own on one core, which reads a job and prints its result."""

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
    """The command prefix that runs a command on one core; empty if there is only one."""
    return ["taskset", "-c", str(core)] if len(_CORES) > 1 else []


@attrs.frozen
class Subject:
    """`job`: fields of its `Job` that override those of the round."""

    name: str
    command: list[str]
    job: dict[str, Any] = attrs.field(factory=dict)

    def measure(self, directory: Path, **job: Any) -> Measured:
        """Run the subject in a directory of its own below `directory`."""
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
