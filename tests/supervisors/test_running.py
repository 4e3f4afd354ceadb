"""The running part: what leaves a child's task, deadlines, verbs, order. All time is a MockClock's."""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import pytest
import trio

from supervisors import (
    Backoff,
    ChildSpec,
    ChildState,
    Desired,
    Incarnation,
    OneForOne,
    OnExhausted,
    Phase,
    Policy,
    RestForOne,
    RetryLater,
    Terminal,
    TooManyChildren,
    tree,
)

from .running import POLICY, run, steady


def raises_in_cleanup(incarnation_error: Exception | None = None) -> Callable[[Incarnation], Awaitable[None]]:
    async def body(incarnation: Incarnation) -> None:
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("while closing")

            nursery.start_soon(receive)
            await trio.sleep(0)
            incarnation.started()
            await trio.sleep_forever()

    return body


@pytest.mark.parametrize("verb", ["stop", "restart", "fail_probe", "remove", "shutdown"])
async def test_a_child_that_raises_in_its_cleanup_takes_no_sibling_down(clock: Any, verb: str) -> None:
    events: list[str] = []
    supervisor = OneForOne(draw=lambda: 0)
    supervisor.add(ChildSpec("bad", raises_in_cleanup(), POLICY))
    supervisor.add(ChildSpec("good", steady(events, "good"), POLICY))

    async def script() -> None:
        await trio.sleep(1)
        if verb != "shutdown":
            getattr(supervisor, verb)("bad")
            await trio.sleep(20)
        assert events == ["good up"]
        assert supervisor.state("good").phase is Phase.RUNNING
        if verb in ("restart", "fail_probe"):
            assert supervisor.state("bad").phase is Phase.RUNNING
            assert supervisor.state("bad").incarnations == 2
            assert supervisor.state("bad").restarts_in_window == (1 if verb == "fail_probe" else 0)
        if verb == "stop":
            assert supervisor.state("bad").phase is Phase.STOPPED
        assert ("bad" in supervisor) is (verb != "remove")

    await run(supervisor, script)
    assert events == ["good up", "good down"]


@pytest.mark.parametrize(
    ("error", "traceback"), [(ValueError("a bug"), True), (Terminal("lease_lost"), False)]
)
async def test_only_a_bug_leaves_a_traceback_while_its_child_stops(
    clock: Any, caplog: pytest.LogCaptureFixture, error: Exception, traceback: bool
) -> None:
    async def body(incarnation: Incarnation) -> None:
        incarnation.started()
        await incarnation.stopping()
        raise error

    supervisor = OneForOne()
    supervisor.add(ChildSpec("child", body, POLICY))
    caplog.set_level(logging.INFO, "supervisors")

    async def script() -> None:
        await trio.sleep(1)
        supervisor.remove("child")
        await trio.sleep(1)

    await run(supervisor, script)
    [told] = [record for record in caplog.records if "while stopping" in record.getMessage()]
    assert (told.exc_info is not None) is traceback
    assert traceback or told.getMessage() == "child child while stopping: lease_lost"


async def test_cancel_from_outside_while_children_raise(clock: Any) -> None:
    supervisor = OneForOne()
    supervisor.add(ChildSpec("bad", raises_in_cleanup(), POLICY))
    with trio.move_on_after(5) as scope:
        await supervisor.run(Incarnation(1))
    assert scope.cancelled_caught  # and the ValueError did not get out


async def test_crash_loop_backs_off_then_parks_and_siblings_never_notice(clock: Any) -> None:
    starts: list[float] = []
    phases: list[Phase] = []

    async def crash(incarnation: Incarnation) -> None:
        starts.append(trio.current_time())
        incarnation.started()
        raise RuntimeError

    events: list[str] = []
    supervisor = OneForOne(draw=lambda: 0)
    supervisor.add(ChildSpec("bad", crash, POLICY), listener=lambda state: phases.append(state.phase))
    supervisor.add(ChildSpec("good", steady(events, "good"), POLICY))

    async def script() -> None:
        began = starts[0]
        await trio.sleep(300)
        assert [round(at - began) for at in starts] == [0, 1, 3, 7, 107, 207]
        assert supervisor.state("bad").phase is Phase.PARKED
        assert supervisor.state("bad").budget_left == 0
        supervisor.reset("bad")
        await trio.sleep(0.5)
        assert len(starts) == 7
        assert events == ["good up"]

    await run(supervisor, script)
    assert Phase.PARKED in phases


