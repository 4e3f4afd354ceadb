"""Linked WhatsApp devices: the memory of one that waits, and what it costs to decrypt a message."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import attrs

from ..bench import Bench
from ..columns import CPU, RATE, Column, Suite
from ..gateway import Gateway, gateway
from ..install import baileys_peer
from ..names import BAILEYS, BAILEYS_FILES, OURS
from ..process import PeerFailed, Process, directory, started
from ..relay import Relay, lines, relay
from ..traffic import text_of
from .memory import STARTS

NAME = "devices"
IDLE, MESSAGES = "linked device that waits", "a message decrypted"
DEVICES, DEVICES_OF_BAILEYS = 1000, 100
COUNT, WARM_UP, CUSTOMERS = 2048, 512, 64
FIRST = 6_570_000_000  # phone number of the first device
_QUIET_SECONDS = 4.0
_PAUSE = 0.02
_LINK_SECONDS = 60.0


@attrs.frozen
class Devices:
    """Running devices of one subject. `received` waits for these messages, which `expect` announces."""

    process: Process
    expect: Callable[[range], None]
    received: Callable[[range], float]  # -> when the last of them came, in `time.perf_counter`


@attrs.frozen
class DevicePeer:
    name: str
    most: int
    start: Callable[[Bench, Path, Relay, int], AbstractContextManager[Devices]]


def run(bench: Bench) -> None:
    for peer in bench.turns(PEERS):
        with bench.subject(NAME, peer.name):
            _memory(bench, peer)
            _messages(bench, peer)


def _memory(bench: Bench, peer: DevicePeer) -> None:
    resident = {}
    few, many = 1, bench.options.count(peer.most, 2)
    for count in (few, many):
        with directory() as where, relay(where / "relay") as found:
            with peer.start(bench, where, found, count) as devices:
                time.sleep(_QUIET_SECONDS)
                resident[count] = devices.process.resident()
    each = (resident[many] - resident[few]) / (many - few)
    bench.add(NAME, IDLE, peer.name, bytes=each / 1024, base=resident[few] / 1024**2)


def _messages(bench: Bench, peer: DevicePeer) -> None:
    count = bench.options.count(COUNT, CUSTOMERS)
    with directory() as where, relay(where / "relay") as found:
        with peer.start(bench, where, found, 1) as devices:
            warm = range(bench.options.count(WARM_UP, CUSTOMERS))
            _flood(found, devices, warm)
            before = devices.process.cpu()
            seconds = _flood(found, devices, range(warm.stop, warm.stop + count))
            cpu = devices.process.cpu() - before
            bench.add(NAME, MESSAGES, peer.name, cpu=cpu / count * 1e6, rate=count / seconds)


def _flood(found: Relay, devices: Devices, numbers: range) -> float:
    """Let the customers write these messages; the seconds until all have come.

    The relay encrypts all of them before the first one is on its way.
    """
    texts = [text_of(number) for number in numbers]
    devices.expect(numbers)
    found.order("updates", do="flood", to=str(FIRST), texts=texts, customers=CUSTOMERS)
    began = time.perf_counter()
    return devices.received(numbers) - began


@contextmanager
def _ours(bench: Bench, where: Path, found: Relay, count: int) -> Iterator[Devices]:
    setup = bench.setup(whatsapp=0, telegram=0, more=STARTS, whatsapp_more=found.config)
    with gateway(bench.rig, where, setup) as server:
        for number in range(count):
            _link(server, found, str(FIRST + number))
        server.until_running(whatsapp=count)
        yield Devices(server.process, bench.rig.expect, bench.rig.arrived)


def _link(server: Gateway, found: Relay, phone: str) -> None:
    found.order("updates", do="account", phone=phone)
    account = server.data("POST", "/v1/accounts", {"provider": "whatsapp", "auth_mode": "qrcode"})["id"]
    server.data("POST", f"/v1/accounts/{account}/auth/qr/start")
    deadline = time.monotonic() + _LINK_SECONDS
    while not (shown := server.data("GET", f"/v1/accounts/{account}/auth").get("auth_payload", {})):
        if time.monotonic() > deadline:
            raise PeerFailed("an account shows no code")
        time.sleep(_PAUSE)
    found.order("updates", do="scan", qr=shown["qr_code"], phone=phone)


def _baileys(keys_in_files: bool) -> Callable[[Bench, Path, Relay, int], AbstractContextManager[Devices]]:
    @contextmanager
    def start(bench: Bench, where: Path, found: Relay, count: int) -> Iterator[Devices]:
        for number in range(count):
            found.order("updates", do="account", phone=str(FIRST + number))
        script = baileys_peer() / "devices.mjs"
        at = (found.endpoints["device_url"], found.endpoints["device_root_key"], str(count))
        kept = (str(where / "keys"),) if keys_in_files else ()
        with started(["node", "--expose-gc", str(script), *at, *kept], where) as process:
            said = lines(process)
            linked = 0
            for line in said:
                if "qr" in line:
                    found.order("updates", do="scan", qr=line["qr"], phone=str(FIRST + linked))
                    linked += 1
                elif "open" in line:
                    break

            def received(numbers: range) -> float:
                for line in said:
                    if line.get("received", 0) >= numbers.stop:
                        break
                return time.perf_counter()

            yield Devices(process, lambda _: None, received)

    return start


PEERS = [
    DevicePeer(OURS, DEVICES, _ours),
    DevicePeer(BAILEYS, DEVICES_OF_BAILEYS, _baileys(keys_in_files=False)),
    DevicePeer(BAILEYS_FILES, DEVICES_OF_BAILEYS, _baileys(keys_in_files=True)),
]

SUITE = Suite(
    NAME,
    "Linked WhatsApp devices",
    f"Devices of the sandbox's relay, each with a connection: resident memory of {DEVICES:,} idle ones"
    f" ({DEVICES_OF_BAILEYS} of Baileys, in one process), less that with one; and {COUNT:,} text messages of"
    f" {CUSTOMERS} customers to one device. Ours are decrypted, and committed"
    " before they are acknowledged, and delivered as signed webhooks; Baileys' are decrypted and counted.",
    run,
    (
        Column("bytes", "KiB a device", "{:,.1f}", ratio=True),
        Column("base", "MiB with one"),
        CPU,
        RATE,
    ),
    driven=False,
)
