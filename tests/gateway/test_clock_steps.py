"""The rooms of the gateway while the wall clock is wrong: nothing is lost, blocked or repeated."""

from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from supervisors import Incarnation
from tests.world import World, new_world, now_ms, on_a_mock_clock
from unifyport.config.settings import Settings
from unifyport.delivery.gate import CLOCK_SECONDS
from unifyport.gateway.clock import ClockKeeper
from unifyport.gateway.retention import EVERY, Retention
from unifyport.model.webhook import ENDPOINT_ACTIVE
from unifyport.process.clock import AGREEMENT_MS

DAY = 86_400_000
STEPS = [8 * DAY, -8 * DAY, 24 * 365 * DAY, -26 * 365 * DAY]


class NoFiles:
    async def tidy(self) -> None:
        await trio.lowlevel.checkpoint()


def settings(directory: Path) -> Settings:
    from tests.harness import write_config
    from unifyport.config.settings import load
    from unifyport.providers.registry import standard

    return load(write_config(directory), standard())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("put_right", [True, False])
def test_owed_events_outlive_a_step(tmp_path: Path, step: int, put_right: bool) -> None:
    time = MockClock(autojump_threshold=0)

    async def main() -> None:
        policy = {"max_attempts": 1000, "schedule": ["5s"]}
        world = await new_world(tmp_path / "t.db", secret="s", retry_policy=policy)
        world.store._steady_ms = world.clock.steady_ms
        world.store._now_ms = world.clock.now_ms
        world.answer = lambda text, nth: 503
        async with world.alive(), trio.open_nursery() as nursery:
            retention = Retention(settings(tmp_path), world.writer, cast(Any, NoFiles()), world.clock)
            root = Incarnation(1, float("inf"))
            nursery.start_soon(retention.run, root)
            nursery.start_soon(ClockKeeper(world.clock, world.writer).run, root)
            await world.commit("one")
            await world.commit("two", lane=2)
            await trio.sleep(EVERY)
            world.ahead = step
            await trio.sleep(EVERY + 10)
            await world.commit("three")
            await trio.sleep(EVERY)
            if put_right:
                world.ahead = 0
            await trio.sleep(EVERY)
            time.jump(AGREEMENT_MS / 1000)
            await trio.sleep(EVERY)
            assert world.clock.in_doubt is (not put_right and step < -20 * 365 * DAY)
            world.answer = lambda text, nth: 204
            await world.until(lambda: len(world.delivered) == 3)
            assert sorted(world.delivered) == ["one", "three", "two"]
            # what was written in doubt has its true age: it is purged after its retention, and not before
            time.jump(6 * 86_400)
            await trio.sleep(EVERY + 1)
            assert await world.store.oldest_position() <= 1
            if not world.clock.in_doubt:
                time.jump(2 * 86_400)
                await trio.sleep(EVERY + 1)
                assert await world.store.oldest_position() > 1
            nursery.cancel_scope.cancel()
        world.store.close()

    trio.run(main, clock=time)


@pytest.mark.parametrize("step", STEPS)
def test_a_retry_that_waits_is_tried_in_its_time(tmp_path: Path, step: int) -> None:
    async def main(directory: Path) -> None:
        world = await new_world(directory / "t.db", secret="s", retry_policy={"max_attempts": 9})
        world.answer = lambda text, nth: 204 if nth > 3 else 503
        async with world.alive():
            world.ahead = step
            await world.commit("late")
            await world.until(lambda: len(world.requests) == 2)
            world.ahead = 0
            began = trio.current_time()
            await world.until(lambda: world.delivered)
            assert trio.current_time() - began <= (30 + 120) * 1.2 + 2
        world.store.close()

    trio.run(main, tmp_path, clock=MockClock(autojump_threshold=0))


