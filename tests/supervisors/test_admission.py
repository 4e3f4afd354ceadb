"""Admission: slots, rate, order. All time is a MockClock's."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio

from supervisors import (
    Admission,
    Backoff,
    ChildSpec,
    Incarnation,
    OneForOne,
    Phase,
    Policy,
    Ticket,
    Urgency,
)

from .running import run


class Crowd:
    """Tickets by name, in the order of their grants."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.tickets: dict[str, Ticket] = {}
        self.granted: list[tuple[str, float]] = []

    def request_slot(self, name: str, urgency: Urgency = Urgency.FIRST) -> None:
        self.tickets[name] = self.admission.request_slot(
            urgency, lambda: self.granted.append((name, trio.current_time()))
        )

    def release(self, name: str) -> None:
        self.admission.release(self.tickets[name])

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.granted]


@contextlib.asynccontextmanager
async def crowd_of(slots: int, rate: float = 1000.0) -> AsyncIterator[Crowd]:
    admission = Admission(slots, rate, hold=5.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(admission.run)
        yield Crowd(admission)
        nursery.cancel_scope.cancel()


async def test_slots_are_first_come_first_served(autojump_clock: trio.testing.MockClock) -> None:
    async with crowd_of(2) as crowd:
        for name in "abcd":
            crowd.request_slot(name)
        await trio.sleep(1)
        assert crowd.names == ["a", "b"]
        assert (crowd.admission.starting, crowd.admission.waiting) == (2, 2)
        crowd.release("b")
        await trio.sleep(1)
        assert crowd.names == ["a", "b", "c"]
        crowd.release("a")
        crowd.release("a")  # twice is once
        crowd.release("c")
        await trio.sleep(1)
        assert crowd.names == ["a", "b", "c", "d"]
        assert (crowd.admission.starting, crowd.admission.waiting) == (1, 0)


async def test_a_slow_start_goes_on_without_its_slot_up_to_a_bound(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with crowd_of(2) as crowd:
        for number in range(12):
            crowd.request_slot(f"{number}")
        await trio.sleep(4.9)
        assert len(crowd.names) == 2
        await trio.sleep(0.2)
        assert len(crowd.names) == 4
        await trio.sleep(60)
        assert len(crowd.names) == 6  # three times the slots, and not one more
        crowd.release("3")
        await trio.sleep(60)
        assert len(crowd.names) == 7
        for number in range(5):
            crowd.request_slot(f"urgent {number}", Urgency.WAS_STABLE)
        await trio.sleep(60)
        assert crowd.names[7:] == ["urgent 0", "urgent 1"]  # four times with those


@pytest.mark.parametrize("crowd_is", [Urgency.FIRST, Urgency.FAILING])
async def test_a_crowd_that_hangs_never_holds_up_one_that_ran_well(
    crowd_is: Urgency, autojump_clock: trio.testing.MockClock
) -> None:
    async with crowd_of(4) as crowd:
        for number in range(1000):
            crowd.request_slot(f"{number}", crowd_is)
        for number in range(40):  # at any time, whatever the crowd is at
            crowd.request_slot(f"well {number}", Urgency.WAS_STABLE)
            await trio.sleep(0.1)
            assert f"well {number}" in crowd.names
            crowd.release(f"well {number}")
            await trio.sleep(1.7)


async def test_who_is_more_urgent_goes_first_and_the_withdrawn_not_at_all(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with crowd_of(2) as crowd:
        crowd.request_slot("x")
        crowd.request_slot("y")
        await trio.sleep(0.1)
        for name, urgency in (
            ("failing", Urgency.FAILING),
            ("first", Urgency.FIRST),
            ("gone", Urgency.OPERATOR),
            ("stable", Urgency.WAS_STABLE),
            ("operator", Urgency.OPERATOR),
        ):
            crowd.request_slot(name, urgency)
        crowd.release("gone")
        for name in ("x", "y", "operator", "stable", "first"):
            crowd.release(name)
            await trio.sleep(0.1)
        assert crowd.names == ["x", "y", "operator", "stable", "first", "failing"]
        assert not crowd.tickets["gone"].granted or "gone" not in crowd.names


async def test_failing_children_get_half_of_the_slots(autojump_clock: trio.testing.MockClock) -> None:
    admission = Admission(slots=4, rate=1000.0)
    crowd = Crowd(admission)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(admission.run)
        for number in range(10):
            crowd.request_slot(f"failing {number}", Urgency.FAILING)
        await trio.sleep(1)
        assert len(crowd.names) == 2
        crowd.request_slot("healthy", Urgency.WAS_STABLE)
        await trio.sleep(0.1)
        assert crowd.names[-1] == "healthy"
        nursery.cancel_scope.cancel()


async def test_the_rate_is_never_exceeded(autojump_clock: trio.testing.MockClock) -> None:
    admission = Admission(slots=100, rate=5.0)
    crowd = Crowd(admission)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(admission.run)
        for burst in range(3):
            for number in range(20):
                crowd.request_slot(f"{burst}.{number}")
            await trio.sleep(3.3)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    times = [at for _, at in crowd.granted]
    assert len(times) == 60
    for began in times:
        assert sum(1 for at in times if began <= at < began + 1 - 1e-9) <= 5


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"rate": 0}, {"hold": -1}])
def test_impossible_numbers(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Admission(**wrong)  # type: ignore[arg-type]


async def test_a_thousand_children_that_crash_together(autojump_clock: trio.testing.MockClock) -> None:
    """Behind an admission their starts never exceed its slots, and all come back."""
    admission = Admission(slots=10, rate=100.0)
    supervisor, up, most = OneForOne(draw=lambda: 0.0), set[str](), [0]
    crash, crashed = trio.Event(), [False]
    policy = Policy(backoff=Backoff(1, 2, 8, 0))

    def body(name: str) -> Callable[[Incarnation], Awaitable[None]]:
        async def child(incarnation: Incarnation) -> None:
            most[0] = max(most[0], admission.starting)
            await trio.sleep(0.05)
            incarnation.started()
            up.add(name)
            if not crashed[0]:
                await crash.wait()
                up.discard(name)
                raise RuntimeError("a crash that the test ordered")
            await incarnation.stopping()

        return child

    async def script() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(admission.run)
            for number in range(1000):
                spec = ChildSpec(f"{number}", body(f"{number}"), policy, admission=admission)
                supervisor.add(spec)
            with trio.fail_after(60):
                while len(up) < 1000:
                    await trio.sleep(0.1)
            crashed[0] = True
            crash.set()
            await trio.sleep(0.1)
            assert not up
            states = Counter(state.phase for state in supervisor.which_children())
            assert states == {Phase.BACKING_OFF: 1000}
            with trio.fail_after(60):
                while len(up) < 1000:
                    await trio.sleep(0.1)
            nursery.cancel_scope.cancel()

    await run(supervisor, script)
    assert most[0] <= 10


async def test_verbs_reach_a_child_that_waits_to_start(autojump_clock: trio.testing.MockClock) -> None:
    admission, supervisor = Admission(slots=1, rate=1000.0), OneForOne()
    release = trio.Event()

    async def slow(incarnation: Incarnation) -> None:
        await release.wait()
        incarnation.started()
        await incarnation.stopping()

    async def script() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(admission.run)
            for name in "abc":
                supervisor.add(ChildSpec(name, slow, Policy(), admission=admission))
                await trio.sleep(1)  # in this order: trio runs tasks that are ready together in any order
            assert supervisor.state("b").phase is Phase.WAITING
            assert await supervisor.settled("b", supervisor.stop("b"))
            assert supervisor.state("b").phase is Phase.STOPPED
            supervisor.remove("c")
            await trio.sleep(0.1)
            assert "c" not in supervisor
            assert admission.waiting == 0
            supervisor.start("b")
            await trio.sleep(0.1)
            assert supervisor.state("b").phase is Phase.WAITING
            release.set()
            await trio.sleep(0.1)
            assert supervisor.state("a").phase is Phase.RUNNING
            assert supervisor.state("b").phase is Phase.RUNNING
            assert admission.starting == 0
            nursery.cancel_scope.cancel()

    await run(supervisor, script)


@pytest.mark.parametrize("busy", [False, True])
async def test_a_stop_in_the_moment_of_the_grant_wins_and_gives_the_slot_back(
    busy: bool, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission, supervisor = Admission(slots=1, rate=1000.0), OneForOne()
    release, runs = trio.Event(), []

    async def slow(incarnation: Incarnation) -> None:
        await release.wait()
        incarnation.started()
        await incarnation.stopping()

    async def never(incarnation: Incarnation) -> None:
        runs.append(incarnation.number)
        await trio.sleep_forever()

    ask = admission.request_slot

    def asked(urgency: Urgency, on_grant: Callable[[], None]) -> Ticket:
        def granted() -> None:
            on_grant()
            supervisor.stop("stopped")

        return ask(urgency, granted)

    async def script() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(admission.run)
            if busy:
                supervisor.add(ChildSpec("first", slow, Policy(), admission=admission))
                await trio.sleep(1)
            monkeypatch.setattr(admission, "request_slot", asked)
            supervisor.add(ChildSpec("stopped", never, Policy(), admission=admission))
            await trio.sleep(1)
            release.set()
            await trio.sleep(1)
            assert (runs, supervisor.state("stopped").phase) == ([], Phase.STOPPED)
            assert (admission.starting, admission.waiting) == (0, 0)
            nursery.cancel_scope.cancel()

    await run(supervisor, script)
