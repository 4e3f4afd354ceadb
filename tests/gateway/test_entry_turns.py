"""Turns of entry: how many requests come in at once, in which order, and what makes them wait."""

from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from unifyport.gateway import entry_turns
from unifyport.gateway.entry_turns import LONGEST_WAIT, PER_TURN, EntryTurns
from unifyport.gateway.spare_time import DEEPEST, ENOUGH, MOST, SHARE, SpareTime


class Loop(trio.abc.Instrument):
    """Counts turns of the event loop, and notes who entered in which."""

    def __init__(self, turns: EntryTurns) -> None:
        self.turns = turns
        self.number = 0
        self.entered: list[tuple[int, str]] = []
        trio.lowlevel.add_instrument(self)

    def after_io_wait(self, timeout: float) -> None:
        self.number += 1

    async def never_idle(self) -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async def request(self, key: str) -> None:
        await self.turns.enter(key)
        self.entered.append((self.number, key))
        self.turns.leave(key)

    @property
    def most_in_a_turn(self) -> int:
        return max(Counter(number for number, _ in self.entered).values())


async def test_a_turn_lets_in_sixteen_and_one_of_each_account_first() -> None:
    loop = Loop(EntryTurns())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.never_idle)
        await loop.request("other")  # the flood has company
        async with trio.open_nursery() as requests:
            for _ in range(100):
                requests.start_soon(loop.request, "flood")
            for number in range(20):
                requests.start_soon(loop.request, f"quiet {number}")
        nursery.cancel_scope.cancel()
    assert len(loop.entered) == 121
    assert loop.most_in_a_turn <= PER_TURN
    quiet = [number for number, key in loop.entered if key.startswith("quiet")]
    first = min(quiet)
    assert max(quiet) - first <= 2  # 21 accounts need two turns
    before = [key for number, key in loop.entered if key == "flood" and number <= max(quiet)]
    assert len(before) <= 1  # the first one; the others wait for time to spare


class Processor:
    """A processor and its clock, in seconds."""

    def __init__(self) -> None:
        self.used = self.now = 0.0

    def spare_time(self) -> SpareTime:
        return SpareTime(used=lambda: self.used, clock=lambda: self.now)

    def work(self, seconds: float, *, of: float) -> None:
        self.used += seconds
        self.now += of


async def test_in_company_a_flood_enters_while_the_processor_has_time_to_spare() -> None:
    processor = Processor()
    loop = Loop(EntryTurns(spare=processor.spare_time()))
    await loop.turns.enter("flood")  # and stays in work
    await loop.request("quiet")
    processor.work(0.01, of=0.01)  # a whole core: there is nothing to spare
    async with trio.open_nursery() as nursery:
        for _ in range(2 * entry_turns.BATCH):
            nursery.start_soon(loop.request, "flood")
        await trio.testing.wait_all_tasks_blocked()
        await loop.request("quiet")  # does not wait
        assert [key for _, key in loop.entered] == ["quiet", "quiet"]
        processor.work(0.0, of=0.1)
        began = trio.current_time()
    assert trio.current_time() - began < LONGEST_WAIT
    assert len(loop.entered) == 2 + 2 * entry_turns.BATCH


def test_time_to_spare_is_a_share_of_a_core_and_debts_are_bounded() -> None:
    processor = Processor()
    spare = processor.spare_time()
    assert spare.wait() == 0.0
    processor.work(SHARE * 1.0, of=1.0)
    assert spare.wait() == 0.0
    processor.work(MOST - ENOUGH + 0.0007, of=0.0)
    assert spare.wait() == pytest.approx(0.0007 / SHARE)
    processor.work(60.0, of=60.0)  # one long computation
    assert spare.wait() == pytest.approx((ENOUGH + DEEPEST) / SHARE)
    processor.work(0.0, of=spare.wait())
    assert spare.wait() == pytest.approx(0.0, abs=1e-9)


async def test_requests_of_an_account_are_first_in_first_out() -> None:
    turns, order = EntryTurns(), list[str]()

    async def request(batch: str) -> None:
        await turns.enter("a")
        order.append(batch)
        turns.leave("a")

    async with trio.open_nursery() as nursery:
        for batch in ("first", "second"):
            for _ in range(100):
                nursery.start_soon(request, batch)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
    sure = 100 - PER_TURN  # the loop shuffles what is ready in one turn
    assert (order[:sure], order[-sure:]) == (["first"] * sure, ["second"] * sure)


async def test_an_account_alone_enters_as_fast_as_turns_go(autojump_clock: MockClock) -> None:
    loop = Loop(EntryTurns())
    await loop.request("other")
    await loop.request("flood")
    await trio.sleep(entry_turns.LONGEST_WAIT + 1)  # nobody else for a second
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.never_idle)
        async with trio.open_nursery() as requests:
            for _ in range(64):
                requests.start_soon(loop.request, "flood")
        nursery.cancel_scope.cancel()
    numbers = [number for number, key in loop.entered[2:]]
    assert max(numbers) - min(numbers) <= 64 // PER_TURN + 1


async def test_who_has_waited_for_long_enters_although_the_loop_is_never_idle() -> None:
    loop = Loop(EntryTurns())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.never_idle)
        async with trio.open_nursery() as requests:
            for number in range(200):
                requests.start_soon(loop.request, ("a", "b")[number % 2])
        nursery.cancel_scope.cancel()
    assert Counter(key for _, key in loop.entered) == {"a": 100, "b": 100}


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    turns = EntryTurns()
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(turns.enter, "a")
        nursery.cancel_scope.cancel()
    with trio.fail_after(5):
        await turns.enter("b")
        async with trio.open_nursery() as nursery:
            for _ in range(2 * PER_TURN):  # more than one turn: trio drops an instrument that has raised
                nursery.start_soon(turns.enter, "b")


async def test_cancelled_requests_do_not_shorten_the_wait_of_others(autojump_clock: MockClock) -> None:
    loop = Loop(EntryTurns())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.never_idle)
        await loop.request("other")  # the flood has company
        scopes = trio.CancelScope(), trio.CancelScope()

        async def flood(scope: trio.CancelScope) -> None:
            with scope:
                async with trio.open_nursery() as requests:
                    for _ in range(100):
                        requests.start_soon(loop.request, "flood")

        for scope in scopes:
            nursery.start_soon(flood, scope)
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            autojump_clock.jump(LONGEST_WAIT * 0.6)
        scopes[0].cancel()
        loop.entered.clear()
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert not loop.entered  # those that are left have not waited for so long
        autojump_clock.jump(LONGEST_WAIT * 0.5)
        while len(loop.entered) < 100:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert loop.most_in_a_turn == PER_TURN


async def test_ingress_waits_for_deliveries_of_accounts_with_requests_in_work() -> None:
    behind = True
    loop = Loop(EntryTurns(lambda: behind, spare=Processor().spare_time()))
    await loop.turns.enter("a")  # nothing else of it is in work, so it does not wait
    assert loop.number == 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.never_idle)
        began = trio.current_time()
        await loop.turns.enter("b")
        await loop.turns.enter("a")
        assert LONGEST_WAIT <= trio.current_time() - began < 10 * LONGEST_WAIT
        nursery.cancel_scope.cancel()
    behind, number = False, loop.number
    await trio.lowlevel.checkpoint()
    await loop.turns.enter("a")
    assert loop.number <= number + 3
