"""Probes: silence, void results, and crowds that fail together. All time is a MockClock's."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from supervisors import (
    Backoff,
    ChildSpec,
    ChildState,
    Incarnation,
    OneForOne,
    Phase,
    Policy,
    Probe,
    Prober,
)

POLICY = Policy(backoff=Backoff(1, 2, 8, 0), max_restarts=3, probe=Probe(60, 10, 3))
ROUND = 60 * 1.2  # the longest interval, spread included


@attrs.define(eq=False)
class Peer:
    """A connection's other side. `answers`: whether a probe is answered; `busy`: our reader waits for us."""

    answers: bool = True
    busy: bool = False
    probes: int = 0
    heard: float = -1.0
    error: Exception | None = None

    def heard_at(self) -> float:
        return self.heard

    def held_up_since(self, at: float) -> bool:
        return self.busy

    async def probe(self) -> None:
        self.probes += 1
        if self.error is not None:
            raise self.error
        if not self.answers:
            await trio.sleep_forever()
        await trio.sleep(0.1)


@attrs.define
class House:
    supervisor: OneForOne
    prober: Prober
    seen: list[ChildState]

    def add(self, child_id: str, peer: Peer, policy: Policy = POLICY) -> None:
        async def run(me: Incarnation) -> None:
            me.started()
            await me.stopping()

        self.supervisor.add(
            ChildSpec(child_id, run, policy, probed=peer, prober=self.prober), listener=self.seen.append
        )

    def incarnations(self, child_id: str = "child") -> int:
        return self.supervisor.state(child_id).incarnations


Script = Callable[[House], Awaitable[None]]


