"""The circuit breaker of one endpoint: an outage of the receiver must not turn into dead letters.

    closed --`failures` endpoint failures in a row, of at least 2 events--> open --delay--> half-open
    closed --Retry-After--> open
    half-open --the probe succeeds--> closed
    half-open --the probe fails--> open, with twice the delay

While the breaker is open no attempt starts, and failures are not counted against events. Delays double from
5 s to 5 min unless the endpoint's policy differs. Times are trio's clock, passed in.
"""

import math

from unifyport.model.webhook import BreakerPolicy

EVENTS = 2
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 3600.0  # seconds; a Retry-After is clamped to these


class Breaker:
    """`policy` is None if the breaker is turned off, or the endpoint has no retries.

    Without retries an event gets its one recorded attempt at once.
    """

    def __init__(self, policy: BreakerPolicy | None) -> None:
        self.policy = policy
        self._failures = 0
        self._events: set[int] = set()
        self._delay = 0.0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Open or half-open: failures are not counted against events."""
        return self._open_until is not None

    def opens_at(self) -> float:
        """When the next probe may start: -inf if the breaker is closed, inf during a probe."""
        if self._open_until is None:
            return -math.inf
        return math.inf if self._probing else self._open_until

    def suspect(self) -> None:
        """Begin half-open: an earlier process found the endpoint failing, so it is probed first."""
        if self.policy is not None:
            self._open_until = -math.inf

    def may_start(self, now: float) -> bool:
        return now >= self.opens_at()

    def started(self) -> bool:
        """Record the start of an attempt. Returns whether it is the probe."""
        if self._open_until is not None:
            self._probing = True
        return self._probing

    def succeeded(self) -> None:
        if not self._failures and self._open_until is None:
            return
        self._failures = 0
        self._events.clear()
        self._delay = 0.0
        self._open_until = None
        self._probing = False

    def failed(self, seq: int, now: float, retry_after: float | None, *, probe: bool) -> bool:
        """Record an endpoint failure. Returns whether it counts against the event. `retry_after`: seconds."""
        policy = self.policy
        if policy is None:
            self.succeeded()
            return True
        counted = not self.is_open
        self._failures += 1
        self._events.add(seq)
        if len(self._events) > EVENTS:
            self._events.pop()
        if retry_after is not None:
            self._open(now + min(max(retry_after, SHORTEST_WAIT), LONGEST_WAIT), probe=probe)
        elif probe:
            self._delay = min(max(self._delay * 2, policy.initial), policy.max)
            self._open(now + self._delay, probe=True)
        elif counted and self._failures >= policy.failures and len(self._events) >= EVENTS:
            self._delay = policy.initial
            self._open(now + self._delay, probe=probe)
        return counted

    def abandoned(self, *, probe: bool) -> None:
        """Record an attempt whose result says nothing about the endpoint."""
        if probe:
            self._probing = False

    def _open(self, until: float, *, probe: bool) -> None:
        self._open_until = max(until, self._open_until or until)
        self._probing = self._probing and not probe
