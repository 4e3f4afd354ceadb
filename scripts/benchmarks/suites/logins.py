"""Crowds of log-ins: a gateway starts with many accounts, and all of them lose their platform at once."""

import threading
import time

import httpx

from ..bench import Bench
from ..columns import Column, Suite
from ..gateway import Gateway, gateway
from ..names import OURS
from ..process import PeerFailed, directory
from .memory import STARTS

NAME = "logins"
FIRST, AGAIN = "all log in at the start", "all lose the platform at once"
ACCOUNTS = 500
CUT_SECONDS = 1.0
_POLICY = STARTS + 'backoff = { initial = "1s", factor = 2.0, max = "10s" }\nstable_after = "1s"\n'
_STABLE_SECONDS = 3.0
_PAUSE = 0.05
_BACK_SECONDS = 120.0


def run(bench: Bench) -> None:
    count = bench.options.count(ACCOUNTS, 5)
    with bench.subject(NAME, OURS):
        with directory() as where:
            with gateway(bench.rig, where, bench.setup(whatsapp=0, telegram=0)) as server:
                without = server.process.cpu()
        setup = bench.setup(whatsapp=0, telegram=count, receive="poll", more=_POLICY)
        began = time.monotonic()
        with directory() as where, gateway(bench.rig, where, setup) as server:
            seconds = time.monotonic() - began
            cpu = (server.process.cpu() - without) / count * 1000
            bench.add(NAME, FIRST, OURS, cpu=cpu, seconds=seconds)
            time.sleep(_STABLE_SECONDS)
            _storm(bench, server, count)


def _storm(bench: Bench, server: Gateway, count: int) -> None:
    before, began = server.process.cpu(), time.monotonic()
    with Health(server.port) as health:
        bench.rig.cut_platforms(CUT_SECONDS)
        _until(server, lambda running: running < count)
        _until(server, lambda running: running >= count)
    seconds = time.monotonic() - began
    cpu = (server.process.cpu() - before) / count * 1000
    bench.add(NAME, AGAIN, OURS, cpu=cpu, seconds=seconds, health=health.worst * 1000)


def _until(server: Gateway, reached) -> None:
    deadline = time.monotonic() + _BACK_SECONDS
    while not reached(server.running("telegram")):
        if time.monotonic() > deadline:
            raise PeerFailed("its accounts did not notice, or did not come back")
        time.sleep(_PAUSE)


class Health:
    """Asks `/healthz` all the time while it is entered. `worst`: the longest answer, in seconds."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/healthz"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.worst = 0.0

    def __enter__(self) -> "Health":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not self._over.wait(_PAUSE):
                began = time.perf_counter()
                client.get(self._url)
                self.worst = max(self.worst, time.perf_counter() - began)


SUITE = Suite(
    NAME,
    "Storms of log-ins",
    f"{ACCOUNTS} Telegram accounts with a long poll each; the limits of starts are set so high that the"
    f" machine is the limit. The platform closes all connections and is away for {CUT_SECONDS:.0f} s; the"
    " back-off begins at 1 s. Satori, FastAPI and Node have no supervision that could be compared.",
    run,
    (
        Column("cpu", "CPU ms an account", "{:.2f}"),
        Column("seconds", "seconds until all are online", "{:.1f}"),
        Column("health", "worst /healthz, ms"),
    ),
)
