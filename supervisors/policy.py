"""What an operator tunes: restart type, back-off, intensity, deadlines. Values only; `decide.py` reads them.

All times are seconds. The defaults keep a permanently failing child trying for roughly half an hour before
it is parked, and never more often than its back-off allows.
"""

import enum
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
    STOP = "stop"  # no more tries until an operator asks
    ESCALATE = "escalate"  # the supervisor itself fails with `Exhausted`


def _positive(instance: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name} must be greater than 0, got {value!r}")


def _not_negative(instance: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{attribute.name} must not be negative, got {value!r}")


@attrs.frozen
class Backoff:
    """Delay before a restart: `initial * factor ** (n - 1)`, at most `max`, spread by +-`jitter`."""

    initial: float = attrs.field(default=1.0, validator=_positive)
    factor: float = attrs.field(default=2.0, validator=attrs.validators.ge(1.0))
    max: float = attrs.field(default=300.0, validator=_positive)
    jitter: float = attrs.field(default=0.2, validator=[_not_negative, attrs.validators.lt(1.0)])

    def delay(self, failures: int, draw: float) -> float:
        """Seconds to wait after the `failures`-th failure in a row (1-based); `draw` is in [-1, 1]."""
        exponent = min(failures - 1, 64)  # 2.0 ** 1024 would overflow long after `max` was reached
        return float(min(self.initial * self.factor**exponent, self.max) * (1 + self.jitter * draw))


@attrs.frozen
class Probe:
    """When a silent child is asked for a sign of life, and how many failures in a row restart it."""

    interval: float = attrs.field(default=60.0, validator=_positive)  # of silence, and between two probes
    timeout: float = attrs.field(default=10.0, validator=_positive)
    failures: int = attrs.field(default=3, validator=attrs.validators.ge(1))


@attrs.frozen
class Policy:
    """How one child is supervised."""

    restart: Restart = Restart.PERMANENT
    backoff: Backoff = attrs.field(factory=Backoff)
    stable_after: float = attrs.field(default=60.0, validator=_not_negative)
    max_restarts: int = attrs.field(default=15, validator=_not_negative)
    window: float = attrs.field(default=3600.0, validator=_positive)
    on_exhausted: OnExhausted = OnExhausted.PARK
    park_interval: float = attrs.field(default=3600.0, validator=_positive)
    start_timeout: float = attrs.field(default=30.0, validator=_positive)
    stop_grace: float = attrs.field(default=0.0, validator=_not_negative)  # may end by itself before a cancel
    stop_timeout: float = attrs.field(default=10.0, validator=_positive)  # after the cancel; then it is stuck
    probe: Probe | None = attrs.field(factory=Probe)  # None: never

    @property
    def can_be_exhausted(self) -> bool:
        """Whether a child that always fails at once ever spends its budget:
        else `on_exhausted` is never reached.
        """
        spent, failures = 0.0, 0
        while spent <= self.window and failures <= self.max_restarts:
            failures += 1
            spent += self.backoff.delay(failures, -1.0)  # as quick as the jitter may be
        return failures > self.max_restarts
