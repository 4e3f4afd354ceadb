"""Whose failure it is, and what an outage of the receiver costs: nothing."""

import pytest

from unifyport.delivery.breaker import Breaker
from unifyport.delivery.client import parse_retry_after
from unifyport.delivery.verdict import INTERNAL_ERROR, Attempt, Verdict, judge
from unifyport.model.webhook import BreakerPolicy, RetryPolicy


@pytest.mark.parametrize(
    ("attempt", "verdict"),
    [
        (Attempt(200), Verdict.DELIVERED),
        (Attempt(204), Verdict.DELIVERED),
        (Attempt(301), Verdict.DEAD),
        (Attempt(400), Verdict.DEAD),
        (Attempt(404), Verdict.DEAD),
        (Attempt(408), Verdict.ENDPOINT_FAILED),
        (Attempt(410), Verdict.GONE),
        (Attempt(429), Verdict.ENDPOINT_FAILED),
        (Attempt(500), Verdict.ENDPOINT_FAILED),
        (Attempt(599), Verdict.ENDPOINT_FAILED),
        (Attempt(error="timeout"), Verdict.ENDPOINT_FAILED),
        (Attempt(error="webhook_url_not_allowed"), Verdict.ENDPOINT_FAILED),
        (Attempt(error=INTERNAL_ERROR), Verdict.EVENT_FAILED),
    ],
)
def test_judge(attempt: Attempt, verdict: Verdict) -> None:
    assert judge(attempt) is verdict


def test_opens_after_five_failures_over_two_events_and_probes_without_counting() -> None:
    breaker = Breaker(BreakerPolicy())
    for seq in (1, 1, 1, 2):
        assert breaker.failed(seq, 10.0, None, probe=False)
        assert breaker.may_start(10.0)
    assert breaker.failed(2, 10.0, None, probe=False)  # the fifth is still counted
    assert breaker.is_open
    assert not breaker.failed(3, 10.0, None, probe=False)  # what was in flight is not
    assert not breaker.may_start(14.9)
    for delay in (5, 10, 20, 40, 80, 160, 300, 300):
        at = breaker.opens_at()
        assert breaker.may_start(at)
        assert breaker.started()
        assert not breaker.may_start(at)  # one probe at a time
        assert not breaker.failed(1, at, None, probe=True)
        assert breaker.opens_at() == at + min(delay * 2, 300)
    breaker.started()
    breaker.succeeded()
    assert breaker.may_start(0)
    assert not breaker.is_open


def test_one_event_alone_does_not_open_it() -> None:
    breaker = Breaker(BreakerPolicy())
    assert all(breaker.failed(1, float(n), None, probe=False) for n in range(20))
    assert not breaker.is_open


def test_retry_after_opens_at_once_within_limits() -> None:
    for asked, waits in ((0, 1), (30, 30), (10**6, 3600)):
        breaker = Breaker(BreakerPolicy())
        assert breaker.failed(1, 100.0, float(asked), probe=False)
        assert breaker.opens_at() == 100.0 + waits


def test_without_retries_every_failure_counts() -> None:
    breaker = Breaker(None)
    assert all(breaker.failed(n, 1.0, 60.0, probe=False) for n in range(20))
    assert breaker.may_start(1.0)


def test_retry_after_header() -> None:
    assert parse_retry_after("120", 0) == 120
    assert parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 30) == 30
    assert parse_retry_after("soon", 0) is None
    assert parse_retry_after(None, 0) is None


def test_retry_policy() -> None:
    assert RetryPolicy.parse({}) == RetryPolicy(3, (5.0, 30.0, 120.0, 600.0, 3600.0))
    assert RetryPolicy.parse({"max_attempts": 0}).max_attempts == 0
    policy = RetryPolicy.parse({"max_attempts": 9, "schedule": ["1s", "1m"]})
    assert [policy.delay(n, 0) for n in (1, 2, 3, 9)] == [1, 60, 60, 60]
    assert policy.delay(1, -1) == pytest.approx(0.8)
    for wrong in ({"max_attempts": -1}, {"max_attempts": True}, {"max_attempts": "3"}, {"max_attempts": 1.5}):
        with pytest.raises(ValueError, match="max_attempts"):
            RetryPolicy.parse(wrong)
    for wrong_schedule in ([], "5s", ["5"], ["0s"]):
        with pytest.raises(ValueError, match="schedule"):
            RetryPolicy.parse({"schedule": wrong_schedule})
