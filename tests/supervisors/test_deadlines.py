"""Deadlines of many by one task: never early, at most a tick late, and cheap to set and drop."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st

from supervisors.deadlines import TICK, Deadlines


class Kept:
    """Deadlines by name, and when each expired."""

    def __init__(self) -> None:
        self.expired: dict[str, float] = {}
        self.deadlines: Deadlines[str] = Deadlines(self._expired)

    def _expired(self, name: str, now: float) -> None:
        assert name not in self.expired
        assert now == trio.current_time()
        self.expired[name] = now

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.deadlines.run)
            yield
            nursery.cancel_scope.cancel()


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.booleans()), max_size=30))
def test_never_early_and_at_most_a_tick_late(plan: list[tuple[float, float, bool]]) -> None:
    """Each is set after a pause for some seconds; some are dropped half-way."""

    async def play() -> None:
        kept = Kept()
        due: dict[str, float] = {}

        async def drop(name: str, after: float) -> None:
            await trio.sleep(after)
            kept.deadlines.drop(name)

        async with kept.running(), trio.open_nursery() as nursery:
            for number, (pause, seconds, dropped) in enumerate(plan):
                await trio.sleep(pause)
                name = f"{number}"
                kept.deadlines.set(name, trio.current_time() + seconds)
                if dropped and seconds > 2 * TICK:
                    nursery.start_soon(drop, name, seconds / 2)
                else:
                    due[name] = trio.current_time() + seconds
            await trio.sleep(10)
        assert kept.expired.keys() == due.keys()
        assert all(due[name] <= at <= due[name] + TICK + 1e-6 for name, at in kept.expired.items())

    trio.run(play, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_a_deadline_can_be_moved_both_ways(autojump_clock: Any) -> None:
    kept = Kept()
    async with kept.running():
        began = trio.current_time()
        kept.deadlines.set("sooner", began + 50)
        kept.deadlines.set("later", began + 5)
        kept.deadlines.set("sooner", began + 10)
        kept.deadlines.set("later", began + 20)
        await trio.sleep(30)
    assert [round(at - began) for at in (kept.expired["sooner"], kept.expired["later"])] == [10, 20]


async def test_expiry_may_set_and_drop_others(autojump_clock: Any) -> None:
    expired: list[str] = []

    def on_expiry(name: str, now: float) -> None:
        expired.append(name)
        if name == "first":
            deadlines.drop("second")
            deadlines.set("third", now + 5)
            deadlines.set("first", now + 1)

    deadlines: Deadlines[str] = Deadlines(on_expiry)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deadlines.run)
        now = trio.current_time()
        for name in ("first", "second", "third"):
            deadlines.set(name, now + 1)
        with trio.move_on_after(5.5):
            await trio.sleep_forever()
        assert expired[0] == "first"
        assert "second" not in expired
        assert expired.count("first") >= 4  # every second anew
        assert "third" not in expired  # moved away again and again
        nursery.cancel_scope.cancel()
