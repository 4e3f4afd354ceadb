"""Environments of foreign peers: built once, cached by the hash of what they install, apart from ours.

Node peers are locked in the `package-lock.json` of their directory, Go peers in `go.sum`; Python peers are
pinned in `python/*.in`. A machine without Node or nginx gets Debian's where that can be installed; else the
tests that need it are skipped with the reason, but under CI nothing may be skipped. Go, curl and openssl are
used where they are installed; where they are missing their tests are skipped with the reason, under CI too.
"""

import contextlib
import fcntl
import filecmp
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache" / "peers"


def _cached(name: str, *inputs: Path) -> Path:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    return CACHE / f"{name}-{digest}"


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI nothing is skipped: {what}")
    pytest.skip(what)


@contextlib.contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    """Held while `name` is installed: test files run side by side in several processes.

    Environments have locks of their own: while one is built for long (Go), tests can use the others.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f".lock-{name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def built(name: str, *inputs: Path) -> Iterator[Path]:
    """Held while what these files make is looked for in a directory, and made there if it is missing."""
    directory = _cached(name, *inputs)
    with _one_at_a_time(directory.name):
        yield directory


def environment(*, proxies: bool = False) -> dict[str, str]:
    """Our environment without what would let a peer load modules of ours, or, without `proxies`, reach the
    loopback by a proxy. Our package has the name of the SDK's.
    """
    ours = ("python", "virtual_env", "coverage", "pytest", "node_path", "node_options")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().startswith(ours) and (proxies or not name.lower().endswith("_proxy"))
    }


def run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(proxies=True),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        _missing(f"{' '.join(command[:3])} failed: {(done.stdout + done.stderr)[-500:]}")


def _programs(packages: dict[str, str]) -> list[str]:
    """The paths of programs, each of a Debian package."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    with _one_at_a_time("debian"):
        if not all(shutil.which(program, path=path) for program in packages):
            if shutil.which("apt-get") and os.geteuid() == 0:
                run("apt-get", "update", "-q")
                run("apt-get", "install", "-yq", "--no-install-recommends", *packages.values())
            else:
                _missing(f"{' or '.join(packages)} is not installed")
    return [shutil.which(program, path=path) or program for program in packages]


def nginx() -> str:
    """The program."""
    return _programs({"nginx": "nginx-light"})[0]


def node_program() -> str:
    return _programs({"node": "nodejs"})[0]


def node(source: Path = HERE / "node") -> Path:
    """A directory with `node_modules` of the Node peers of `source` and their scripts."""
    _programs({"node": "nodejs", "npm": "npm"})
    directory = _cached("node", *(source / name for name in ("package.json", "package-lock.json")))
    with _one_at_a_time(directory.name):
        if not (directory / ".done").exists():
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(source, directory, ignore=shutil.ignore_patterns("node_modules"))
            run("npm", "ci", "--no-audit", "--no-fund", cwd=directory)
            (directory / ".done").touch()
        for script in (*source.glob("*.cjs"), *source.glob("*.mjs")):
            there = directory / script.name
            if not there.exists() or not filecmp.cmp(script, there, shallow=False):
                shutil.copy(script, there)
    return directory


def python(requirements: Path = HERE / "python" / "requirements.in") -> Path:
    """The interpreter of an environment of Python peers; by default the one that holds those of the tests."""
    directory = _cached("python", requirements)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    with _one_at_a_time(directory.name):
        if not (directory / ".done").exists():
            shutil.rmtree(directory, ignore_errors=True)
            run(sys.executable, "-m", "venv", str(directory))
            run(*pip, "-r", str(requirements))
            (directory / ".done").touch()
    return directory / "bin" / "python"


def go() -> str:
    """The program. Skips the test where it is missing, under CI too."""
    program = shutil.which("go", path=f"{os.environ['PATH']}{os.pathsep}/usr/local/go/bin")
    if program is None:
        pytest.skip("go is not installed")
    return program


def go_tool(source: Path, package: str) -> str:
    """The path of a program that is a tool of the Go module in `source`."""
    program = go()
    directory = _cached("go", source / "go.mod", source / "go.sum")
    with _one_at_a_time(directory.name):
        if not (directory / "tool").exists():
            directory.mkdir(parents=True, exist_ok=True)
            for name in ("go.mod", "go.sum"):
                shutil.copy(source / name, directory)
            run(program, "build", "-o", "tool", package, cwd=directory)
    return str(directory / "tool")


def go_program(source: Path) -> str:
    """The path of the program that the Go module in `source` is.

    The Go that is installed builds it (`GOTOOLCHAIN=local`). Skips the test where Go is missing.
    """
    program = go()
    files = sorted(path for path in source.iterdir() if path.suffix in (".go", ".mod", ".sum"))
    directory = _cached(f"go-{source.name}", *files)
    with _one_at_a_time(directory.name):
        if not (directory / "program").exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            for file in files:
                shutil.copy(file, directory)
            run("env", "GOTOOLCHAIN=local", program, "build", "-o", "program", ".", cwd=directory)
    return str(directory / "program")


class Peer:
    """A foreign process that speaks JSON lines on its standard output."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._process: trio.Process | None = None
        self._buffer = b""

    async def __aenter__(self) -> "Peer":
        self._process = await trio.lowlevel.open_process(
            self._command, env=environment(), stdout=subprocess.PIPE
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._process is not None
        self._process.kill()
        with trio.CancelScope(shield=True):
            await self._process.wait()

    async def line(self, seconds: float = 30) -> Any:
        """The next JSON line."""
        return json.loads(await self.text(seconds))

    async def text(self, seconds: float = 30) -> str:
        """The next line that is not empty."""
        assert self._process is not None
        assert self._process.stdout is not None
        with trio.fail_after(seconds):
            while True:
                while b"\n" not in self._buffer:
                    chunk = await self._process.stdout.receive_some()
                    assert chunk, "the peer has ended"
                    self._buffer += chunk
                line, self._buffer = self._buffer.split(b"\n", 1)
                if line.strip():
                    return line.decode()
