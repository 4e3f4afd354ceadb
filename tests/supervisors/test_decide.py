"""The restart decision, as a table and by properties."""

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors import (
    Backoff,
    Desired,
    Ended,
    Escalate,
    Failure,
    History,
    Idle,
    Kind,
    OnExhausted,
    Outcome,
    Policy,
    Probe,
    Restart,
    Run,
    Wait,
    decide,
)
from supervisors.decide import Why

POLICY = Policy(
    backoff=Backoff(1, 2, 60, 0.2), stable_after=30, max_restarts=3, window=100, park_interval=500
)


def failed(kind: Kind = Kind.TRANSIENT, wait: float | None = None) -> Outcome:
    return Outcome(Ended.FAILED, Failure(kind, kind.name.lower(), retry_after=wait))


def after(*outcomes: Outcome, policy: Policy = POLICY, every: float = 1.0, ran_for: float = 0.0) -> History:
    history = History()
    for number, outcome in enumerate(outcomes, 1):
        history.began()
        history.ended(policy, outcome, ran_for=ran_for, now=number * every, draw=0.0)
    return history


def reset(history: History) -> History:
    history.reset()
    return history


COMPLETED = Outcome(Ended.COMPLETED)
STOPPED = Outcome(Ended.STOPPED)

TABLE = [
    ("never ran", POLICY, History(), 0, Run()),
    ("first failure", POLICY, after(failed()), 1, Wait(2, Why.BACKING_OFF)),
    ("first failure, later", POLICY, after(failed()), 2, Run()),
    ("second failure", POLICY, after(failed(), failed()), 2, Wait(4, Why.BACKING_OFF)),
    ("third failure", POLICY, after(*[failed()] * 3), 3, Wait(7, Why.BACKING_OFF)),
    ("budget spent", POLICY, after(*[failed()] * 4), 4, Wait(504, Why.PARKED)),
    ("one try per park interval", POLICY, after(*[failed()] * 4), 504, Run()),
    ("window passed", POLICY, after(*[failed()] * 4), 104, Run()),
    ("bugs are counted too", POLICY, after(*[failed(Kind.BUG)] * 4), 4, Wait(504, Why.PARKED)),
    ("terminal", POLICY, after(failed(Kind.TERMINAL)), 1000, Idle(Why.TERMINAL)),
    ("told to wait", POLICY, after(failed(Kind.DEFERRED, 70)), 2, Wait(71, Why.DEFERRED)),
    ("waited as told", POLICY, after(failed(Kind.DEFERRED, 70)), 71, Run()),
    ("waiting costs no budget", POLICY, after(*[failed(Kind.DEFERRED, 1)] * 20), 21, Run()),
    ("conflict, quick", POLICY, after(failed(Kind.CONFLICT)), 1, Wait(2, Why.BACKING_OFF)),
    (
        "conflict, slow",
        attrs.evolve(POLICY, max_restarts=9),
        after(*[failed(Kind.CONFLICT)] * 4, policy=attrs.evolve(POLICY, max_restarts=9)),
        4,
        Wait(64, Why.BACKING_OFF),
    ),
    ("permanent restarts a clean exit", POLICY, after(COMPLETED), 1, Wait(2, Why.BACKING_OFF)),
    ("stopped and started again", POLICY, after(failed(), STOPPED), 2, Run()),
    (
        "transient does not restart a clean exit",
        attrs.evolve(POLICY, restart=Restart.TRANSIENT),
        after(COMPLETED),
        99,
        Idle(Why.COMPLETED),
    ),
    (
        "transient restarts a failure",
        attrs.evolve(POLICY, restart=Restart.TRANSIENT),
        after(failed()),
        2,
        Run(),
    ),
    (
        "temporary never",
        attrs.evolve(POLICY, restart=Restart.TEMPORARY),
        after(failed()),
        99,
        Idle(Why.FAILED),
    ),
    (
        "exhausted: stop",
        attrs.evolve(POLICY, on_exhausted=OnExhausted.STOP),
        after(*[failed()] * 4),
        4,
        Idle(Why.EXHAUSTED),
    ),
    (
        "exhausted: escalate",
        attrs.evolve(POLICY, on_exhausted=OnExhausted.ESCALATE),
        after(*[failed()] * 4),
        4,
        Escalate(),
    ),
    (
        "try now, too soon",
        POLICY,
        attrs.evolve(after(*[failed()] * 4), try_now=True),
        4.5,
        Wait(5, Why.BACKING_OFF),
    ),
    ("try now", POLICY, attrs.evolve(after(*[failed()] * 4), try_now=True), 5, Run()),
    (
        "try now does not beat not_before",
        POLICY,
        attrs.evolve(after(failed(Kind.DEFERRED, 70)), try_now=True),
        5,
        Wait(71, Why.DEFERRED),
    ),
    (
        "try now does not beat terminal",
        POLICY,
        attrs.evolve(after(failed(Kind.TERMINAL)), try_now=True),
        5,
        Idle(Why.TERMINAL),
    ),
    ("reset forgets the budget", POLICY, reset(after(*[failed()] * 4)), 4, Run()),
    ("reset forgets not_before", POLICY, reset(after(failed(Kind.DEFERRED, 70))), 5, Run()),
    ("a stable run forgives", POLICY, after(*[failed()] * 9, ran_for=30), 9, Wait(10, Why.BACKING_OFF)),
    ("a short one does not", POLICY, after(*[failed()] * 3, ran_for=29), 3, Wait(7, Why.BACKING_OFF)),
]