async def test_terminal_retry_later_and_a_hanging_start(clock: Any) -> None:
    tries: list[str] = []

    async def logged_out(incarnation: Incarnation) -> None:
        tries.append("terminal")
        raise Terminal("revoked")

    async def limited(incarnation: Incarnation) -> None:
        tries.append("limited")
        if tries.count("limited") < 20:
            raise RetryLater(10)
        incarnation.started()
        await trio.sleep_forever()

    async def hangs(incarnation: Incarnation) -> None:
        tries.append("hangs")
        await trio.sleep_forever()

    supervisor = OneForOne(draw=lambda: 0)
    for name, body in (("terminal", logged_out), ("limited", limited), ("hangs", hangs)):
        supervisor.add(ChildSpec(name, body, POLICY))

    async def script() -> None:
        await trio.sleep(250)
        assert tries.count("terminal") == 1
        assert supervisor.state("terminal").phase is Phase.TERMINAL
        assert supervisor.state("terminal").terminal == "revoked"
        assert supervisor.state("limited").phase is Phase.RUNNING
        assert supervisor.state("limited").restarts_in_window == 0
        last = supervisor.state("hangs").last
        assert last is not None
        assert last.failure is not None
        assert last.failure.reason == "start_timeout"
        supervisor.start("terminal")
        await trio.sleep(5)
        assert tries.count("terminal") == 1  # a start does not beat a terminal reason

    await run(supervisor, script)


async def test_a_child_that_does_not_stop_is_stuck_and_never_runs_twice(clock: Any) -> None:
    running = [0, 0]
    states: list[Phase] = []

    async def deaf(incarnation: Incarnation) -> None:
        running[0] += 1
        running[1] = max(running)
        incarnation.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(30)
        running[0] -= 1

    supervisor = OneForOne()
    supervisor.add(ChildSpec("deaf", deaf, POLICY), listener=lambda state: states.append(state.phase))

    async def script() -> None:
        await trio.sleep(1)
        verb = supervisor.stop("deaf")
        assert not await supervisor.settled("deaf", verb, 2)
        supervisor.start("deaf")
        await trio.sleep(10)
        assert supervisor.state("deaf").phase is Phase.STUCK
        assert running == [1, 1]
        await trio.sleep(30)
        assert supervisor.state("deaf").phase is Phase.RUNNING

    await run(supervisor, script)
    assert running[1] == 1
    assert states[:4] == [Phase.STARTING, Phase.RUNNING, Phase.STOPPING, Phase.STUCK]


async def test_verbs_are_level_triggered_and_stop_wins(clock: Any) -> None:
    events: list[str] = []
    supervisor = OneForOne(draw=lambda: 0)
    supervisor.add(ChildSpec("a", steady(events, "a"), POLICY), desired=Desired.STOPPED)

    async def script() -> None:
        supervisor.start("a")
        supervisor.restart("a")
        verb = supervisor.stop("a")
        assert await supervisor.settled("a", verb)
        assert supervisor.state("a").phase is Phase.STOPPED
        assert await supervisor.settled("a", supervisor.start("a"))
        assert supervisor.state("a").phase in (Phase.STARTING, Phase.RUNNING)
        await trio.sleep(1)
        assert await supervisor.settled("a", supervisor.start("a"))  # nothing to do

    await run(supervisor, script)
    assert events == ["a up", "a down"]


async def test_what_an_earlier_process_knew(clock: Any) -> None:
    states: dict[str, ChildState] = {}
    supervisor = OneForOne()
    keep = lambda state: states.__setitem__(state.id, state)  # noqa: E731
    supervisor.add(ChildSpec("t", steady([], "t"), POLICY), terminal="revoked", listener=keep)
    supervisor.add(
        ChildSpec("w", steady([], "w"), POLICY), not_before=trio.current_time() + 50, listener=keep
    )

    async def script() -> None:
        await trio.sleep(40)
        assert states["t"].phase is Phase.TERMINAL
        assert states["w"].phase is Phase.DEFERRED
        await trio.sleep(20)
        assert states["w"].phase is Phase.RUNNING

    await run(supervisor, script)