async def play(script: Script, wall: Callable[[], float] | None = None) -> None:
    prober = Prober(wall if wall is not None else trio.current_time)
    house, root = House(OneForOne(draw=lambda: 0), prober, []), Incarnation(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(prober.run)
        nursery.start_soon(house.supervisor.run, root)
        await script(house)
        root.stop(60)
        await root.stopping()
        nursery.cancel_scope.cancel()


@pytest.fixture
def clock(autojump_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    return autojump_clock


async def test_silence_is_not_death(clock: Any) -> None:
    async def script(house: House) -> None:
        peer = Peer()
        house.add("child", peer)
        await trio.sleep(10 * ROUND)
        assert peer.probes >= 9
        assert house.incarnations() == 1
        assert house.supervisor.state("child").failed_probes == 0

    await play(script)


async def test_who_is_heard_is_not_asked(clock: Any) -> None:
    async def script(house: House) -> None:
        peer = Peer(answers=False)
        house.add("child", peer)
        for _ in range(100):
            await trio.sleep(30)
            peer.heard = trio.current_time()
        assert (peer.probes, house.incarnations()) == (0, 1)

    await play(script)


@pytest.mark.parametrize("error", [None, ConnectionError("lost")], ids=["hangs", "raises"])
async def test_no_answer_three_times_is_a_restart_that_costs_budget(
    error: Exception | None, clock: Any
) -> None:
    async def script(house: House) -> None:
        peer = Peer(answers=False, error=error)
        house.add("child", peer)
        await trio.sleep(ROUND + 60 + 10 + 1)
        assert (peer.probes, house.supervisor.state("child").failed_probes, house.incarnations()) == (2, 2, 1)
        await trio.sleep(71 + 2)
        state = house.supervisor.state("child")
        assert (state.incarnations, state.restarts_in_window, state.failed_probes) == (2, 1, 0)
        assert state.recent[-1].failure.reason == "probe_failed"

    await play(script)


async def test_an_answer_in_between_begins_the_count_anew(clock: Any) -> None:
    async def script(house: House) -> None:
        peer = Peer(answers=False)
        house.add("child", peer)
        await trio.sleep(ROUND + 80)
        assert house.supervisor.state("child").failed_probes == 2
        peer.heard = trio.current_time()  # a message, and no answer to the probe
        await trio.sleep(61)
        assert house.supervisor.state("child").failed_probes == 0
        await trio.sleep(ROUND)
        assert (house.supervisor.state("child").failed_probes, house.incarnations()) == (1, 1)

    await play(script)


async def test_bytes_while_it_is_asked_are_an_answer(clock: Any) -> None:
    async def script(house: House) -> None:
        peer = Peer(answers=False)
        house.add("child", peer)
        for _ in range(20):
            seen = peer.probes
            while peer.probes == seen:
                await trio.sleep(1)
            peer.heard = trio.current_time()
        assert (house.incarnations(), house.supervisor.state("child").failed_probes) == (1, 0)

    await play(script)


async def test_our_own_back_pressure_restarts_nobody(clock: Any) -> None:
    async def script(house: House) -> None:
        peer = Peer(answers=False, busy=True)
        house.add("child", peer)
        await trio.sleep(20 * ROUND)
        assert (peer.probes, house.incarnations()) == (0, 1)
        peer.busy = False
        while not peer.probes:
            await trio.sleep(1)
        peer.busy = True  # while it is asked
        await trio.sleep(11)
        assert house.supervisor.state("child").failed_probes == 0

    await play(script)


def test_a_loop_that_lags_restarts_nobody() -> None:
    clock = trio.testing.MockClock()  # moved by hand: a jump is a loop that did not turn meanwhile

    async def script(house: House) -> None:
        peer = Peer(answers=False)
        house.add("child", peer)
        for _ in range(20):
            seen = peer.probes
            while peer.probes == seen:
                clock.jump(0.2)
                await trio.testing.wait_all_tasks_blocked()
            clock.jump(5)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(30):  # and then on to the probe's time-out
                clock.jump(0.2)
                await trio.testing.wait_all_tasks_blocked()
        assert (house.incarnations(), house.supervisor.state("child").failed_probes) == (1, 0)

    trio.run(play, script, clock=clock)


async def test_a_machine_that_slept_restarts_nobody(clock: Any) -> None:
    slept = [0.0]

    async def script(house: House) -> None:
        peer = Peer(answers=False)
        house.add("child", peer)
        for _ in range(10):
            seen = peer.probes
            while peer.probes == seen:
                await trio.sleep(1)
            slept[0] += 3600  # the monotonic clock does not count it
        await trio.sleep(11)
        assert (house.incarnations(), house.supervisor.state("child").failed_probes) == (1, 0)

    await play(script, lambda: trio.current_time() + slept[0])


async def test_a_crowd_that_fails_together_is_the_network(clock: Any) -> None:
    async def script(house: House) -> None:
        silent = [Peer(answers=False) for _ in range(30)]
        for number, peer in enumerate(silent):
            house.add(f"silent-{number}", peer)
        for number in range(70):
            house.add(f"well-{number}", Peer())
        began = trio.current_time()
        await trio.sleep(ROUND + 2 * 70 + 11)  # everybody has failed three times
        restarted = sum(house.incarnations(f"silent-{n}") > 1 for n in range(30))
        assert 1 <= restarted <= (trio.current_time() - began - 190) / 10 + 2  # canaries
        held = [house.supervisor.state(f"silent-{n}") for n in range(30)]
        assert sum(state.probe_restart_held for state in held) >= 20
        assert any(state.probe_restart_held and state.phase is Phase.RUNNING for state in house.seen)
        for peer in silent:
            peer.answers = True  # the network is back
        await trio.sleep(2 * ROUND)
        states = [house.supervisor.state(f"silent-{n}") for n in range(30)]
        assert not any(state.probe_restart_held or state.failed_probes for state in states)
        assert sum(state.incarnations > 1 for state in states) == restarted
        assert house.prober.silent == 0

    await play(script)


async def test_a_few_of_many_are_not_the_network(clock: Any) -> None:
    async def script(house: House) -> None:
        for number in range(15):
            house.add(f"silent-{number}", Peer(answers=False))
        for number in range(85):
            house.add(f"well-{number}", Peer())
        await trio.sleep(ROUND + 2 * 70 + 15)
        assert all(house.incarnations(f"silent-{n}") == 2 for n in range(15))
        assert all(house.incarnations(f"well-{n}") == 1 for n in range(85))

    await play(script)


async def test_policies_turn_probes_off_and_on_while_it_runs(clock: Any) -> None:
    async def script(house: House) -> None:
        peer = Peer(answers=False)
        house.add("child", peer, attrs.evolve(POLICY, probe=None))
        await trio.sleep(1000)
        assert peer.probes == 0
        house.supervisor.reconfigure("child", attrs.evolve(POLICY, probe=Probe(5, 1, 1)))
        await trio.sleep(8)
        assert (peer.probes, house.incarnations()) == (1, 2)
        house.supervisor.reconfigure("child", attrs.evolve(POLICY, probe=None))
        await trio.sleep(1000)
        assert (peer.probes, house.incarnations()) == (1, 2)

    await play(script)


async def test_a_stop_ends_the_probe_in_flight_without_a_verdict(clock: Any) -> None:
    async def script(house: House) -> None:
        peer = Peer(answers=False)
        house.add("child", peer, attrs.evolve(POLICY, probe=Probe(60, 10, 1)))
        while not peer.probes:
            await trio.sleep(1)
        await house.supervisor.settled("child", house.supervisor.restart("child"))
        await trio.sleep(20)
        state = house.supervisor.state("child")
        assert (state.incarnations, state.restarts_in_window) == (2, 0)

    await play(script)
