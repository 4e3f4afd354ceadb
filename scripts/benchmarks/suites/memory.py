"""Memory of an account: that waits for webhooks, and that is linked and holds a connection."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..bench import Bench
from ..columns import Column, Suite
from ..gateway import Gateway, gateway
from ..names import OURS
from ..peers import PEERS
from ..process import directory

NAME = "memory"
IDLE, LINKED = "idle WhatsApp account", "linked account of the reference connector"
ACCOUNTS, DEVICES = 1000, 300
STARTS = """
[supervision.policies.default]
max_concurrent_starts = 100
start_rate = "1000/s"
"""  # so high that the machine is the limit
_QUIET_SECONDS = 2.0  # until a start is over
_REFERENCE = "line"  # whose place the reference channel takes
_MODULE = "tests.chaos.reference_server"  # a gateway that knows the reference channel


def run(bench: Bench) -> None:
    count = bench.options.count(ACCOUNTS, 10)
    for peer in bench.turns(PEERS):
        with bench.subject(NAME, peer.name):
            resident = {}
            for accounts in (0, count):
                setup = bench.setup(whatsapp=accounts, telegram=0, more=STARTS if peer.name == OURS else "")
                with directory() as where, peer.start(bench.rig, where, setup) as subject:
                    time.sleep(_QUIET_SECONDS)
                    resident[accounts] = subject.process.resident()
            _add(bench, IDLE, peer.name, resident)
    with bench.subject(NAME, OURS):
        _linked(bench)


def _linked(bench: Bench) -> None:
    count, resident = bench.options.count(DEVICES, 5), {}
    with linked(bench) as server:
        time.sleep(_QUIET_SECONDS)
        resident[0] = server.process.resident()
        for _ in range(count):
            body = {"provider": _REFERENCE, "region": "global", "auth_mode": "qrcode"}
            account = server.data("POST", "/v1/accounts", body)["id"]
            server.data("POST", f"/v1/accounts/{account}/auth/start")
        server.until_running(**{_REFERENCE: count})
        time.sleep(_QUIET_SECONDS)
        resident[count] = server.process.resident()
    _add(bench, LINKED, OURS, resident)


@contextmanager
def linked(bench: Bench) -> Iterator[Gateway]:
    """A gateway with the reference channel, on the rig's platform."""
    url = bench.rig.platforms.url
    places = "".join(f'[providers.{name}]\napi_url = "{url}"\n' for name in (_REFERENCE, "zalo"))
    setup = bench.setup(whatsapp=0, telegram=0, more=STARTS + places)
    with directory() as where, gateway(bench.rig, where, setup, _MODULE) as server:
        yield server


def _add(bench: Bench, case: str, subject: str, resident: dict[int, int]) -> None:
    count = max(resident)
    each = (resident[count] - resident[0]) / count
    bench.add(NAME, case, subject, bytes=each / 1024, base=resident[0] / 1024**2)


SUITE = Suite(
    NAME,
    "Memory of an account",
    f"Resident memory with {ACCOUNTS:,} idle WhatsApp accounts, or {DEVICES} linked devices that each hold a"
    " stream of the platform open, less that without accounts. Satori keeps a bot and FastAPI a client for"
    " each; Node keeps no more than its number.",
    run,
    (Column("bytes", "KiB an account", "{:,.1f}", ratio=True), Column("base", "MiB without accounts")),
)