@pytest.mark.parametrize("verb", ["start", "reset"])
async def test_the_operator_does_not_wait_as_long_as_the_platform_said(clock: Any, verb: str) -> None:
    events: list[str] = []
    supervisor = OneForOne()
    supervisor.add(ChildSpec("w", steady(events, "w"), POLICY), not_before=trio.current_time() + 86_400)

    async def script() -> None:
        await trio.sleep(5)
        assert supervisor.state("w").phase is Phase.DEFERRED
        assert await supervisor.settled("w", getattr(supervisor, verb)("w"))
        await trio.testing.wait_all_tasks_blocked()
        assert supervisor.state("w").phase is Phase.RUNNING

    await run(supervisor, script)


async def test_worst_of_a_group_decides(clock: Any) -> None:
    async def both(incarnation: Incarnation) -> None:
        raise ExceptionGroup("two", [RetryLater(1), ExceptionGroup("in", [Terminal("gone")])])

    supervisor = OneForOne()
    supervisor.add(ChildSpec("both", both, POLICY))

    async def script() -> None:
        await trio.sleep(5)
        assert supervisor.state("both").terminal == "gone"

    await run(supervisor, script)


async def test_graceful_stop_lets_a_child_finish(clock: Any) -> None:
    done: list[float] = []

    async def drains(incarnation: Incarnation) -> None:
        incarnation.started()
        await incarnation.stopping()
        await trio.sleep(3)
        done.append(trio.current_time())

    policy = Policy(stop_grace=5)
    supervisor = OneForOne()
    supervisor.add(ChildSpec("drains", drains, policy))

    async def script() -> None:
        await trio.sleep(1)

    await run(supervisor, script)
    assert len(done) == 1


async def test_a_supervisor_that_was_stopped_runs_its_children_again(clock: Any) -> None:
    events: list[str] = []
    supervisor = OneForOne(stop_in_order=True)
    supervisor.add(ChildSpec("a", steady(events, "a"), POLICY))
    supervisor.add(ChildSpec("b", steady(events, "b"), POLICY))

    async def script() -> None:
        await trio.sleep(1)

    await run(supervisor, script)
    assert events == ["a up", "b up", "b down", "a down"] or events == ["b up", "a up", "b down", "a down"]
    await run(supervisor, script)
    assert len(events) == 8


async def test_a_second_stop_of_a_stuck_child_and_a_failing_listener_harm_nobody(clock: Any) -> None:
    async def deaf(incarnation: Incarnation) -> None:
        incarnation.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(30)

    def listener(state: ChildState) -> None:
        raise RuntimeError("a listener's bug")

    events: list[str] = []
    supervisor = OneForOne()
    supervisor.add(ChildSpec("deaf", deaf, POLICY), listener=listener)
    supervisor.add(ChildSpec("good", steady(events, "good"), POLICY))

    async def script() -> None:
        await trio.sleep(1)
        supervisor.stop("deaf")
        await trio.sleep(10)
        supervisor.stop("deaf")
        assert supervisor.state("deaf").phase is Phase.STUCK
        await trio.sleep(30)
        assert events == ["good up"]

    await run(supervisor, script)


async def test_the_tree_as_data(clock: Any) -> None:
    events: list[str] = []
    crowd, few = OneForOne(), OneForOne()
    for number in range(150):
        crowd.add(ChildSpec(f"{number}", steady(events, "x"), POLICY))
    few.add(ChildSpec("leaf", steady(events, "y"), POLICY))
    few.add(ChildSpec("down", steady(events, "z"), POLICY), desired=Desired.STOPPED)
    root = RestForOne(
        [
            ChildSpec("few", few.run, POLICY, supervisor=few),
            ChildSpec("crowd", crowd.run, POLICY, supervisor=crowd),
        ]
    )

    async def script() -> None:
        await trio.sleep(1)
        first, second = tree(root)
        assert (first.id, first.strategy, first.phase) == ("few", "one_for_one", "running")
        assert first.counts == {"running": 1, "stopped": 1}
        assert [(node.id, node.phase, node.strategy) for node in first.children] == [
            ("leaf", "running", None),
            ("down", "stopped", None),
        ]
        assert (second.counts, second.children) == ({"running": 150}, [])

    await run(root, script)


