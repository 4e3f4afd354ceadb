"""The turnstile: a turn of the loop takes no more than so many tasks, in order, and no task is forgotten."""

from collections import Counter

import trio
import trio.testing

from supervisors import turnstile
from supervisors.turnstile import PER_TURN


class Turns(trio.abc.Instrument):
    """Which turn it is."""

    def __init__(self) -> None:
        self.number = 0

    def after_io_wait(self, timeout: float) -> None:
        self.number += 1


async def test_a_crowd_passes_in_order_and_never_more_than_so_many_in_a_turn() -> None:
    turns, start = Turns(), trio.Event()
    trio.lowlevel.add_instrument(turns)
    passed: list[tuple[int, int]] = []
    woken: list[int] = []

    async def member() -> None:
        await start.wait()
        number = len(woken)
        woken.append(number)
        await turnstile().enter()
        passed.append((number, turns.number))

    async with trio.open_nursery() as nursery:
        for _ in range(1000):
            nursery.start_soon(member)
        await trio.testing.wait_all_tasks_blocked()
        start.set()
        with trio.fail_after(10):  # nothing else wakes the loop up
            while len(passed) < 1000:
                await trio.testing.wait_all_tasks_blocked()
    trio.lowlevel.remove_instrument(turns)
    in_a_turn = Counter(turn for _, turn in passed)
    assert max(in_a_turn.values()) == PER_TURN
    assert len(in_a_turn) == -(-1000 // PER_TURN)
    for first in range(0, 1000, PER_TURN):  # trio runs those of one turn in any order
        together = passed[first : first + PER_TURN]
        assert sorted(number for number, _ in together) == list(range(first, first + len(together)))


async def test_who_comes_alone_does_not_wait() -> None:
    turns = Turns()
    trio.lowlevel.add_instrument(turns)
    await trio.lowlevel.checkpoint()
    for _ in range(PER_TURN):
        before = turns.number
        await turnstile().enter()
        assert turns.number == before
    await turnstile().enter()
    assert turns.number == before + 1
    trio.lowlevel.remove_instrument(turns)


async def test_a_cancelled_one_holds_up_nobody() -> None:
    passed: list[str] = []

    async def member(name: str, scope: trio.CancelScope) -> None:
        with scope:
            await turnstile().enter()
            passed.append(name)

    async with trio.open_nursery() as nursery:
        await trio.lowlevel.checkpoint()
        for _ in range(PER_TURN):
            await turnstile().enter()  # no further task in this turn
        gone, stays = trio.CancelScope(), trio.CancelScope()
        gone.cancel()
        nursery.start_soon(member, "gone", gone)
        nursery.start_soon(member, "stays", stays)
        with trio.fail_after(5):
            while "stays" not in passed:
                await trio.lowlevel.checkpoint()
    assert "stays" in passed


def test_each_run_has_its_own() -> None:
    async def mine() -> object:
        return turnstile()

    assert trio.run(mine) is not trio.run(mine)


async def test_idle_comes_when_nobody_else_has_anything_to_do() -> None:
    done: list[str] = []

    async def patient() -> None:
        await turnstile().idle(60)
        done.append("patient")

    async def busy() -> None:
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        done.append("busy")

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(patient)
            nursery.start_soon(patient)
            nursery.start_soon(busy)
    assert done == ["busy", "patient", "patient"]


async def test_idle_does_not_wait_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    done = trio.Event()

    async def busy() -> None:
        while not done.is_set():
            await trio.lowlevel.checkpoint()

    async def patient() -> None:
        with trio.CancelScope(deadline=trio.current_time() + 60):
            await turnstile().idle(0.0)
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(busy)
        nursery.start_soon(patient)
    assert done.is_set()
