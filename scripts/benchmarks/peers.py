"""The subjects that are whole services, and what each of them does and does not do."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import attrs
import httpx

from .gateway import KEY, READY_SECONDS, SECRET_TOKEN, gateway
from .install import HERE, node_peers, python_peers
from .names import FASTAPI, NODE, OURS, SATORI
from .process import PeerFailed, Process, free_port, started
from .rig import Rig
from .subject import Setup, Subject
from .traffic import APP_SECRET, SIGNING_SECRET, Door, bot_token, customer, phone_number_id, text_of
from .wire import post

_TELEGRAM_SECRET = "bench-telegram-secret"
_PAUSE = 0.05


@attrs.frozen
class Peer:
    """`start` gives a running subject, with its accounts online.

    `ordered`: it promises order within a conversation and no repeats, and fails where it breaks that.
    `share`: of the messages of a measurement, fewer for one that is slow.
    """

    name: str
    start: Callable[[Rig, Path, Setup], AbstractContextManager[Subject]]
    ordered: bool = False
    share: float = 1.0


def _configuration(rig: Rig, where: Path, setup: Setup, port: int) -> tuple[Path, dict[str, Any]]:
    value = {
        "port": port,
        "database": str(where / "peer.db"),
        "hook": rig.hook,
        "platforms": rig.platforms.url,
        "appSecret": APP_SECRET,
        "signingSecret": SIGNING_SECRET,
        "telegramSecret": _TELEGRAM_SECRET,
        "botToken": bot_token() if setup.telegram else "",
        "phones": [phone_number_id(number) for number in range(setup.whatsapp)],
        "apiKey": KEY,
    }
    path = where / "config.json"
    path.write_text(json.dumps(value))
    return path, value


def _until(process: Process, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        process.check()
        with contextlib.suppress(httpx.TransportError):
            if ready():
                return
        if time.monotonic() > deadline:
            raise PeerFailed(f"it is not ready: {process.said()}")
        time.sleep(_PAUSE)


def _plain_send(channel: str, number: int) -> bytes:
    body = {"account_id": f"acct_{channel}", "to": str(customer(number)), "text": text_of(number)}
    return post("/v1/messages", json.dumps(body).encode(), {"x-api-key": KEY})


_PLAIN_DOORS = {
    "whatsapp": Door("/whatsapp"),
    "telegram": Door("/telegram", {SECRET_TOKEN: _TELEGRAM_SECRET}),
}


@contextlib.contextmanager
def satori(rig: Rig, where: Path, setup: Setup) -> Iterator[Subject]:
    port, peers = free_port(), node_peers()
    rig.platforms.numbers = setup.whatsapp
    config, _ = _configuration(rig, where, setup, port)

    def send(channel: str, number: int) -> bytes:
        body = {"platform": channel, "to": str(customer(number)), "text": text_of(number)}
        return post("/v1/messages", json.dumps(body).encode(), {})

    def ready() -> bool:
        """All bots are online; it has one for each number."""
        bots = httpx.get(f"http://127.0.0.1:{port}/bots", trust_env=False).json()
        return sum(status == 1 for _, status in bots) >= setup.whatsapp + setup.telegram

    with started(["node", str(peers / "satori.mjs"), str(config)], where) as process:
        _until(process, ready)
        doors = {"whatsapp": Door("/whatsapp"), "telegram": Door(f"/telegram?token={bot_token()}")}
        yield Subject(process, port, doors, send)


@contextlib.contextmanager
def node(rig: Rig, where: Path, setup: Setup) -> Iterator[Subject]:
    port, peers = free_port(), node_peers()
    config, _ = _configuration(rig, where, setup, port)
    with started(["node", str(peers / "gateway.mjs"), str(config)], where) as process:
        _until(process, lambda: "ready" in process.said())
        yield Subject(process, port, _PLAIN_DOORS, _plain_send)


@contextlib.contextmanager
def naive(rig: Rig, where: Path, setup: Setup) -> Iterator[Subject]:
    port, python = free_port(), python_peers()
    config, _ = _configuration(rig, where, setup, port)
    url = f"http://127.0.0.1:{port}/ready"
    with started([python, str(HERE / "python" / "naive.py"), str(config)], where) as process:
        _until(process, lambda: httpx.get(url, trust_env=False).is_success)
        yield Subject(process, port, _PLAIN_DOORS, _plain_send)


PEERS = [
    Peer(OURS, gateway, ordered=True),
    Peer(SATORI, satori),
    Peer(NODE, node, ordered=True),
    Peer(FASTAPI, naive, share=0.25),
]
