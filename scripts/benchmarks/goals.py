"""The goals: what must hold, what would be better still, and what was measured."""

from collections.abc import Callable
from enum import Enum
from statistics import median

import attrs

from .names import BAILEYS, ERLANG, NODE, OURS, SATORI, UNDICI
from .results import Results
from .services import case_of, plural
from .suites import delivery, devices, ingress, sends, supervision


class Verdict(Enum):
    STRETCH = "stretch goal met"
    MET = "met"
    MISSED = "**missed**"
    UNKNOWN = "not measured"


@attrs.frozen
class Goal:
    """`values` gives one figure for each round. `unit`: x for a ratio. `at_most`: less is better."""

    text: str
    values: Callable[[Results], list[float]]
    goal: float
    stretch: float
    unit: str = "x"
    at_most: bool = False

    def judge(self, results: Results) -> tuple[Verdict, list[float]]:
        """The verdict on the median of the rounds, and the figure of each round, sorted."""
        values = sorted(self.values(results))
        if not values:
            return Verdict.UNKNOWN, values
        if self._holds(median(values), self.stretch):
            return Verdict.STRETCH, values
        return (Verdict.MET if self._holds(median(values), self.goal) else Verdict.MISSED), values

    def _holds(self, value: float, limit: float) -> bool:
        return value <= limit if self.at_most else value >= limit

    def bound(self, limit: float) -> str:
        return f"{'<=' if self.at_most else '>='} {self.show(limit)}"

    def show(self, value: float) -> str:
        return f"{value:.2f}x" if self.unit == "x" else f"{value:,.0f} {self.unit}"


def _cheaper(suite: str, case: str, peer: str) -> Callable[[Results], list[float]]:
    """The peer's CPU per operation to ours."""
    return lambda results: results.ratios(suite, case, peer, "cpu")


def _inverse(suite: str, case: str, peer: str, figure: str) -> Callable[[Results], list[float]]:
    """Our figure to the peer's."""
    return lambda results: results.ratios(suite, case, OURS, figure, base=peer)


def _ours(suite: str, case: str, figure: str) -> Callable[[Results], list[float]]:
    return lambda results: [each.figures[figure] for each in results.of(suite, case, OURS)]


def _roads() -> list[Goal]:
    found = []
    for channel, title in (("whatsapp", "WhatsApp"), ("telegram", "Telegram")):
        for callers, goal, stretch in ((1, 1.2, 1.5), (16, 2.5, 3.5), (64, 2.5, 3.5)):
            case = case_of(channel, callers)
            text = f"{title} in -> durable -> signed webhook, {plural(callers)}: CPU of Satori / ours"
            found.append(Goal(text, _cheaper(ingress.NAME, case, SATORI), goal, stretch))
        case = case_of(channel, 64)
        text = f"{title}: p99 of the webhook at 64 callers / Satori's"
        values = _inverse(ingress.NAME, case, SATORI, "arrival p99")
        found.append(Goal(text, values, 1.0, 0.5, at_most=True))
        for callers in (16, 64):
            values = _cheaper(sends.NAME, case_of(channel, callers), SATORI)
            text = f"{title} sends, {callers} callers: CPU of Satori / ours"
            found.append(Goal(text, values, 2.5, 3.5))
    return found


GOALS = [
    *_roads(),
    Goal(
        "sends of one account, the platform takes 200 ms, pace off",
        _ours(sends.NAME, sends.SLOW.format(64), "rate"),
        *(70, 300, "sends/s"),
    ),
    Goal(
        "durable events of one process on one core, WhatsApp, 64 callers",
        _ours(ingress.NAME, case_of("whatsapp", 64), "rate"),
        *(5_500, 8_500, "events/s"),
    ),
    Goal(
        "restarts per CPU second / Erlang/OTP's",
        _inverse(supervision.NAME, supervision.RESTARTS, ERLANG, "restarts"),
        *(0.9, 1.2),
    ),
    Goal(
        "bytes of an idle child / Erlang/OTP's",
        _inverse(supervision.NAME, supervision.MEMORY, ERLANG, "bytes"),
        *(1.4, 1.2),
        at_most=True,
    ),
    Goal(
        "delivery client: CPU of undici / ours",
        _cheaper(delivery.NAME, delivery.CLIENT, UNDICI),
        *(1.05, 1.2),
    ),
    Goal(
        "durable pipeline: CPU of Node's, equal semantics / ours",
        _cheaper(delivery.NAME, delivery.PIPELINE, NODE),
        *(1.0, 1.3),
    ),
    Goal(
        "memory of a linked idle WhatsApp device",
        _ours(devices.NAME, devices.IDLE, "bytes"),
        *(150, 100, "KiB"),
        at_most=True,
    ),
    Goal(
        "memory of a linked idle WhatsApp device: Baileys' / ours",
        lambda results: results.ratios(devices.NAME, devices.IDLE, BAILEYS, "bytes"),
        *(10.0, 20.0),
    ),
    Goal(
        "a decrypted WhatsApp message: CPU of Baileys / ours",
        _cheaper(devices.NAME, devices.MESSAGES, BAILEYS),
        *(1.0, 1.5),
    ),
]
