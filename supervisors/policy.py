"""The operator's settings: restart type, back-off, intensity, deadlines. Values only; `decide.py` reads them.

All times are seconds. With the defaults, a child that always fails is retried for roughly half an hour before
it is parked, and never more often than its back-off allows.

`problems` of each class lists every mistake in given values without an instance, so that a program that reads
a file can show all of them. Constructing an instance with mistakes raises `ValueError` with all of them.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs


class Restart(enum.Enum):
    """OTP's restart types: when an ended child is run again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # only after a failure
    TEMPORARY = "temporary"  # never


class OnExhausted(enum.Enum):
    """What happens when the restart budget of the window is spent."""

    PARK = "park"  # one try every `park_interval`
    STOP = "stop"  # no more tries until the operator asks
    ESCALATE = "escalate"  # the supervisor itself fails with `Exhausted`


@attrs.frozen
class PolicyProblem:
    """One mistake in a policy.

    `fields`: the fields involved, the wrong one first; the text continues the name of that field.
    """

    fields: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.fields[0]} {self.text}"


def _check_all(bounds: Mapping[str, "_Bound"], values: Mapping[str, Any]) -> list[PolicyProblem]:
    """One problem for each value outside its bound; NaN is outside of every bound."""
    return [
        PolicyProblem((name,), f"{bounds[name].text}, got {value!r}")
        for name, value in values.items()
        if name in bounds and not bounds[name].holds(value)
    ]


def _refuse(problems: Iterable[PolicyProblem]) -> None:
    if texts := [str(problem) for problem in problems]:
        raise ValueError("; ".join(texts))


@attrs.frozen
class _Bound:
    holds: Callable[[float], bool]
    text: str


_POSITIVE = _Bound(lambda value: value > 0, "must be greater than 0")
_NOT_NEGATIVE = _Bound(lambda value: value >= 0, "must not be negative")
_AT_LEAST_1 = _Bound(lambda value: value >= 1, "must be at least 1")
_SHARE = _Bound(lambda value: 0 <= value < 1, "must be at least 0 and less than 1")


@attrs.frozen
class Backoff:
    """Delay before a restart: `initial * factor ** (n - 1)`, at most `max`, spread by +-`jitter`.

    Raises `ValueError` with every one of `problems`.
    """

    initial: float = 1.0
    factor: float = 2.0
    max: float = 300.0
    jitter: float = 0.2

    def __attrs_post_init__(self) -> None:
        _refuse(self.problems(self.initial, self.factor, self.max, self.jitter))

    @staticmethod
    def problems(initial: float, factor: float, max: float, jitter: float) -> list[PolicyProblem]:
        """Every mistake in these values."""
        values = {"initial": initial, "factor": factor, "max": max, "jitter": jitter}
        found = _check_all(_BACKOFF, values)
        if initial > max > 0:
            found.append(
                PolicyProblem(
                    ("initial", "max"), f"must not be greater than max, got {initial!r} and {max!r}"
                )
            )
        return found

    def delay(self, failures: int, draw: float) -> float:
        """Seconds to wait after the `failures`-th failure in a row (1-based); `draw` is in [-1, 1]."""
        exponent = failures - 1 if failures < 65 else 64  # far beyond any maximum
        try:
            grown: float = self.initial * self.factor**exponent
        except OverflowError:
            grown = self.max
        return (grown if grown < self.max else self.max) * (1 + self.jitter * draw)


@attrs.frozen
class Probe:
    """When a silent child is probed, and how many failures in a row restart it.

    Raises `ValueError` with every one of `problems`.
    """

    interval: float = 60.0  # seconds of silence before a probe, and between two probes
    timeout: float = 10.0
    failures: int = 3

    def __attrs_post_init__(self) -> None:
        _refuse(self.problems(self.interval, self.timeout, self.failures))

    @staticmethod
    def problems(interval: float, timeout: float, failures: int) -> list[PolicyProblem]:
        """Every mistake in these values."""
        found = _check_all(_PROBE, {"interval": interval, "timeout": timeout, "failures": failures})
        if timeout >= interval > 0:
            found.append(
                PolicyProblem(
                    ("timeout", "interval"), f"must be less than interval, got {timeout!r} and {interval!r}"
                )
            )
        return found


@attrs.frozen
class Policy:
    """How one child is supervised. Raises `ValueError` with every one of `problems`."""

    restart: Restart = Restart.PERMANENT
    backoff: Backoff = attrs.field(factory=Backoff)
    stable_after: float = 60.0
    max_restarts: int = 15
    window: float = 3600.0
    on_exhausted: OnExhausted = OnExhausted.PARK
    park_interval: float = 3600.0
    start_timeout: float = 30.0
    stop_grace: float = 0.0  # time to end by itself before it is cancelled
    stop_timeout: float = 10.0  # time to end after the cancel; then it is stuck
    probe: Probe | None = attrs.field(factory=Probe)  # None: no probes

    def __attrs_post_init__(self) -> None:
        _refuse(self.problems(attrs.asdict(self, recurse=False)))

    @staticmethod
    def problems(values: Mapping[str, Any]) -> list[PolicyProblem]:
        """Every mistake in the given fields, by name; fields that are left out are not checked."""
        return _check_all(_POLICY, values)

    @property
    def can_be_exhausted(self) -> bool:
        """Whether a child that always fails at once spends its budget; else `on_exhausted` has no effect."""
        spent, last = 0.0, -1.0
        for failures in range(1, self.max_restarts + 1):
            delay = self.backoff.delay(failures, -1.0)  # the shortest delay that jitter allows
            if delay == last:  # it has stopped growing
                return spent + (self.max_restarts + 1 - failures) * delay <= self.window
            spent, last = spent + delay, delay
            if spent > self.window:
                return False
        return True


_BACKOFF = {"initial": _POSITIVE, "factor": _AT_LEAST_1, "max": _POSITIVE, "jitter": _SHARE}
_PROBE = {"interval": _POSITIVE, "timeout": _POSITIVE, "failures": _AT_LEAST_1}
_POLICY = {
    "stable_after": _NOT_NEGATIVE,
    "max_restarts": _NOT_NEGATIVE,
    "window": _POSITIVE,
    "park_interval": _POSITIVE,
    "start_timeout": _POSITIVE,
    "stop_grace": _NOT_NEGATIVE,
    "stop_timeout": _POSITIVE,
}
