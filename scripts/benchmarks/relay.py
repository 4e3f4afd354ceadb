"""The sandbox's relay of linked WhatsApp devices, in a process of its own on the core of the load."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx

from .process import LOAD_CORE, ROOT, PeerFailed, Process, free_port, started

_PATIENCE = 60.0
_PAUSE = 0.02


@attrs.frozen
class Relay:
    """`config`: what points a gateway at it."""

    process: Process
    control: str
    endpoints: dict[str, str]

    def order(self, what: str, **order: Any) -> Any:
        """An order of the control port. Raises `PeerFailed`."""
        url = f"{self.control}/sandbox/whatsapp-device/{what}"
        response = httpx.post(url, json=order, trust_env=False, timeout=120)
        if response.is_error:
            raise PeerFailed(response.text)
        return response.json()

    @property
    def config(self) -> str:
        """The lines of `[providers.whatsapp]` that point a gateway at it."""
        names = ("device_url", "device_media_url", "device_root_key")
        return "".join(f'{name} = "{self.endpoints[name]}"\n' for name in names)


@contextlib.contextmanager
def relay(where: Path) -> Iterator[Relay]:
    """A relay that listens."""
    port = free_port()
    command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "unifyport", "sandbox", "--port", str(port)]
    where.mkdir(exist_ok=True)
    with started(command, where, cwd=ROOT, environment={"PYTHONPATH": str(ROOT)}, core=LOAD_CORE) as process:
        control = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _PATIENCE
        while True:
            process.check()
            with contextlib.suppress(httpx.TransportError):
                endpoints = httpx.get(f"{control}/sandbox", trust_env=False).json()["providers"]["whatsapp"]
                break
            if time.monotonic() > deadline:
                raise PeerFailed(f"the sandbox does not listen: {process.said()}")
            time.sleep(_PAUSE)
        yield Relay(process, control, endpoints)


def lines(process: Process) -> Iterator[dict[str, Any]]:
    """The JSON lines that a process says, as they come; ends when it has said nothing for a minute."""
    with process.log.open() as log:
        last = time.monotonic()
        buffer = ""
        while time.monotonic() - last < _PATIENCE:
            chunk = log.readline()
            if not chunk:
                process.check()
                time.sleep(_PAUSE)
                continue
            buffer += chunk
            if buffer.endswith("\n"):
                last = time.monotonic()
                if re.match(r"\{", buffer):
                    yield json.loads(buffer)
                buffer = ""
    raise PeerFailed(f"it says nothing: {process.said()}")
