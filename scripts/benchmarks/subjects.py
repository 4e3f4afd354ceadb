"""The subjects of the benchmark: each is a process of its own, pinned to one core."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import trio

from tests.harness import free_port
from tests.interop import peers
from unifyport.storage.sealing import KeyRing

from .wire import Connection, post

HERE = Path(__file__).parent
APP_SECRET, SIGNING_SECRET = "bench-app-secret", "bench-signing-secret"
KEY = "bench_key_" + "k" * 32
_TICKS = os.sysconf("SC_CLK_TCK")
SUBJECT_CORE = 0


@attrs.define
class Subject:
    """A running subject. `ingress`: the path for webhooks; `numbers`: its accounts' phone number ids."""

    name: str
    pid: int
    port: int
    ingress: str
    numbers: list[str]

    def send_request(self, number: str, text: str) -> bytes:
        raise NotImplementedError

    def cpu(self) -> float:
        """Seconds of CPU that the process has used, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> int:
        """Bytes of resident memory, shared pages included."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")


@attrs.define
class Gateway(Subject):
    accounts: dict[str, str] = attrs.field(factory=dict)  # number -> account id

    def send_request(self, number: str, text: str) -> bytes:
        body = {
            "account_id": self.accounts[number],
            "to": {"id": "6590000001", "type": "user"},
            "message": {"type": "text", "text": text},
        }
        return post("/v1/messages", json.dumps(body).encode(), {"x-api-key": KEY})


@attrs.define
class Naive(Subject):
    def send_request(self, number: str, text: str) -> bytes:
        return post(f"/send/{number}", json.dumps({"to": "6590000001", "text": text}).encode(), {})


def numbers(count: int) -> list[str]:
    return [str(10**14 + n) for n in range(count)]


@contextlib.asynccontextmanager
async def gateway(graph: str, hook: str, count: int) -> AsyncIterator[Subject]:
    """UnifyPort with `count` WhatsApp accounts, all online."""
    names, port = numbers(count), free_port()
    with _directory() as directory:
        (directory / "master.key").write_text(KeyRing.new_key())
        (directory / "unifyport.toml").write_text(
            f"""
[server]
bind = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
[security]
master_key = {{ file = "master.key" }}
webhook_allow = ["127.0.0.0/8"]
[[api_keys]]
name = "bench"
key = "{KEY}"
[[webhook_endpoints]]
name = "sink"
url = "{hook}"
subscribed_events = ["message.received"]
signing_secret = "{SIGNING_SECRET}"
[providers.whatsapp]
graph_api_url = "{graph}"
media_url = "{graph}"
[providers.whatsapp.pace]  # off: what is measured is the gateway, not the platform's limits
account = "off"
user = "off"
"""
            + "".join(
                f'[[accounts]]\nname = "{name}"\nprovider = "whatsapp"\n[accounts.credentials]\n'
                f'access_token = "token-{name}"\nphone_number_id = "{name}"\n'
                f'app_secret = "{APP_SECRET}"\nverify_token = "verify"\n'
                for name in names
            )
        )
        command = [sys.executable, "-m", "unifyport", "serve", "-c", str(directory / "unifyport.toml")]
        async with _process(command, directory) as pid:
            get = _get("/v1/accounts", {"x-api-key": KEY})
            found: list[dict[str, str]] = []
            while len(found) < count or any(a["runtime_status"] != "running" for a in found):
                await trio.sleep(0.05)
                with contextlib.suppress(OSError, ConnectionError):
                    found = json.loads(await _once(port, get))["data"]
                    if count == 0:
                        break
            ids = {account["name"]: account["id"] for account in found}
            first = ids[names[0]] if names else ""
            yield Gateway("UnifyPort", pid, port, f"/ingress/whatsapp/{first}", names, accounts=ids)


@contextlib.asynccontextmanager
async def naive(graph: str, hook: str, count: int) -> AsyncIterator[Subject]:
    """The peer with `count` accounts."""
    names, port = numbers(count), free_port()
    with _directory() as directory:
        command = [
            str(peers.python()),
            str(HERE / "naive.py"),
            str(port),
            str(directory / "naive.db"),
            graph,
            hook,
        ]
        async with _process(command, directory) as pid:
            while True:
                await trio.sleep(0.05)
                with contextlib.suppress(OSError, ConnectionError):
                    await _once(port, _get("/ready", {}))
                    break
            for name in names:
                await _once(port, post(f"/accounts/{name}", b"", {}))
            yield Naive("naive", pid, port, "/hook", names)


def _get(path: str, headers: dict[str, str]) -> bytes:
    return post(path, b"", headers).replace(b"POST", b"GET", 1)


async def _once(port: int, request: bytes) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        status, body = await Connection(stream).call(request)
        if status >= 300:
            raise ConnectionError(f"HTTP {status}: {body!r}")
        return body


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="unifyport-bench-", dir=os.environ.get("BENCH_DIR")))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.asynccontextmanager
async def _process(command: list[str], directory: Path) -> AsyncIterator[int]:
    pinned = ["taskset", "-c", str(SUBJECT_CORE)] if (os.cpu_count() or 1) > 1 else []
    with (directory / "log").open("wb") as log:
        process = await trio.lowlevel.open_process([*pinned, *command], stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process.pid
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
