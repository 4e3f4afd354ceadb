"""The gate of one endpoint: whether an attempt may start now, and what an attempt's result changes.

It combines breaker, rate limit, health and a pause after local errors, so that the endpoint actor makes one
call before an attempt and one after it. Pure: times are trio's clock, and ms of the steady clock where they
are stored.
"""

import math

from unifyport.model.token_bucket import Bucket, Limit
from unifyport.model.webhook import BreakerPolicy, DeliveryPolicy, RetryPolicy

from .breaker import LONGEST_WAIT, SHORTEST_WAIT, Breaker
from .health import Change, Health
from .verdict import NAME_NOT_RESOLVED, Attempt, Verdict

LOCAL_TROUBLE_SECONDS = 1.0
CLOCK_SECONDS = 30.0  # until a receiver that refused our clock is asked again


class Gate:
    """`failing_since`: since when the endpoint fails, as stored (steady clock, ms).

    `last_error`: why the last attempt that was answered, or could not be, failed; empty: it did not.
    """

    def __init__(self, retries: RetryPolicy, policy: DeliveryPolicy, failing_since: int | None) -> None:
        self._breaker = Breaker(_choose_breaker(retries, policy))
        if failing_since is not None:
            self._breaker.suspect()
        self._limit, self._bucket = Limit.per_second(policy.rate_limit), Bucket()
        self._health = Health(failing_since)
        self._disable_after = policy.disable_after
        self._not_before = -math.inf
        self.last_error = ""

    def adopt(self, retries: RetryPolicy, policy: DeliveryPolicy) -> None:
        """Use these policies from now on."""
        self._breaker.policy = _choose_breaker(retries, policy)
        if self._breaker.policy is None:
            self._breaker.succeeded()
        self._limit, self._bucket = Limit.per_second(policy.rate_limit), Bucket()
        self._disable_after = policy.disable_after

    def open(self) -> None:
        """Close the breaker and end the pause: the operator expects the endpoint to work now."""
        self._breaker.succeeded()
        self._not_before = -math.inf

    def forget_health(self, failing_since: int | None) -> None:
        """Take over the stored health if it differs from the observed one."""
        if (self._health.since is None) != (failing_since is None):
            self._health = Health(failing_since)

    @property
    def failing_since(self) -> int | None:
        return self._health.since

    def note_name(self, *, resolves: bool) -> bool:
        """Whether the host's name has an address was observed without an attempt. True: it changes what is
        known.
        """
        if resolves:
            changed = self.last_error == NAME_NOT_RESOLVED and self.failing_since is None
        else:
            changed = self.last_error != NAME_NOT_RESOLVED
        if changed:
            self.last_error = "" if resolves else NAME_NOT_RESOLVED
        return changed

    @property
    def probing(self) -> bool:
        """The breaker is open, or half-open: only its probe may start."""
        return self._breaker.is_open

    def opens_at(self, now: float) -> float:
        """When the next attempt may start; `now` or earlier if it may start at once."""
        if self._unhindered:
            return -math.inf
        return max(self._breaker.opens_at(), now + self._bucket.wait(self._limit, now), self._not_before)

    @property
    def _unhindered(self) -> bool:
        return self._limit is None and not self._breaker.is_open and self._not_before == -math.inf

    def started(self, now: float) -> bool:
        """Record the start of an attempt. Returns whether it is the breaker's probe."""
        if self._unhindered:
            return False
        self._bucket.take(self._limit, now)
        return self._breaker.started()

    def learn(
        self, verdict: Verdict, attempt: Attempt, seq: int, *, probe: bool, now: float, steady_ms: int
    ) -> tuple[bool, Change | None]:
        """Returns whether the attempt counts against its event, and the change of the endpoint's health."""
        if verdict is Verdict.DELIVERED:
            self.last_error = ""
        elif verdict not in (Verdict.EXPIRED, Verdict.NOT_TRIED):  # which say nothing of the endpoint
            self.last_error = attempt.reason
        match verdict:
            case Verdict.ENDPOINT_FAILED:
                counted = self._breaker.failed(seq, now, attempt.retry_after, probe=probe)
                if attempt.retry_after is not None and self._breaker.policy is None:
                    self._not_before = now + min(max(attempt.retry_after, SHORTEST_WAIT), LONGEST_WAIT)
                return counted, self._health.failed(steady_ms, self._disable_after)
            case Verdict.CLOCK_REFUSED:
                self._breaker.failed(seq, now, CLOCK_SECONDS, probe=probe)
                if self._breaker.policy is None:
                    self._not_before = now + CLOCK_SECONDS
                return False, self._health.failed(steady_ms, math.inf)
            case Verdict.DELIVERED | Verdict.DEAD:  # the endpoint works: it answers
                self._breaker.succeeded()
                return True, self._health.succeeded()
        self._breaker.abandoned(probe=probe)
        if verdict is Verdict.GONE:
            return False, Change.DISABLED
        if verdict is Verdict.NOT_TRIED:
            self._not_before = now + LOCAL_TROUBLE_SECONDS
            return False, None
        return True, None


def _choose_breaker(retries: RetryPolicy, policy: DeliveryPolicy) -> BreakerPolicy | None:
    """None for an endpoint without retries: its one recorded attempt is made at once."""
    return policy.breaker if retries.max_attempts else None
