"""The goals: ratios of CPU per operation (peer to UnifyPort), and of our latencies to the disk's.

A ratio is taken within each round, and the median of the ratios counts: the speed of the machine changes from
minute to minute, and the subjects of a round are measured close together.
"""

from collections.abc import Callable
from statistics import median

import attrs

from .job import Measured

OURS = "UnifyPort"
Round = dict[tuple[str, str], dict[str, float]]  # (measurement, subject) -> figures


@attrs.frozen
class Goal:
    text: str
    ratio: Callable[[Round], float]
    least: float | None = None
    most: float | None = None

    def of(self, rounds: list[Round]) -> float:
        return median(map(self.ratio, rounds))

    def line(self, rounds: list[Round]) -> str:
        ratio, each = self.of(rounds), sorted(map(self.ratio, rounds))
        met = ratio >= self.least if self.least is not None else ratio <= (self.most or 0.0)
        bound = f">= {self.least}x" if self.least is not None else f"<= {self.most}x"
        spread = f"rounds {each[0]:.2f} to {each[-1]:.2f}"
        return f"{self.text}: {ratio:.2f}x ({spread}; goal {bound}){'' if met else '  MISSED'}"


def figures(found: Measured) -> dict[str, float]:
    """The figures of a measurement: operations per second, CPU microseconds each, percentiles in seconds."""
    values = {"rate": found.rate, "cost": found.cost}
    for name, times in found.times.items():
        values |= percentiles(name, times)
    return values


def percentiles(name: str, times: list[float]) -> dict[str, float]:
    return {f"{name} p50": _percentile(times, 0.5), f"{name} p99": _percentile(times, 0.99)}


def _percentile(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


def _cheaper(what: str, peer: str, least: float) -> Goal:
    return Goal(
        f"{what}: CPU of {peer} / of {OURS}",
        lambda found: found[what, peer]["cost"] / found[what, OURS]["cost"],
        least=least,
    )


def _as_fast(what: str, other: str, least: float) -> Goal:
    """Compares events per second, because waiting for a disk costs no CPU."""
    return Goal(
        f"{OURS}: per second, {what} / {other}",
        lambda found: found[what, OURS]["rate"] / found[other, OURS]["rate"],
        least=least,
    )


def _near_the_disk(share: str, most: float) -> Goal:
    return Goal(
        f"{OURS}: {share} from commit to 2xx / {share} of the disk's fsync",
        lambda found: found["steady", OURS][f"delivered {share}"] / found["steady", DISK][f"fsync {share}"],
        most=most,
    )


DISK = "the disk"
GOALS = [
    _cheaper("client", "undici", 1.05),
    _cheaper("client", "httpx on trio", 50.0),
    Goal(
        f"calls: CPU of httpx on trio / of {OURS}",
        lambda found: found["client", "httpx on trio"]["cost"] / found["calls", OURS]["cost"],
        least=20.0,
    ),
    _cheaper("client, TLS", "trio.SSLStream", 1.7),
    _cheaper("durable", "Node", 1.3),
    _cheaper("durable", "naive", 25.0),
    _as_fast("durable", "durable, NORMAL", 0.85),
    _near_the_disk("p99", 3.0),
]
