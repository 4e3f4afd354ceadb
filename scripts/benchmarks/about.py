"""The machine and the versions of everything that is measured."""

import os
import platform
import re
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .bench import Options
from .install import HERE
from .process import LOAD_CORE, ROOT, SUBJECT_CORE

_PACKAGES = ("trio", "httptools", "msgspec", "hypercorn")
_LOCKED = re.compile(r'"node_modules/([^"]+)": \{\s*"version": "([^"]+)"')
_PEERS = ("@satorijs/core", "better-sqlite3", "undici")


def about(options: Options) -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    python = (HERE / "python" / "requirements.in").read_text().split()
    locked = dict(_LOCKED.findall((HERE / "node" / "package-lock.json").read_text()))
    found = {
        "UnifyPort": _commit(options.gateway or ROOT),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; Linux {platform.release()}",
        "cores": f"subject on {SUBJECT_CORE}, load on {LOAD_CORE}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        + ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
        "peers of Python": ", ".join(each.replace("==", " ") for each in python),
        "Node": f"{_said('node', '--version')}; "
        + ", ".join(f"{name} {locked.get(name, '?')}" for name in _PEERS),
        "Erlang/OTP": _erlang(),
        "run": f"{options.rounds} rounds, scale {options.scale:g}",
    }
    return {name: value for name, value in found.items() if value}


def _commit(checkout: Path) -> str:
    commit = _said("git", "-C", str(checkout), "rev-parse", "--short", "HEAD")
    changed = _said("git", "-C", str(checkout), "status", "--porcelain", "--untracked-files=no")
    return f"commit {commit}{', with changes' if changed else ''}" if commit else ""


def _processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _erlang() -> str:
    release = "io:format(~s,[erlang:system_info(otp_release)]),halt()."
    return _said("erl", "-noshell", "-eval", release.replace("~s", '"~s"'))


def _said(*command: str) -> str:
    """What a command prints; empty if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
