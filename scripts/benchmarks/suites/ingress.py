"""Webhooks of platforms in, signed webhooks out."""

from ..bench import Bench
from ..columns import CPU, LATENCIES, MISORDERED, RATE, REFUSED, Suite
from ..services import CHANNELS, services
from ..subject import Subject

NAME = "ingress"


def run(bench: Bench) -> None:
    for channel in CHANNELS:
        services(bench, NAME, channel, bench.rig.inbound, Subject.inbound)


SUITE = Suite(
    NAME,
    "Webhook of a platform in, signed webhook out",
    "One account, 512 conversations; each caller sends its next webhook when one was answered. An event is"
    " done when the receiver has it. Every event must arrive; a peer that promises order and no repeats is"
    " held to it.",
    run,
    (CPU, RATE, *LATENCIES, REFUSED, MISORDERED),
)
