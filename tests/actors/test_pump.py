"""The status pump: what it had in hand, or had not reached,
when it was cancelled is mark_durable by its next run.
"""

from typing import Any, cast

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from actors.account.pump import RETRY_SECONDS, SIDE_BY_SIDE, StatusPump
from actors.account.status import Change, StatusSlot
from actors.reply import Failed

MANY = 3 * SIDE_BY_SIDE + 1


@attrs.define
class Row:
    id: str


class Publisher:
    """An account, as the pump sees it: a slot, and what it is told."""

    def __init__(self, account_id: str) -> None:
        self.row = Row(account_id)
        self.slot = StatusSlot()
        self.is_flushed = False

    def publish(self, pump: StatusPump) -> None:
        self.slot.publish(Change([], {"id": self.row.id}))
        pump.mark(cast(Any, self))

    def take_pending(self) -> tuple[Any, list[Change]]:
        changes = self.slot.take()
        return [change.account_changes["id"] for change in changes], changes

    def put_back(self, changes: list[Change]) -> None:
        self.slot.put_back(changes)

    def mark_durable(self, changes: list[Change]) -> None:
        self.is_flushed = not self.slot


class Road:
    """Where units go: blocked, refusing, or open."""

    def __init__(self) -> None:
        self.blocked = False
        self.refuses = False
        self.gate: trio.Event | None = None
        self.put: list[str] = []
        self.mark_durable: list[str] = []

    async def commit(self, unit: list[str]) -> Any:
        if self.blocked:
            await trio.sleep_forever()
        if self.gate is not None:
            await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if self.refuses:
            return Failed("no")
        self.mark_durable += unit
        return None

    def put_nowait(self, job: Any) -> bool:
        self.put += job.work
        return True


def marked() -> tuple[StatusPump, Road, list[Publisher]]:
    road = Road()
    pump = StatusPump(cast(Any, road))
    publishers = [Publisher(f"acc_{n}") for n in range(MANY)]
    for publisher in publishers:
        publisher.publish(pump)
    return pump, road, publishers


async def test_what_a_cancelled_run_leaves_is_carried_by_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pump, road, publishers = marked()
    road.blocked = True
    with trio.move_on_after(1):
        await pump.run()
    assert road.mark_durable == []
    road.blocked = False
    with trio.move_on_after(1):
        await pump.run()
    assert sorted(road.mark_durable) == sorted(publisher.row.id for publisher in publishers)
    assert all(publisher.is_flushed for publisher in publishers)


async def test_what_comes_back_is_tried_again(autojump_clock: trio.testing.MockClock) -> None:
    pump, road, publishers = marked()
    road.refuses = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        await wait_all_tasks_blocked()
        assert not any(publisher.is_flushed for publisher in publishers)
        road.refuses = False
        await trio.sleep(2 * RETRY_SECONDS)
        nursery.cancel_scope.cancel()
    assert len(road.mark_durable) == len(set(road.mark_durable)) == MANY


async def test_who_is_forgotten_is_not_carried() -> None:
    pump, road, [first, *others] = marked()
    pump.forget(first.row.id)
    assert await pump.flush()
    assert sorted(road.mark_durable) == sorted(publisher.row.id for publisher in others)


async def test_the_end_waits_for_what_is_on_the_road_and_for_what_was_published_meanwhile(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pump, road, [first, *_] = marked()
    road.gate, road.refuses = trio.Event(), True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        await wait_all_tasks_blocked()
        first.slot.publish(Change([], {"id": "newer"}))
        pump.mark(cast(Any, first))
        nursery.start_soon(pump.finish, 10)
        await trio.sleep(1)
        road.gate.set()  # it refuses what it has
        await trio.sleep(RETRY_SECONDS / 2)
        assert not road.mark_durable
        road.refuses = False
        await trio.sleep(2 * RETRY_SECONDS)
        assert first.is_flushed
        assert [name for name in road.mark_durable if name in ("acc_0", "newer")] == ["acc_0", "newer"]
        assert len(road.mark_durable) == MANY + 1
        nursery.cancel_scope.cancel()


async def test_what_the_end_cannot_wait_for_is_left_on_the_road(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pump, road, [first, *_] = marked()
    road.blocked = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        await wait_all_tasks_blocked()
        await pump.finish(3)
        nursery.cancel_scope.cancel()
    assert trio.current_time() == 3
    assert len(road.put) == MANY - SIDE_BY_SIDE  # the others are there already
    assert first.row.id not in road.put
