"""The circuit breaker of one endpoint: an outage of the receiver must not turn into dead letters.

    closed --5 endpoint failures in a row, over at least 2 events--> open --delay--> half-open
    closed --Retry-After--------------------------------------------> open
    half-open --the probe succeeds--> closed          --it fails--> open, for twice as long

While it is open no attempt starts and none is counted. Delays double from 5 s to 5 min. Times are trio's
clock, passed in.
"""

import math

FAILURES = 5
EVENTS = 2
FIRST_DELAY, LAST_DELAY = 5.0, 300.0
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 3600.0  # what a Retry-After is clamped to


class Breaker:
    """`enabled` is False for endpoints without retries, which get their one recorded attempt at once."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.failing_since: float | None = None  # the first failure since the last success
        self._failures = 0
        self._events: set[int] = set()
        self._delay = FIRST_DELAY
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Open or half-open: failures are not counted against events."""
        return self._open_until is not None

    def opens_at(self) -> float:
        """When the next probe may start; -inf when attempts are not held up, inf while the probe is on its way."""
        if self._open_until is None:
            return -math.inf
        return math.inf if self._probing else self._open_until

    def may_start(self, now: float) -> bool:
        return now >= self.opens_at()

    def started(self) -> bool:
        """Note that an attempt starts; True when it is the probe."""
        if self._open_until is not None:
            self._probing = True
        return self._probing

    def succeeded(self) -> None:
        self._close()
        self.failing_since = None

    def failed(self, seq: int, now: float, retry_after: float | None, *, probe: bool) -> bool:
        """Note an endpoint failure; True when it is to be counted against the event."""
        if self.failing_since is None:
            self.failing_since = now
        if not self.enabled:
            self._close()
            return True
        counted = not self.is_open
        self._failures += 1
        self._events.add(seq)
        if len(self._events) > EVENTS:
            self._events.pop()
        if retry_after is not None:
            wait = min(max(retry_after, SHORTEST_WAIT), LONGEST_WAIT)
            self._open(now + wait)
        elif probe:
            self._delay = min(self._delay * 2, LAST_DELAY)
            self._open(now + self._delay)
        elif counted and self._failures >= FAILURES and len(self._events) >= EVENTS:
            self._delay = FIRST_DELAY
            self._open(now + self._delay)
        return counted

    def abandoned(self) -> None:
        """The probe ended without telling anything about the endpoint."""
        self._probing = False

    def _open(self, until: float) -> None:
        self._open_until = max(until, self._open_until or until)
        self._probing = False

    def _close(self) -> None:
        self._failures = 0
        self._events.clear()
        self._delay = FIRST_DELAY
        self._open_until = None
        self._probing = False
