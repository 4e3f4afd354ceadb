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
