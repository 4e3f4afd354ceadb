"""The gate of one endpoint, where breaker, pace and health meet."""

from unifyport.delivery.gate import Gate
from unifyport.delivery.verdict import Attempt, Verdict
from unifyport.model.webhook import DeliveryPolicy, RetryPolicy

NOW = 1000.0
UNGUARDED = DeliveryPolicy(breaker=None)


def failed(gate: Gate, retry_after: float | None = None, *, probe: bool = False) -> bool:
    attempt = Attempt(status=503, retry_after=retry_after)
    counted, _ = gate.learn(Verdict.ENDPOINT_FAILED, attempt, 1, probe=probe, now=NOW, steady_ms=0)
    return counted


def test_what_an_earlier_process_found_failing_is_probed_first() -> None:
    gate = Gate(RetryPolicy(), DeliveryPolicy(), failing_since=5)
    assert gate.probing
    assert gate.opens_at(NOW) <= NOW
    assert gate.started(NOW)
    assert gate.opens_at(NOW) > NOW + 3600  # nothing beside the probe
    assert not failed(gate, probe=True)  # counted against nothing
    assert gate.opens_at(NOW) == NOW + 5


def test_without_a_breaker_there_is_no_probe() -> None:
    assert not Gate(RetryPolicy(), UNGUARDED, failing_since=5).probing
    assert not Gate(RetryPolicy(max_attempts=0), DeliveryPolicy(), failing_since=5).probing


def test_retry_after_holds_everything_back_also_without_a_breaker() -> None:
    gate = Gate(RetryPolicy(), UNGUARDED, None)
    assert failed(gate, retry_after=30.0)
    assert gate.opens_at(NOW) == NOW + 30
    assert failed(gate, retry_after=1e9)
    assert gate.opens_at(NOW) == NOW + 3600


def test_the_last_error_is_that_of_the_last_attempt_that_says_something_of_the_endpoint() -> None:
    gate = Gate(RetryPolicy(), UNGUARDED, None)

    def learn(verdict: Verdict, attempt: Attempt) -> str:
        gate.learn(verdict, attempt, 1, probe=False, now=NOW, steady_ms=0)
        return gate.last_error

    assert gate.last_error == ""
    assert learn(Verdict.ENDPOINT_FAILED, Attempt(error="connect_error")) == "connect_error"
    assert learn(Verdict.NOT_TRIED, Attempt(error="local_resources")) == "connect_error"
    assert learn(Verdict.EXPIRED, Attempt(error="expired")) == "connect_error"
    assert learn(Verdict.DEAD, Attempt(status=404)) == "http_404"
    assert learn(Verdict.DELIVERED, Attempt(status=204)) == ""


def test_a_name_without_an_address_is_known_before_an_attempt() -> None:
    gate = Gate(RetryPolicy(), UNGUARDED, None)
    assert gate.note_name(resolves=False)
    assert gate.last_error == "name_not_resolved"
    assert not gate.note_name(resolves=False)
    assert gate.note_name(resolves=True)
    assert gate.last_error == ""
    assert not gate.note_name(resolves=True)
    failed(gate)
    assert not gate.note_name(resolves=True)  # what an attempt came to stays
    assert gate.last_error == "http_503"
