"""Measures a service under a load: warm it up, then CPU per message, latencies and what went wrong."""

from collections.abc import Callable

from .bench import Bench
from .peers import PEERS, Peer
from .process import PeerFailed, directory
from .rig import Load, Run
from .subject import Subject

CHANNELS = {"whatsapp": "WhatsApp", "telegram": "Telegram"}
COUNT, COUNT_ALONE = 3072, 1024  # messages of a measurement, and with one caller
COUNT_EACH = 12  # at least so many of each caller: connections are opened within a measurement
WARM_UP, WARM_CALLERS = 3072, 16  # messages of a new process that are not counted: V8 compiles late
WARM = 8  # an eighth of a measurement before it, which is not counted


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
    return f"{CHANNELS[channel]}, {plural(callers)}"


def plural(callers: int) -> str:
    return f"{callers} caller{'s' if callers > 1 else ''}"


def services(
    bench: Bench,
    suite: str,
    channel: str,
    drive: Callable[[Load], Run],
    requests: Callable[[Subject, str], Callable[[int], bytes]],
) -> None:
    """Measure all services with each number of callers, one service after the other."""
    for peer in bench.turns(PEERS):
        with bench.subject(suite, peer.name), directory() as where:
            with peer.start(bench.rig, where, bench.setup()) as subject:
                make = requests(subject, channel)
                warm_up(bench, peer, subject, drive, make)
                for callers in bench.options.callers:
                    full = COUNT_ALONE if callers == 1 else max(COUNT, COUNT_EACH * callers)
                    count = bench.options.count(full * peer.share, callers)
                    drive(Load(subject.port, callers, max(callers, count // WARM), make))
                    load = Load(subject.port, callers, count, make)
                    figures = measured(peer, subject, load, drive)
                    bench.add(suite, case_of(channel, callers), peer.name, **figures)


def warm_up(
    bench: Bench,
    peer: Peer,
    subject: Subject,
    drive: Callable[[Load], Run],
    request: Callable[[int], bytes],
) -> None:
    count = bench.options.count(WARM_UP * peer.share, WARM_CALLERS)
    drive(Load(subject.port, WARM_CALLERS, count, request))
