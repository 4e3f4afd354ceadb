"""Measures a service under a load: warm it up, then CPU per message, latencies and what went wrong."""

from collections.abc import Callable

from .bench import Bench
from .peers import PEERS, Peer
from .process import PeerFailed, directory
from .rig import Load, Run
from .subject import Subject

CHANNELS = {"whatsapp": "WhatsApp", "telegram": "Telegram"}
COUNTS = {1: 600}  # messages of a measurement, by callers
COUNT = 3072
WARM = 4  # a fourth as many before, which are not counted


def measured(peer: Peer, subject: Subject, load: Load, drive: Callable[[Load], Run]) -> dict[str, float]:
    """The figures of one load. Raises `PeerFailed` if a promise was broken."""
    before = subject.process.cpu()
    run = drive(load)
    cpu = subject.process.cpu() - before
    if peer.ordered and (run.repeated or run.misordered):
        raise PeerFailed(f"{run.repeated} messages came twice, {run.misordered} out of order")
    return {
        "cpu": cpu / run.count * 1e6,
        "rate": run.rate,
        "refused": run.refused,
        "repeated": run.repeated,
        "misordered": run.misordered,
        **run.latencies,
    }


def case_of(channel: str, callers: int) -> str:
    return f"{CHANNELS[channel]}, {callers} caller{'s' if callers > 1 else ''}"


def services(
    bench: Bench,
    suite: str,
    channel: str,
    drive: Callable[[Load], Run],
    requests: Callable[[Subject, str], Callable[[int], bytes]],
) -> None:
    """Measure all services with each number of callers, one service after the other."""
    for peer in PEERS:
        if not bench.wants(peer.name):
            continue
        with bench.subject(suite, peer.name), directory() as where:
            with peer.start(bench.rig, where, bench.setup()) as subject:
                for callers in bench.options.callers:
                    count = bench.options.count(COUNTS.get(callers, COUNT), callers)
                    make = requests(subject, channel)
                    drive(Load(subject.port, callers, max(callers, count // WARM), make))
                    load = Load(subject.port, callers, count, make)
                    figures = measured(peer, subject, load, drive)
                    bench.add(suite, case_of(channel, callers), peer.name, **figures)
