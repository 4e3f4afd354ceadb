"""The parity table: every way to end × every restart type, undisturbed and with every verb in its midst."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from supervisors import (
    Backoff,
    ChildSpec,
    Incarnation,
    OneForOne,
    Phase,
    Policy,
    Restart,
    RetryLater,
    Terminal,
)

Body = Callable[[Incarnation], Awaitable[None]]

PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY


async def crash_in_start(me: Incarnation) -> None:
    await trio.sleep(0.1)
    raise RuntimeError


async def crash_in_run(me: Incarnation) -> None:
    me.started()
    await trio.sleep(0.1)
    raise RuntimeError


async def clean_exit(me: Incarnation) -> None:
    me.started()
    await trio.sleep(0.1)


async def terminal(me: Incarnation) -> None:
    me.started()
    raise Terminal("revoked")


async def rate_limit(me: Incarnation) -> None:
    await trio.sleep(0.1)
    raise RetryLater(10)


async def hang_in_start(me: Incarnation) -> None:
    await trio.sleep_forever()


async def hang_in_stop(me: Incarnation) -> None:
    me.started()
    with trio.CancelScope(shield=True):
        await trio.sleep(400)  # longer than any deadline here, and not for ever: the test wants to end


async def raise_in_cleanup(me: Incarnation) -> None:
    me.started()
    try:
        await trio.sleep_forever()
    finally:
        raise ValueError("while closing")


async def mixed_group(me: Incarnation) -> None:
    me.started()
    await trio.sleep(0.1)
    raise ExceptionGroup("a wait and a bug", [RetryLater(10), RuntimeError()])


async def steady(me: Incarnation) -> None:
    me.started()
    await me.stopping()


#                             permanent         transient         temporary: the phase after 300 s
TABLE: dict[Body, tuple[Phase, Phase, Phase]] = {
    crash_in_start: (Phase.PARKED, Phase.PARKED, Phase.FAILED),
    crash_in_run: (Phase.PARKED, Phase.PARKED, Phase.FAILED),
    clean_exit: (Phase.PARKED, Phase.COMPLETED, Phase.COMPLETED),
    terminal: (Phase.TERMINAL, Phase.TERMINAL, Phase.TERMINAL),
    rate_limit: (Phase.DEFERRED, Phase.DEFERRED, Phase.FAILED),
    hang_in_start: (Phase.PARKED, Phase.PARKED, Phase.FAILED),
    hang_in_stop: (Phase.RUNNING, Phase.RUNNING, Phase.RUNNING),
    raise_in_cleanup: (Phase.RUNNING, Phase.RUNNING, Phase.RUNNING),
    mixed_group: (Phase.PARKED, Phase.PARKED, Phase.FAILED),
    steady: (Phase.RUNNING, Phase.RUNNING, Phase.RUNNING),
}
ROWS = [
    pytest.param(body, restart, phase, id=f"{body.__name__}-{restart.value}")
    for body, phases in TABLE.items()
    for restart, phase in zip((PERMANENT, TRANSIENT, TEMPORARY), phases, strict=True)
]
ENDED = {Phase.TERMINAL, Phase.COMPLETED, Phase.FAILED}


class House:
    """One child under test beside a healthy one; says how often each ran, and never lets two run at once."""

    def __init__(self, body: Body, restart: Restart) -> None:
        self.runs = self.alive = 0
        self.neighbour = 0
        self.supervisor = OneForOne(draw=lambda: 0)
        policy = Policy(
            restart=restart,
            backoff=Backoff(1, 2, 8, 0),
            max_restarts=3,
            window=1000,
            park_interval=100,
            stop_timeout=5,
        )
        self.supervisor.add(ChildSpec("child", self._counted(body), policy))
        self.supervisor.add(ChildSpec("neighbour", self._beside, policy))

    def _counted(self, body: Body) -> Body:
        async def run(me: Incarnation) -> None:
            self.runs += 1
            self.alive += 1
            assert self.alive == 1
            try:
                await body(me)
            finally:
                self.alive -= 1

        return run

    async def _beside(self, me: Incarnation) -> None:
        self.neighbour += 1
        await steady(me)

    @property
    def phase(self) -> Phase:
        return self.supervisor.state("child").phase

    async def run(self, script: Callable[[], Awaitable[None]]) -> None:
        root = Incarnation(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.supervisor.run, root)
            await script()
            assert self.neighbour == 1
            assert self.supervisor.state("neighbour").phase is Phase.RUNNING
            root.stop(60)


@pytest.mark.parametrize(("body", "restart", "phase"), ROWS)
async def test_undisturbed(body: Body, restart: Restart, phase: Phase, autojump_clock: Any) -> None:
    house = House(body, restart)

    async def script() -> None:
        await trio.sleep(300)
        assert house.phase is phase
        spent = {Phase.PARKED: 3, Phase.FAILED: 1, Phase.COMPLETED: 1}.get(phase, 0)
        state = house.supervisor.state("child")
        assert state.budget_left == 3 - (0 if body is rate_limit else spent)
        assert (house.runs == 1) is (phase in ENDED or phase is Phase.RUNNING)

    await house.run(script)


async def test_a_child_that_is_never_run_again_does_not_say_that_it_waits(autojump_clock: Any) -> None:
    house = House(rate_limit, TEMPORARY)

    async def script() -> None:
        await trio.sleep(1)
        assert house.phase is Phase.FAILED

    await house.run(script)


@pytest.mark.parametrize(("body", "restart", "phase"), ROWS)
@pytest.mark.parametrize("at", [0.05, 0.5])  # while it starts or runs; and while it waits or has ended
async def test_a_stop_wins(
    body: Body, restart: Restart, phase: Phase, at: float, autojump_clock: Any
) -> None:
    house = House(body, restart)

    async def script() -> None:
        await trio.sleep(at)
        number = house.supervisor.stop("child")
        settled = await house.supervisor.settled("child", number, 20)
        stuck = body is hang_in_stop
        assert settled is not stuck
        assert house.phase is (Phase.STUCK if stuck else Phase.STOPPED)
        runs = house.runs
        await trio.sleep(200)
        assert (house.runs, house.phase) == (runs, Phase.STUCK if stuck else Phase.STOPPED)
        await trio.sleep(300)
        assert (house.runs, house.phase) == (runs, Phase.STOPPED)

    await house.run(script)


@pytest.mark.parametrize(("body", "restart", "phase"), ROWS)
@pytest.mark.parametrize("verb", ["start", "restart"])
async def test_an_operator_runs_it_again(
    body: Body, restart: Restart, phase: Phase, verb: str, autojump_clock: Any
) -> None:
    """At once, whatever the restart type: except against a terminal reason, a wait as told (which `start`
    ends), and beside itself.
    """
    house = House(body, restart)
    exceptions: dict[Body, bool] = {
        terminal: False,
        rate_limit: verb == "start",
        hang_in_stop: False,
        hang_in_start: verb == "restart",
        raise_in_cleanup: verb == "restart",
        steady: verb == "restart",
    }
    again = exceptions.get(body, True)

    async def script() -> None:
        await trio.sleep(0.5)
        assert house.runs == 1
        getattr(house.supervisor, verb)("child")
        await trio.sleep(1)
        assert house.runs == (2 if again else 1)

    await house.run(script)


@pytest.mark.parametrize(("body", "restart", "phase"), ROWS)
async def test_a_reset_forgets(body: Body, restart: Restart, phase: Phase, autojump_clock: Any) -> None:
    house = House(body, restart)

    async def script() -> None:
        await trio.sleep(300)
        runs = house.runs
        house.supervisor.reset("child")
        await trio.sleep(0.05)
        assert house.runs == runs + (phase is not Phase.RUNNING)
        assert house.supervisor.state("child").terminal is None or body is terminal

    await house.run(script)


@pytest.mark.parametrize(("body", "restart", "phase"), ROWS)
@pytest.mark.parametrize("at", [0.05, 0.5])
async def test_a_cancel_from_outside(
    body: Body, restart: Restart, phase: Phase, at: float, autojump_clock: Any
) -> None:
    """Nothing but the cancel gets out, and nothing runs on."""
    house = House(body, restart)
    with trio.move_on_after(at) as scope:
        await house.supervisor.run(Incarnation(1))
    assert scope.cancelled_caught
    assert (house.alive, house.runs) == (0, 1)
