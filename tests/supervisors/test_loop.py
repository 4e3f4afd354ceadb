"""The restart loop does what `decide` says, whatever its children do; and what it keeps between two runs."""

import gc
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from supervisors import (
    Backoff,
    ChildSpec,
    Desired,
    Ended,
    Failure,
    History,
    Idle,
    Incarnation,
    Kind,
    OneForOne,
    OnExhausted,
    Outcome,
    Phase,
    Policy,
    Restart,
    RetryLater,
    Run,
    Terminal,
    Wait,
    decide,
)
from supervisors.decide import Why

from .running import run


@attrs.frozen
class Step:
    """One incarnation: whether it comes up, how long it runs, and how it ends."""

    comes_up: bool
    seconds: float
    error: Exception | None
    outcome: Outcome


def failing(error: Exception, failure: Failure) -> tuple[Exception, Outcome]:
    return error, Outcome(Ended.FAILED, failure)


ENDS: list[tuple[Exception | None, Outcome]] = [
    (None, Outcome(Ended.COMPLETED)),
    failing(ValueError(), Failure(Kind.BUG, "crash", "ValueError")),
    failing(Terminal("gone"), Failure(Kind.TERMINAL, "gone", "Terminal")),
    failing(RetryLater(9.0), Failure(Kind.DEFERRED, "retry_later", "RetryLater", 9.0)),
    failing(
        ExceptionGroup("both", [RetryLater(9.0), ValueError()]), Failure(Kind.BUG, "crash", "ValueError")
    ),
]
BUG = ENDS[1]
STEPS = st.builds(
    lambda comes_up, seconds, end: Step(comes_up, seconds, *end),
    st.booleans(),
    st.sampled_from([0.0, 0.5, 4.0]),
    st.sampled_from([*ENDS, BUG, BUG, BUG]),
)
POLICIES = st.builds(
    Policy,
    restart=st.sampled_from(Restart),
    backoff=st.sampled_from([Backoff(1, 2, 8, 0), Backoff(0.125, 1, 0.125, 0)]),
    stable_after=st.sampled_from([0.0, 3.3]),
    max_restarts=st.integers(0, 3),
    window=st.sampled_from([3.77, 50.77]),  # no end of a step lies on its edge
    on_exhausted=st.sampled_from([OnExhausted.PARK, OnExhausted.STOP]),
    park_interval=st.just(60.0),
)
PHASES = {Why.TERMINAL: Phase.TERMINAL, Why.COMPLETED: Phase.COMPLETED}
PHASES |= {Why.FAILED: Phase.FAILED, Why.EXHAUSTED: Phase.EXHAUSTED}


def specified(policy: Policy, steps: list[Step]) -> tuple[list[float], Phase]:
    """By `decide` alone: when the incarnations begin, counted from the first, and the last phase."""
    history, now = History(), 0.0
    begins: list[float] = []
    for step in [*steps, None]:
        action = decide(policy, history, Desired.RUNNING, now)
        while isinstance(action, Wait):
            now = action.until
            action = decide(policy, history, Desired.RUNNING, now)
        if isinstance(action, Idle):
            return begins, PHASES[action.why]
        assert isinstance(action, Run)
        begins.append(now)
        if step is None:
            break
        history.began()
        now += step.seconds
        ran_for = step.seconds if step.comes_up else 0.0
        history.ended(policy, step.outcome, ran_for=ran_for, now=now, draw=0.0)
    return begins, Phase.RUNNING


async def play(policy: Policy, steps: list[Step]) -> tuple[list[float], Phase]:
    begins: list[float] = []
    supervisor = OneForOne(draw=lambda: 0.0)

    async def body(me: Incarnation) -> None:
        begins.append(trio.current_time())
        if me.number > len(steps):
            me.started()
            await me.stopping()
            return
        step = steps[me.number - 1]
        if step.comes_up:
            me.started()
        await trio.sleep(step.seconds)
        if step.error is not None:
            raise step.error

    supervisor.add(ChildSpec("child", body, policy))
    phases: list[Phase] = []

    async def script() -> None:
        await trio.sleep(1000)
        phases.append(supervisor.state("child").phase)

    await run(supervisor, script)
    return [at - begins[0] for at in begins], phases[0]


@given(POLICIES, st.lists(STEPS, max_size=12))
def test_the_loop_does_what_decide_says(policy: Policy, steps: list[Step]) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    begins, phase = trio.run(play, policy, steps, clock=clock)
    expected, last = specified(policy, steps)
    assert begins == pytest.approx(expected, abs=1e-6)
    assert phase is last


async def swallows(me: Incarnation) -> None:
    """Ends by itself although it is cancelled: its supervisor never sees the cancel."""
    try:
        await trio.sleep_forever()
    except trio.Cancelled:
        return


