"""Processes that are measured: each on a core of its own, with its CPU time and its memory."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from scripts.scenarios.processes import free_ports

ROOT = Path(__file__).parents[2]
_CORES = sorted(os.sched_getaffinity(0))
SUBJECT_CORE, LOAD_CORE = _CORES[0], _CORES[-1]
_STOP_SECONDS = 60.0


class PeerFailed(Exception):
    """A peer ended, or did not do its job. The text is for the report."""


@attrs.define
class Process:
    """A running process. Its output is in the file `log`."""

    popen: "subprocess.Popen[bytes]"
    log: Path

    def cpu(self) -> float:
        """Seconds of CPU of all threads, ended ones included, in the scheduler's own nanoseconds."""
        return time.clock_gettime(_cpu_clock(self.popen.pid))

    def resident(self) -> int:
        """Bytes of resident memory, shared pages included."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def check(self) -> None:
        """Raise `PeerFailed` if the process has ended."""
        if self.popen.poll() is not None:
            raise PeerFailed(f"it ended with {self.popen.returncode}: {self.said()}")

    def said(self) -> str:
        """The end of its output, without the name of its directory, which differs from run to run."""
        text = self.log.read_text(errors="replace")[-2000:].strip()
        return text.replace(f"{self.log.parent}/", "")

    def stop(self) -> None:
        """End it as an operator does; kill it if it does not end."""
        self.popen.terminate()
        try:
            self.popen.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


def _cpu_clock(pid: int) -> int:
    """The clock id of a process's CPU time: `clock_getcpuclockid(3)`, which Python does not have."""
    return (~pid << 3) | 2


def pinned(core: int) -> list[str]:
    """The command prefix that runs a command on one core; empty if there is only one."""
    return ["taskset", "-c", str(core)] if len(_CORES) > 1 else []


@contextlib.contextmanager
def started(
    command: Sequence[str],
    where: Path,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    core: int = SUBJECT_CORE,
) -> Iterator[Process]:
    """A process pinned to a core, killed at the end. `environment` is added to ours."""
    log = where / "log"
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [*pinned(core), *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd or where,
            env={**os.environ, **(environment or {})},
        )
    process = Process(popen, log)
    try:
        yield process
    finally:
        process.kill()


def output_of(command: Sequence[str], seconds: float) -> str:
    """What a command prints, run on the subject's core. Raises `PeerFailed` if it fails or does not end."""
    command = [*pinned(SUBJECT_CORE), *command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise PeerFailed(f"it did not end within {seconds:.0f} s") from None
    if done.returncode:
        raise PeerFailed(done.stderr[-1000:].strip())
    return done.stdout


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A directory that is deleted at the end. BENCH_DIR says where it is made, and so on which disk."""
    path = Path(tempfile.mkdtemp(prefix="unifyport-bench-", dir=os.environ.get("BENCH_DIR")))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    return free_ports(1)
