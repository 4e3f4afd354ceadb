"""Long computations give the loop back; short ones pass no checkpoint."""

import time

import pytest
import trio

from supervisors import Slices, map_in_slices, slices


def seconds(monkeypatch: pytest.MonkeyPatch, each: float) -> None:
    """Each look at the clock is so much later than the one before."""
    now = [0.0]

    def perf_counter() -> float:
        now[0] += each
        return now[0]

    monkeypatch.setattr(time, "perf_counter", perf_counter)


async def test_a_short_one_passes_no_checkpoint() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        assert await map_in_slices(str, range(3)) == ["0", "1", "2"]
    assert not scope.cancelled_caught


async def test_a_long_one_lets_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds(monkeypatch, slices.SLICE / 2)
    done: list[str] = []

    async def compute() -> None:
        part = Slices()
        for number in range(8):  # two in each slice; trio runs ready tasks in any order
            done.append(f"part {number}")
            await part.pause()

    async def other() -> None:
        done.append("other")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(compute)
        await trio.lowlevel.checkpoint()
        nursery.start_soon(other)
    assert done.index("other") < done.index("part 7")


async def test_of_many_one_continues_in_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds(monkeypatch, slices.SLICE)
    turns: list[int] = []
    turn = 0

    class Turns(trio.abc.Instrument):
        def after_io_wait(self, timeout: float) -> None:
            nonlocal turn
            turn += 1

    async def compute() -> None:
        part = Slices()
        for _ in range(5):
            await part.pause()
            turns.append(turn)

    watch = Turns()
    trio.lowlevel.add_instrument(watch)
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(compute)
    trio.lowlevel.remove_instrument(watch)
    assert len(turns) == 50
    assert len(set(turns)) == 50


async def test_it_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds(monkeypatch, slices.SLICE)
    done: list[int] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        await map_in_slices(done.append, range(3))
    assert scope.cancelled_caught
    assert done == [0]