async def converts(me: Incarnation) -> None:
    try:
        await trio.sleep_forever()
    except trio.Cancelled:
        raise ValueError from None


async def adds(me: Incarnation) -> None:
    """Ends with the cancel and an error of its own."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(converts, me)
        await trio.sleep_forever()


async def obeys(me: Incarnation) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize("body", [swallows, converts, adds, obeys])
@pytest.mark.parametrize("cause", ["start_timeout", "restart", "fail_probe", "stop"])
async def test_a_cancel_ends_one_incarnation_and_no_other(body: Any, cause: str, autojump_clock: Any) -> None:
    runs: list[float] = []

    async def child(me: Incarnation) -> None:
        runs.append(trio.current_time())
        if me.number == 2:
            if cause != "start_timeout":
                me.started()
            await body(me)
        elif me.number == 1:
            raise RuntimeError  # in the same scope as the one that is cancelled
        me.started()
        await trio.sleep(1000)
        await me.stopping()

    supervisor = OneForOne(draw=lambda: 0.0)
    policy = Policy(backoff=Backoff(1, 1, 1, 0), start_timeout=5, max_restarts=5)
    supervisor.add(ChildSpec("child", child, policy))

    async def script() -> None:
        await trio.sleep(2)
        assert len(runs) == 2
        if cause != "start_timeout":
            getattr(supervisor, cause)("child")
        await trio.sleep(0.5)
        if cause == "stop":
            assert supervisor.state("child").phase is Phase.STOPPED
            supervisor.start("child")
        await trio.sleep(10)
        state = supervisor.state("child")
        assert (len(runs), state.phase) == (3, Phase.RUNNING)
        assert state.restarts_in_window == (1 if cause in ("restart", "stop") else 2)
        await trio.sleep(900)
        assert (len(runs), supervisor.state("child").phase) == (3, Phase.RUNNING)

    await run(supervisor, script)


@pytest.mark.parametrize("grace", [0.0, 3.0])
async def test_who_does_not_end_within_its_grace_is_cancelled_then_stuck(
    grace: float, autojump_clock: Any
) -> None:
    cancelled: list[float] = []

    async def deaf(me: Incarnation) -> None:
        me.started()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.append(trio.current_time())
            with trio.CancelScope(shield=True):
                await trio.sleep(20)

    supervisor = OneForOne(draw=lambda: 0.0)
    policy = Policy(
        start_timeout=2, stop_grace=grace, stop_timeout=5
    )  # a start's deadline ends with the start
    supervisor.add(ChildSpec("deaf", deaf, policy))

    async def script() -> None:
        await trio.sleep(1)
        began = trio.current_time()
        supervisor.stop("deaf")
        await trio.sleep(grace + 4.9)
        assert grace <= cancelled[0] - began < grace + 0.2
        assert supervisor.state("deaf").phase is Phase.STOPPING
        await trio.sleep(0.4)
        assert supervisor.state("deaf").phase is Phase.STUCK
        await trio.sleep(20)
        assert supervisor.state("deaf").phase is Phase.STOPPED

    await run(supervisor, script)


async def test_one_that_hangs_after_its_start_timed_out_is_stuck_when_it_is_stopped(
    autojump_clock: Any,
) -> None:
    async def deaf(me: Incarnation) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    supervisor = OneForOne(draw=lambda: 0.0)
    supervisor.add(ChildSpec("deaf", deaf, Policy(start_timeout=5, stop_timeout=5)))

    async def script() -> None:
        await trio.sleep(10)
        assert supervisor.state("deaf").phase is Phase.STARTING
        supervisor.stop("deaf")
        await trio.sleep(5.2)
        assert supervisor.state("deaf").phase is Phase.STUCK

    await run(supervisor, script)


async def test_restarts_leave_nothing_to_the_garbage_collector(autojump_clock: Any) -> None:
    async def crash(me: Incarnation) -> None:
        me.started()
        await trio.sleep(0.1)
        raise ValueError("a crash that the test ordered")

    supervisor = OneForOne(draw=lambda: 0.0)
    policy = Policy(backoff=Backoff(1, 1, 1, 0), max_restarts=1000)
    supervisor.add(ChildSpec("child", crash, policy))

    async def script() -> None:
        await trio.sleep(5)
        gc.collect()
        gc.disable()
        try:
            runs = supervisor.state("child").incarnations
            await trio.sleep(220)
            runs = supervisor.state("child").incarnations - runs
            assert runs == 200
            assert gc.collect() < runs  # not even one object for each
        finally:
            gc.enable()

    await run(supervisor, script)