@pytest.mark.parametrize(
    ("policy", "history", "now", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_table(policy: Policy, history: History, now: float, expected: object) -> None:
    assert decide(policy, history, Desired.RUNNING, now) == expected
    assert decide(policy, history, Desired.STOPPED, now) == Idle(Why.STOPPED)


outcomes = st.sampled_from(
    [failed(), failed(Kind.BUG), failed(Kind.CONFLICT), failed(Kind.DEFERRED, 9.0), COMPLETED]
)


@given(st.lists(outcomes, max_size=60), st.floats(-1, 1), st.sampled_from(OnExhausted))
def test_never_more_restarts_in_a_window_than_the_budget_and_one_try_per_park_interval(
    happened: list[Outcome], draw: float, on_exhausted: OnExhausted
) -> None:
    policy = attrs.evolve(POLICY, on_exhausted=on_exhausted)
    history, now, runs = History(), 0.0, []
    for outcome in happened:
        action = decide(policy, history, Desired.RUNNING, now)
        if isinstance(action, Wait):
            assert action.until > now
            now = action.until
            action = decide(policy, history, Desired.RUNNING, now)
        if not isinstance(action, Run):
            assert on_exhausted is not OnExhausted.PARK
            break
        history.began()
        history.ended(policy, outcome, ran_for=0, now=now, draw=draw)
        if outcome.failure is None or outcome.failure.kind is not Kind.DEFERRED:
            runs.append(now)
    for at in runs:
        assert sum(1 for run in runs if at - policy.window < run <= at) <= policy.max_restarts + 1


@given(st.integers(1, 10_000), st.floats(-1, 1))
def test_backoff_is_bounded(failures: int, draw: float) -> None:
    delay = POLICY.backoff.delay(failures, draw)
    assert 0.8 <= delay <= 60 * 1.2 + 1e-9


@pytest.mark.parametrize(
    "wrong",
    [{"initial": 0}, {"factor": 0.5}, {"max": -1}, {"jitter": 1.0}, {"jitter": -0.1}],
)
def test_impossible_backoffs_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Backoff(**wrong)


def test_every_mistake_of_a_policy_is_told() -> None:
    wrong = Backoff.problems(initial=-1.0, factor=0.5, max=0.0, jitter=1.0)
    assert [problem.fields for problem in wrong] == [("initial",), ("factor",), ("max",), ("jitter",)]
    with pytest.raises(ValueError, match=r"initial .*; factor .*; max .*; jitter "):
        Backoff(-1.0, 0.5, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"interval .*; timeout .*; failures "):
        Probe(0.0, -1.0, 0)
    with pytest.raises(ValueError, match=r"stable_after .*; max_restarts .*; window .*; start_timeout "):
        Policy(stable_after=-1.0, max_restarts=-1, window=0.0, start_timeout=math.nan)


def test_a_backoff_does_not_begin_above_its_maximum() -> None:
    [problem] = Backoff.problems(initial=60.0, factor=2.0, max=10.0, jitter=0.0)
    assert problem.fields == ("initial", "max")
    with pytest.raises(ValueError, match="initial must not be greater than max"):
        Backoff(initial=60.0, max=10.0)
    assert Backoff(initial=10.0, max=10.0).delay(1, 0.0) == 10.0
    [problem] = Backoff.problems(initial=60.0, factor=2.0, max=-1.0, jitter=0.0)
    assert problem.fields == ("max",)