def test_a_retry_whose_time_was_stored_by_a_clock_ahead_is_tried_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        world = await new_world(tmp_path / "t.db", secret="s", retry_policy={"max_attempts": 9})
        world.answer = lambda text, nth: 503
        async with world.alive():
            world.ahead = 2 * DAY
            await world.commit("late")
            await world.until(lambda: world.requests)
            await trio.sleep(1)
        again = World(world.store)
        async with again.alive():
            began = trio.current_time()
            await again.until(lambda: again.delivered)
            assert trio.current_time() - began <= 5 * 1.2 + 2
        again.store.close()

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_receiver_that_refuses_our_clock_gets_its_events_later(tmp_path: Path, status: int) -> None:
    """One event alone, with one retry: it would be dead after seconds."""

    async def main() -> None:
        world = await new_world(tmp_path / "t.db", secret="s", retry_policy={"max_attempts": 1})
        world.answer = lambda text, nth: status if world.ahead else 204
        async with world.alive():
            world.ahead = 10 * 60_000
            await world.commit("refused")
            await trio.sleep(600)
            assert 3 <= len(world.requests) <= 22
            assert world.requests[2].at - world.requests[1].at >= CLOCK_SECONDS
            world.ahead = 0
            await world.until(lambda: world.delivered)
            assert await world.store.owed(1, 10) == (0, 0)
            world.answer = lambda text, nth: status
            world.clock.accept()
            await world.commit("wrong")  # the clock is right: it is the event's fault
            await trio.sleep(60)
            assert await world.store.owed(1, 10) == (0, 1)
        world.store.close()

    trio.run(main, clock=MockClock(autojump_threshold=0))


@on_a_mock_clock(retry_policy={"max_attempts": 0})
async def test_without_retries_a_refusal_in_doubt_is_no_dead_letter(world: World) -> None:
    world.answer = lambda text, nth: 401 if nth < 4 else 204
    world.ahead = -DAY
    await world.commit("only")
    await world.until(lambda: world.delivered)
    assert await world.store.owed(1, 10) == (0, 0)


@on_a_mock_clock(retry_policy={"max_attempts": 1000, "schedule": ["5s"]})
async def test_an_endpoint_that_fails_since_2000_is_not_disabled_by_the_right_clock(world: World) -> None:
    world.ahead = -26 * 365 * DAY
    world.answer = lambda text, nth: 503
    await world.commit("one", "two", lane=1)
    await world.commit("three", lane=2)
    await trio.sleep(600)
    assert (await world.endpoint()).failing_since is not None
    world.ahead = 0
    await trio.sleep(400)
    assert (await world.endpoint()).status == ENDPOINT_ACTIVE
    world.answer = lambda text, nth: 204
    await world.until(lambda: len(world.delivered) == 3)


@on_a_mock_clock(previous_secret="old", delivery={"signatures": ["standard"]})
async def test_the_previous_secret_signs_as_long_as_its_overlap_whatever_the_clock_shows(
    world: World,
) -> None:
    until = world.clock.steady_ms() + DAY
    await world.change(previous_until=until)
    for number, ahead in enumerate((0, 8 * DAY, 0)):
        world.ahead = ahead
        await world.commit(f"number {number}")
        await trio.sleep(2)
    signatures = [received.headers["webhook-signature"].split() for received in world.requests]
    assert [len(each) for each in signatures] == [2, 2, 2]


@on_a_mock_clock()
async def test_a_login_that_has_not_expired_is_delivered_in_doubt(world: World) -> None:
    world.ahead = 8 * DAY
    await world.commit("scan", expires_at=now_ms() + 60_000)
    await world.until(lambda: world.delivered)


@on_a_mock_clock()
async def test_the_clock_is_remembered_each_minute_and_after_a_step(world: World) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ClockKeeper(world.clock, world.writer).run, Incarnation(1, float("inf")))
        await trio.sleep(1)
        first = await world.store.clock()
        assert first is not None
        assert first.left is None
        await trio.sleep(65)
        second = await world.store.clock()
        assert second is not None
        assert 59_000 <= second.wall - first.wall <= 66_000
        world.ahead = DAY
        await trio.sleep(6)
        third = await world.store.clock()
        assert third is not None
        assert third.left is not None
        assert third.wall - second.wall >= DAY
        nursery.cancel_scope.cancel()
