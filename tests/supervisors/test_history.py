"""A history that is changed in place, against what its whole past says."""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from supervisors import Ended, Failure, FailureRecord, History, Kind, Outcome, Policy
from supervisors.history import KEPT_FAILURES

POLICY = Policy(stable_after=30, max_restarts=3, window=100.25)

OUTCOMES = st.sampled_from(
    [Outcome(Ended.COMPLETED), Outcome(Ended.STOPPED)]
    + [Outcome(Ended.FAILED, Failure(kind, kind.name.lower())) for kind in Kind]
    + [Outcome(Ended.FAILED, Failure(Kind.DEFERRED, "told", retry_after=70.0))]
)
RUNS = st.tuples(OUTCOMES, st.sampled_from([0.0, 10.0, 30.0, 200.0]), st.sampled_from([0.5, 20.0, 90.0]))
RESET = st.just(None)


@attrs.frozen
class Run:
    """One run of the past."""

    outcome: Outcome
    ran_for: float
    ended_at: float

    @property
    def counts(self) -> bool:
        kind = self.outcome.failure and self.outcome.failure.kind
        return self.outcome.ended is not Ended.STOPPED and kind not in (Kind.TERMINAL, Kind.DEFERRED)

    @property
    def stable(self) -> bool:
        return self.ran_for >= POLICY.stable_after


def check(history: History, past: list[Run], since_reset: list[Run], now: float) -> None:
    stable = [number for number, run in enumerate(since_reset) if run.stable]
    counted = [run for run in since_reset[stable[-1] if stable else 0 :] if run.counts]
    in_window = [run for run in counted if run.ended_at > now - POLICY.window]
    failures = [FailureRecord(r.ended_at, r.outcome.failure) for r in past if r.outcome.failure is not None]
    assert history.incarnations == len(past)
    assert history.consecutive == len(counted)
    assert history.in_window(POLICY, now) == min(len(in_window), POLICY.max_restarts + 1)
    assert history.recent == tuple(failures[-KEPT_FAILURES:])
    last = since_reset[-1] if since_reset else None
    stopped = last is None or last.outcome.ended is Ended.STOPPED
    assert history.last == (None if stopped or last is None else last.outcome)
    assert history.ended_at == (None if stopped or last is None else last.ended_at)
    assert history.was_stable == (last is not None and last.stable)
    assert (history.terminal is not None) == any(is_a(run, Kind.TERMINAL) for run in since_reset)
    deferred = [run for run in since_reset if is_a(run, Kind.DEFERRED)]
    waits = [
        run.ended_at + (run.outcome.failure.retry_after or 0.0) for run in deferred if run.outcome.failure
    ]
    assert history.not_before == (waits[-1] if waits else None)


def is_a(run: Run, kind: Kind) -> bool:
    failure = run.outcome.failure
    return run.outcome.ended is not Ended.STOPPED and failure is not None and failure.kind is kind


@given(st.lists(st.one_of(RUNS, RUNS, RUNS, RESET), max_size=40))
def test_a_history_is_what_happened(steps: list[tuple[Outcome, float, float] | None]) -> None:
    history, now = History(), 0.0
    past: list[Run] = []
    since_reset: list[Run] = []
    for step in steps:
        if step is None:
            history.reset()
            since_reset = []
        else:
            outcome, ran_for, pause = step
            history.began()
            now += ran_for + pause
            history.ended(POLICY, outcome, ran_for=ran_for, now=now, draw=0.0)
            run = Run(outcome, ran_for, now)
            past, since_reset = [*past, run], [*since_reset, run]
        check(history, past, since_reset, now)
        check(history, past, since_reset, now + 60)


def test_what_was_told_of_a_history_does_not_change() -> None:
    history = History()
    for number in range(20):
        before = history.recent
        history.began()
        failed = Outcome(Ended.FAILED, Failure(Kind.BUG, "crash", str(number)))
        history.ended(POLICY, failed, ran_for=0.0, now=float(number), draw=0.0)
        assert len(before) == min(number, KEPT_FAILURES)
        assert [int(record.failure.error) for record in before] == list(range(number))[-KEPT_FAILURES:]
