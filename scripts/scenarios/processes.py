"""The processes of a scenario: a gateway and a sandbox, each on a core of its own if there are two."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from unifyport.model.toml_strings import toml_string
from unifyport.storage.sealing import KeyRing

KEY = "scenario_key_" + "k" * 32
ROOT = Path(__file__).parents[2]
_CORES = sorted(os.sched_getaffinity(0))  # cores that this process may use
GATEWAY_CORE, OTHER_CORE = _CORES[0], _CORES[-1]
_PAUSE = 0.05  # seconds between two polls
_TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(count: int) -> int:
    """The first of `count` consecutive free ports, below the ephemeral range, so that no outgoing connection
    takes one.
    """
    for first in random.sample(range(20_000, 30_000, count), 100):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise RuntimeError("no free ports")


def pinned(core: int, command: list[str]) -> list[str]:
    return ["taskset", "-c", str(core), *command] if len(_CORES) > 1 else command


def pin(core: int) -> None:
    """Pin this process to a core."""
    if len(_CORES) > 1:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A temporary directory, deleted at the end; made in SCENARIO_DIR if it is set."""
    path = Path(tempfile.mkdtemp(prefix="unifyport-", dir=os.environ.get("SCENARIO_DIR")))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@attrs.define
class Running:
    """A started process and its log."""

    process: trio.Process
    log: Path

    def cpu(self) -> float:
        """Seconds of CPU used so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> int:
        """Bytes of resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def descriptors(self) -> int:
        """How many it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        self.process.terminate()
        with trio.fail_after(60):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def started(core: int, command: list[str], log: Path) -> AsyncIterator[Running]:
    """A Python process, killed at the end."""
    with log.open("ab") as output:
        process = await trio.lowlevel.open_process(
            pinned(core, [sys.executable, *command]), stdout=output, stderr=subprocess.STDOUT, cwd=ROOT
        )
    running = Running(process, log)
    try:
        yield running
    finally:
        with trio.CancelScope(shield=True):
            await running.kill()


@contextlib.asynccontextmanager
async def sandbox(where: Path, port: int) -> AsyncIterator[Running]:
    """The sandbox with its control port at `port`; the platforms' ports follow."""
    command = ["-m", "unifyport", "sandbox", "--port", str(port), "--print-config"]
    async with started(OTHER_CORE, command, where / "sandbox.log") as running:
        async with httpx.AsyncClient(trust_env=False) as client:
            with trio.fail_after(30):
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(f"http://127.0.0.1:{port}/sandbox")).is_success:
                            break
                    if running.process.poll() is not None:
                        raise RuntimeError(running.log.read_text()[-2000:])
                    await trio.sleep(_PAUSE)
        yield running


def sandbox_config(port: int) -> str:
    """The TOML that points a gateway at a running sandbox."""
    endpoints = httpx.get(f"http://127.0.0.1:{port}/sandbox", trust_env=False).json()["providers"]
    return "".join(
        f"[providers.{channel}]\n"
        + "".join(f"{name} = {toml_string(value)}\n" for name, value in values.items())
        for channel, values in endpoints.items()
    )


def write_config(where: Path, port: int, more: str, *, public: bool = False) -> Path:
    """Write a master key and a configuration file; returns its path. `public`: with a `public_url`."""
    (where / "master.key").write_text(KeyRing.new_key())
    (where / "master.key").chmod(0o600)
    path = where / "unifyport.toml"
    path.write_text(
        f"""
[server]
bind = "127.0.0.1:{port}"
{f'public_url = "http://127.0.0.1:{port}"' if public else ""}
[logging]
level = "warning"
requests = false
[security]
master_key = {{ file = "master.key" }}
webhook_allow = ["127.0.0.0/8"]
[[api_keys]]
name = "scenario"
key = "{KEY}"
{more}
"""
    )
    return path


class Api:
    """A client of the gateway's API."""

    def __init__(self, port: int, gateway: Running) -> None:
        self._gateway = gateway
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"x-api-key": KEY}, trust_env=False, timeout=60
        )

    async def data(self, method: str, path: str, body: Any = None) -> Any:
        response = await self.http.request(method, path, json=body)
        response.raise_for_status()
        return response.json()["data"]

    async def running(self, channel: str) -> int:
        """How many accounts of a channel are online, by `/metrics`: cheap with any number of accounts."""
        text = (await self.http.get("/metrics")).text
        for line in text.splitlines():
            if line.startswith(f'unifyport_accounts{{channel="{channel}",runtime_status="running"}}'):
                return int(float(line.rpartition(" ")[2]))
        return 0

    async def until_running(self, channel: str, count: int, seconds: float, pause: float = 0.5) -> float:
        """Wait until `count` accounts are online. Returns the seconds that it took."""
        began = time.monotonic()
        with trio.fail_after(seconds):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if await self.running(channel) >= count:
                        return time.monotonic() - began
                if self._gateway.process.poll() is not None:
                    raise RuntimeError(self._gateway.log.read_text()[-2000:])
                await trio.sleep(pause)
