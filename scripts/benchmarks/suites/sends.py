"""Messages to customers: asked over HTTP, sent to the platform."""

from functools import partial

from ..bench import Bench
from ..columns import CPU, LATENCIES, MISORDERED, RATE, REFUSED, Suite
from ..peers import PEERS
from ..process import directory
from ..rig import Load
from ..services import CHANNELS, measured, services, warm_up
from ..subject import Subject

NAME = "sends"
SLOW = "WhatsApp, the platform takes 200 ms, {} callers"
DELAY = 0.2
SLOW_SECONDS = 8.0
SLOW_CALLERS = (64, 256)
_MOST = 12_288


def run(bench: Bench) -> None:
    for channel in CHANNELS:
        services(bench, NAME, channel, bench.rig.outbound, Subject.outbound)
    _slow(bench)


def _slow(bench: Bench) -> None:
    for peer in bench.turns(PEERS):
        with bench.subject(NAME, peer.name), directory() as where:
            with peer.start(bench.rig, where, bench.setup()) as subject:
                request = subject.outbound("whatsapp")
                warm_up(bench, peer, subject, bench.rig.outbound, request)
                drive = partial(bench.rig.outbound, delay=DELAY)
                for callers in SLOW_CALLERS:
                    seconds = bench.options.seconds(SLOW_SECONDS)
                    load = Load(subject.port, callers, _MOST, request, seconds)
                    bench.add(NAME, SLOW.format(callers), peer.name, **measured(peer, subject, load, drive))


SUITE = Suite(
    NAME,
    "Sends",
    "`POST /v1/messages` (Satori: a small plug-in), one account, pace off. A send is done when it was"
    " answered with the platform's id.",
    run,
    (CPU, RATE, *LATENCIES, REFUSED, MISORDERED),
)