@pytest.mark.parametrize(("stable_after", "connects"), [(60.0, 16), (0.5, 1800)])
async def test_a_platform_that_closes_a_second_after_each_login(
    clock: Any, stable_after: float, connects: int
) -> None:
    """An hour of it: 1 + 15 tries, then parked;
    if a second counted as stable it would be one every two seconds.
    """
    logins: list[float] = []

    async def closed_at_once(incarnation: Incarnation) -> None:
        logins.append(trio.current_time())
        incarnation.started()
        await trio.sleep(1)
        raise ConnectionError

    supervisor = OneForOne(draw=lambda: 0)
    supervisor.add(ChildSpec("account", closed_at_once, Policy(stable_after=stable_after)))

    async def script() -> None:
        began = trio.current_time()
        await trio.sleep(3600)
        assert abs(len(logins) - connects) <= 1
        if connects == 16:
            waits = [round(b - a) - 1 for a, b in pairwise(logins)]
            assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256] + [300] * 6
            assert supervisor.state("account").phase is Phase.PARKED
            assert 2300 < logins[-1] - began < 2340

    await run(supervisor, script)


@pytest.mark.parametrize("strategy", [OneForOne, RestForOne])
async def test_a_supervisor_that_escalated_begins_anew_when_it_is_run_again(
    strategy: type[OneForOne] | type[RestForOne], clock: Any
) -> None:
    runs: list[int] = []

    async def fails(incarnation: Incarnation) -> None:
        runs.append(incarnation.number)
        incarnation.started()
        raise ValueError

    policy = Policy(backoff=Backoff(1, 2, 8, 0), max_restarts=3, on_exhausted=OnExhausted.ESCALATE)
    spec = ChildSpec("child", fails, policy)
    inner: OneForOne | RestForOne
    if strategy is OneForOne:
        inner = OneForOne(draw=lambda: 0)
        inner.add(spec)
    else:
        inner = RestForOne([spec], draw=lambda: 0)
    outer = OneForOne(draw=lambda: 0)
    outer.add(ChildSpec("inner", inner.run, POLICY, supervisor=inner))

    async def script() -> None:
        await trio.sleep(0.5)
        assert runs == [1]
        await trio.sleep(1 + 2 + 4)
        assert runs == [1, 2, 3, 4]  # one start and three restarts; the fourth failure escalated
        await trio.sleep(1 + 1 + 2 + 4)
        assert runs == [1, 2, 3, 4, 5, 6, 7, 8]
        assert outer.state("inner").incarnations == 2

    await run(outer, script)


async def test_a_child_has_the_context_of_its_supervisor_not_of_the_task_that_adds_it(clock: Any) -> None:
    of_request: ContextVar[str] = ContextVar("of_request", default="")
    supervisor, seen = OneForOne(), list[str]()

    async def body(incarnation: Incarnation) -> None:
        seen.append(of_request.get())
        incarnation.started()
        await trio.sleep_forever()

    async def script() -> None:
        of_request.set("a request")
        supervisor.add(ChildSpec("a", body, POLICY))
        await trio.sleep(1)

    await run(supervisor, script)
    assert seen == [""]


async def test_dynamic_children_have_a_bound(clock: Any) -> None:
    supervisor, events = OneForOne(max_children=2), list[str]()
    for name in ("one", "two"):
        supervisor.add(ChildSpec(name, steady(events, name), POLICY))

    async def script() -> None:
        assert supervisor.full
        with pytest.raises(TooManyChildren):
            supervisor.add(ChildSpec("three", steady(events, "three"), POLICY))
        supervisor.remove("one")
        await trio.sleep(1)
        supervisor.add(ChildSpec("three", steady(events, "three"), POLICY))
        await trio.sleep(1)
        assert [state.id for state in supervisor.which_children()] == ["two", "three"]

    await run(supervisor, script)
