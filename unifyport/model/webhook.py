"""A webhook endpoint: where events go, which, how often they are retried, and how they are signed."""

from typing import Any

import attrs

from .account import Origin
from .duration import parse_duration
from .event import mask_of

ENDPOINT_ACTIVE = "active"
ENDPOINT_INACTIVE = "inactive"
ENDPOINT_DISABLED = "disabled"

LONGEST_DELAY = 30 * 86_400.0
DEFAULT_SCHEDULE = (5.0, 30.0, 120.0, 600.0, 3600.0)  # seconds; the last one repeats


def _non_negative_integer(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{path} must be a non-negative integer, got {value!r}")
    return value


@attrs.frozen
class RetryPolicy:
    """`max_attempts` counts retries after the first try; 0 means exactly one recorded try."""

    max_attempts: int = 3
    schedule: tuple[float, ...] = DEFAULT_SCHEDULE

    @classmethod
    def parse(cls, value: dict[str, Any]) -> "RetryPolicy":
        """From the API's or the file's object; unknown keys are ignored. Raises `ValueError` naming the field."""
        default = cls()
        attempts = default.max_attempts
        if "max_attempts" in value:
            attempts = _non_negative_integer(value["max_attempts"], "retry_policy.max_attempts")
        schedule = default.schedule
        if "schedule" in value:
            delays = value["schedule"]
            if not isinstance(delays, list) or not delays:
                raise ValueError("retry_policy.schedule must be a list of at least one duration")
            try:
                schedule = tuple(parse_duration(delay) for delay in delays)
            except ValueError as error:
                raise ValueError(f"retry_policy.schedule: {error}") from None
            if min(schedule) <= 0 or max(schedule) > LONGEST_DELAY:
                raise ValueError("retry_policy.schedule: a delay must be longer than 0s and at most 30d")
        return cls(attempts, schedule)

    def delay(self, attempts: int, draw: float) -> float:
        """Seconds until the next try after `attempts` recorded outcomes; `draw` in [-1, 1] spreads by 20 %."""
        return self.schedule[min(attempts, len(self.schedule)) - 1] * (1 + 0.2 * draw)


@attrs.define
class WebhookEndpoint:
    """A row of the endpoint table. `secret` is plain here and sealed in the store."""

    id: str
    url: str
    no: int = 0
    name: str | None = None
    status: str = ENDPOINT_ACTIVE
    reason: str | None = None  # why it is disabled
    subscribed_events: list[str] = attrs.field(factory=list)
    secret: str = ""
    retry_policy: dict[str, Any] = attrs.field(factory=dict)  # as the caller wrote it
    failing_since: int | None = None
    expired: int = 0
    origin: Origin = Origin.API
    digest: str | None = None
    version: int = 1

    @property
    def mask(self) -> int:
        return mask_of(self.subscribed_events)

    @property
    def retries(self) -> RetryPolicy:
        return RetryPolicy.parse(self.retry_policy)
