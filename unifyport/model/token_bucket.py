"""Token buckets: how often something may be done, in the long run and at once.

A bucket holds at most `burst` tokens and gains `rate` tokens a second; each time one is taken. Sends, webhook
deliveries and API keys are held to their rates by the same buckets. Pure: times are seconds of one monotonic
clock, passed in.
"""

import math
from collections.abc import Mapping

import attrs

from .rates import parse_rate

MIN_RATE, MAX_RATE, MAX_BURST = 1 / 3600, 10_000, 100_000
OFF = "off"


@attrs.frozen
class Limit:
    """`rate` a second in the long run, at most `burst` at once."""

    rate: float
    burst: int

    @classmethod
    def per_second(cls, rate: float) -> "Limit | None":
        """`rate` a second, and at once what it allows in one second, at least one; None for 0, no limit."""
        return cls(rate, max(1, int(rate))) if rate else None

    @classmethod
    def parse(cls, value: object) -> "Limit | None":
        """Of `"30/s"` or `{ rate = "20/m", burst = 5 }`; None for `"off"`.

        Without `burst`: as many as the rate allows in one second, at least one. Raises `ValueError`.
        """
        if value == OFF:
            return None
        text, burst = value, None
        if isinstance(value, Mapping):
            if unknown := sorted(set(value) - {"rate", "burst"}):
                raise ValueError(f"has no key {unknown[0]!r}: a limit has rate and burst")
            text, burst = value.get("rate"), value.get("burst")
        try:
            rate = parse_rate(text)
        except ValueError as error:
            raise ValueError(f'{error}, "off", or a table with rate and burst') from None
        if not MIN_RATE <= rate <= MAX_RATE:
            raise ValueError(f"the rate must be from 1/h to {MAX_RATE}/s")
        if burst is None:
            burst = max(1, int(rate))
        if isinstance(burst, bool) or not isinstance(burst, int) or not 1 <= burst <= MAX_BURST:
            raise ValueError(f"burst must be a whole number from 1 to {MAX_BURST}")
        return cls(rate, burst)


class Bucket:
    """Tokens by virtual scheduling (GCRA, ITU-T I.371): one number, the time at which the bucket will be
    full.
    """

    __slots__ = ("_closed_until", "_full_at")

    def __init__(self) -> None:
        self._full_at = -math.inf
        self._closed_until = -math.inf

    def wait(self, limit: Limit | None, now: float, ahead: int = 0) -> float:
        """Seconds until there is a token for the one who comes after `ahead` others; 0.0: now."""
        closed = max(0.0, self._closed_until - now)
        if limit is None:
            return closed
        missing = max(self._full_at, now) - now  # seconds that refill what is missing
        return max(closed, missing + (ahead + 1 - limit.burst) / limit.rate, 0.0)

    def take(self, limit: Limit | None, now: float) -> None:
        """Take one token, whether there is one or not: a debt delays those that follow."""
        if limit is not None:
            self._full_at = max(self._full_at, now) + 1 / limit.rate

    def give_back(self, limit: Limit | None) -> None:
        """Undo one `take` of this limit."""
        if limit is not None:
            self._full_at -= 1 / limit.rate

    def close(self, until: float) -> None:
        """Give nothing before `until`."""
        self._closed_until = max(self._closed_until, until)

    def reopen(self) -> None:
        """Give tokens again, whatever `close` said."""
        self._closed_until = -math.inf

    def is_idle(self, now: float) -> bool:
        """Whether it is full and open, so that a new bucket is as good."""
        return self._full_at <= now and self._closed_until <= now
