"""The Node peers: exact versions, installed once into a cache named by a hash of the lock file."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import click

HERE = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[3] / ".cache" / "peers"


def node_peers() -> Path:
    """A directory with the scripts and their `node_modules`; better-sqlite3 has a SQLite of its own."""
    if shutil.which("npm") is None:
        _install()
    locked = b"".join((HERE / name).read_bytes() for name in ("package.json", "package-lock.json"))
    directory = CACHE / f"delivery-{hashlib.sha256(locked).hexdigest()[:16]}"
    if not (directory / ".done").exists():
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(HERE, directory, ignore=shutil.ignore_patterns("node_modules"))
        _run("npm", "ci", "--no-audit", "--no-fund", cwd=directory)
        (directory / ".done").touch()
    for script in HERE.glob("*.cjs"):
        shutil.copy(script, directory)
    return directory


def _install() -> None:
    """Install Debian's packages. Raises `ClickException` if this is not possible."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise click.ClickException("Node is missing: apt-get install nodejs npm")
    _run("apt-get", "update", "-q")
    _run("apt-get", "install", "-yq", "--no-install-recommends", "nodejs", "npm")


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-1000:]
        raise click.ClickException(f"{' '.join(command[:3])} failed: {said}")
