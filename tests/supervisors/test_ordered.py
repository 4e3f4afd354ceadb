"""Supervisors whose children have an order: who is restarted with whom, and how they stop. All time is a
MockClock's.
"""

from typing import Any

import pytest
import trio

from supervisors import (
    Backoff,
    ChildSpec,
    Exhausted,
    Incarnation,
    OneForAll,
    OnExhausted,
    Policy,
    RestForOne,
)

from .running import POLICY, run, steady


async def test_rest_for_one_restarts_the_failed_and_those_after_it_in_order(clock: Any) -> None:
    events: list[str] = []
    fail = trio.Event()

    async def second(incarnation: Incarnation) -> None:
        events.append("b up")
        incarnation.started()
        if incarnation.number == 1:
            await fail.wait()
            raise RuntimeError
        await trio.sleep_forever()

    tree = RestForOne(
        [
            ChildSpec("a", steady(events, "a"), POLICY),
            ChildSpec("b", second, POLICY),
            ChildSpec("c", steady(events, "c"), POLICY),
        ],
        draw=lambda: 0,
    )

    async def script() -> None:
        assert events == ["a up", "b up", "c up"]
        fail.set()
        await trio.sleep(5)
        assert events[3:] == ["c down", "b up", "c up"]

    await run(tree, script)
    assert events[6:] == ["c down", "a down"]


async def test_rest_for_one_gives_up_when_told_to(clock: Any) -> None:
    runs: list[int] = []

    async def crash(incarnation: Incarnation) -> None:
        runs.append(incarnation.number)
        incarnation.started()
        raise RuntimeError

    policy = Policy(backoff=Backoff(1, 1, 1, 0), max_restarts=2, on_exhausted=OnExhausted.ESCALATE)
    tree = RestForOne([ChildSpec("a", crash, policy)])
    with pytest.RaisesGroup(Exhausted):
        await tree.run(Incarnation(1))
    assert runs == [1, 2, 3]


async def test_one_for_all_restarts_everything_in_order(clock: Any) -> None:
    events: list[str] = []
    fail = [trio.Event()]

    async def middle(incarnation: Incarnation) -> None:
        events.append("b up")
        incarnation.started()
        try:
            await fail[0].wait()
            raise RuntimeError("a crash that the test ordered")
        finally:
            events.append("b down")

    supervisor = OneForAll(
        [
            ChildSpec("a", steady(events, "a"), POLICY),
            ChildSpec("b", middle, POLICY),
            ChildSpec("c", steady(events, "c"), POLICY),
        ]
    )

    async def script() -> None:
        await trio.sleep(1)
        assert events == ["a up", "b up", "c up"]
        assert [child.phase.value for child in supervisor.which_children()] == ["running"] * 3
        events.clear()
        crash, fail[0] = fail[0], trio.Event()
        crash.set()
        await trio.sleep(0.5)
        assert events == ["b down", "c down", "a down"]  # all of them, last first
        await trio.sleep(2)
        assert events[3:] == ["a up", "b up", "c up"]
        assert [child.incarnations for child in supervisor.which_children()] == [2, 2, 2]
        events.clear()

    await run(supervisor, script)
    assert events == ["c down", "b down", "a down"]


@pytest.mark.parametrize("strategy", [RestForOne, OneForAll])
async def test_an_ordered_stop_is_the_reverse_of_the_start(strategy: type[RestForOne], clock: Any) -> None:
    events: list[str] = []
    supervisor = strategy([ChildSpec(name, steady(events, name), POLICY) for name in "abc"])

    async def script() -> None:
        await trio.sleep(1)
        assert events == ["a up", "b up", "c up"]
        events.clear()

    await run(supervisor, script)
    assert events == ["c down", "b down", "a down"]
