"""A rate limit as a token bucket, which fills at the rate and holds the tokens of one second, at least one.

Pure: times are trio's clock, passed in.
"""

import math


class Pace:
    """`rate`: per second; 0: no limit."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate)
        self._left = self._most
        self._as_of = -math.inf

    @property
    def limits(self) -> bool:
        return self._rate > 0

    def opens_at(self, now: float) -> float:
        """When the next operation may start; `now` or earlier if it may start at once."""
        if not self._rate:
            return -math.inf
        self._fill(now)
        return now if self._left >= 1 else now + (1 - self._left) / self._rate

    def started(self, now: float) -> None:
        if self._rate:
            self._fill(now)
            self._left -= 1

    def _fill(self, now: float) -> None:
        if now > self._as_of:
            self._left = min(self._most, self._left + (now - self._as_of) * self._rate)
            self._as_of = now
