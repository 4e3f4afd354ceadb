"""What the peers need: toolchains and packages, in a cache that no commit has.

Node's packages are locked by `node/package-lock.json`, Python's pinned in `python/requirements.in`. A
directory of the cache is named by the hash of what it holds.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs

from .process import ROOT

HERE = Path(__file__).parent
CACHE = ROOT / ".cache" / "bench"
_INSTALL_SECONDS = 900


class Missing(Exception):
    """A peer cannot run on this machine. The text says why."""


@attrs.frozen
class Program:
    """A program, and Debian's package that has it."""

    name: str
    package: str


NODE, NPM = Program("node", "nodejs"), Program("npm", "npm")
ERLANG, NGINX = Program("erl", "erlang-base"), Program("nginx", "nginx-light")


def program(wanted: Program) -> str:
    """The path of a program; Debian's package is installed if it is missing and this is possible."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    if (found := shutil.which(wanted.name, path=path)) is not None:
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Missing(f"{wanted.name} is missing: apt-get install {wanted.package}")
    _run("apt-get", "update", "-q")
    _run("apt-get", "install", "-yq", "--no-install-recommends", wanted.package)
    if (found := shutil.which(wanted.name, path=path)) is None:
        raise Missing(f"{wanted.package} has no {wanted.name}")
    return found


def node_peers() -> Path:
    """A directory with our scripts and their `node_modules`; better-sqlite3 has a SQLite of its own."""
    program(NODE)
    program(NPM)
    source = HERE / "node"
    directory, fresh = _cached("node", source / "package.json", source / "package-lock.json")
    if fresh:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(source / name, directory)
        _run("npm", "ci", "--no-audit", "--no-fund", cwd=directory)
        _done(directory)
    for script in source.glob("*.mjs"):
        shutil.copy(script, directory)
    return directory


def baileys_peer() -> Path:
    """A directory with Baileys and the script that links devices with it."""
    program(NODE)
    program(NPM)
    source = HERE / "baileys"
    directory, fresh = _cached("baileys", source / "package.json", source / "package-lock.json")
    if fresh:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(source / name, directory)
        _run("npm", "ci", "--no-audit", "--no-fund", cwd=directory)
        _done(directory)
    shutil.copy(source / "devices.mjs", directory)
    return directory


def python_peers() -> str:
    """The Python of an environment of its own, with the packages of Python's peers."""
    requirements = HERE / "python" / "requirements.in"
    directory, fresh = _cached("python", requirements)
    python = str(directory / "bin" / "python")
    if fresh:
        _run(sys.executable, "-m", "venv", str(directory))
        _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(requirements))
        _done(directory)
    return python


def _cached(name: str, *inputs: Path) -> tuple[Path, bool]:
    """A directory of the cache, and whether it is new and empty."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    directory = CACHE / f"{name}-{digest}"
    if (directory / ".done").exists():
        return directory, False
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory, True


def _done(directory: Path) -> None:
    (directory / ".done").touch()


def _run(*command: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{' '.join(command[:3])} did not end") from None
    if done.returncode != 0:
        raise Missing(f"{' '.join(command[:3])} failed: {(done.stdout + done.stderr)[-500:].strip()}")
