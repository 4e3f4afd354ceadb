"""rest_for_one and one_for_all: ordered children that are restarted together.

They start in order, each when the one before has reported itself started. When one ends, the children after
it (rest_for_one: each depends on those before it) or all of them (one_for_all: all depend on each other) are
stopped in reverse order, and started again by the ended child's policy. Stopping is the reverse of starting,
with each child's own deadlines.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence

import attrs
import trio

from .decide import Desired, Escalate, Idle, Run, Wait, decide
from .history import History
from .incarnation import Incarnation, run_incarnation
from .introspection import Supervisor
from .outcomes import Exhausted, Outcome
from .phase import Phase
from .spec import ChildSpec
from .wake import Wake


class _Slot:
    """One position in the order."""

    def __init__(self, spec: ChildSpec, wake: Wake) -> None:
        self.spec = spec
        self.history = History()
        self.incarnation: Incarnation | None = None
        self.scope = trio.CancelScope()  # of the incarnation
        self.ended = trio.Event()  # the incarnation has ended
        self.since = trio.current_time()
        self.outcome: Outcome | None = None
        self._wake = wake

    def begin(self) -> Incarnation:
        """The next incarnation; its caller runs it."""
        self.history.began()
        self.since = now = trio.current_time()
        self.incarnation = Incarnation(self.history.incarnations, now + self.spec.policy.start_timeout, self)
        self.scope = trio.CancelScope(deadline=self.incarnation.deadline)
        self.outcome, self.ended = None, trio.Event()
        return self.incarnation

    def mark_up(self, at: float) -> None:
        self.scope.deadline = math.inf
        self._wake.ring()

    def stop(self, incarnation: Incarnation) -> None:
        incarnation.stop(self.spec.policy.stop_grace)
        self.scope.deadline = incarnation.deadline

    def end(self, incarnation: Incarnation, outcome: Outcome, draw: float) -> None:
        """The incarnation has ended."""
        now, started = trio.current_time(), incarnation.started_at
        ran_for = 0.0 if started is None else now - started
        self.history.ended(self.spec.policy, outcome, ran_for=ran_for, now=now, draw=draw)
        self.outcome, self.incarnation, self.since = outcome, None, now


@attrs.frozen
class SlotState:
    """A snapshot; `since` is trio's clock."""

    id: str
    phase: Phase
    since: float
    incarnations: int


class RestForOne:
    """A static, ordered supervisor; runnable as the body of a child, or as the root."""

    strategy = "rest_for_one"

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        draw: Callable[[], float] = lambda: random.uniform(-1.0, 1.0),  # noqa: S311
    ) -> None:
        self._wake = Wake()
        self._slots = [_Slot(spec, self._wake) for spec in specs]
        self._draw = draw

    async def run(self, me: Incarnation) -> None:
        """Supervise until asked to stop. Raises `Exhausted` if a child must not be run again, or is stuck."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ring_on_stop, me)
            first = 0
            while True:
                first = await self._start_from(first, nursery, me)
                if first == _ALL_UP:
                    me.started()
                    first = await self._first_ended(me)
                if me.stop_requested:
                    await self._stop_after(-1)
                    break
                await self._stop_after(self._survivors(first))
                await self._wait_to_restart(self._slots[first], me)
                first = self._survivors(first) + 1
            nursery.cancel_scope.cancel()

    def _survivors(self, ended: int) -> int:
        """The index of the last slot that keeps running when this one has ended; -1: none."""
        return ended - 1

    async def _ring_on_stop(self, me: Incarnation) -> None:
        await me.stopping()
        self._wake.ring()

    async def _start_from(self, first: int, nursery: trio.Nursery, me: Incarnation) -> int:
        """Start slots from `first` on. Returns `_ALL_UP`, the index of an ended slot, or -1 on stop."""
        for index in range(first, len(self._slots)):
            if me.stop_requested:
                return -1
            slot = self._slots[index]
            incarnation = slot.begin()
            nursery.start_soon(self._run_slot, slot, incarnation)
            while incarnation.started_at is None and slot.outcome is None:
                await self._wake.wait()
                if me.stop_requested:
                    return -1
            ended = self._lowest_ended()
            if ended is not None:
                return ended
        return _ALL_UP

    async def _run_slot(self, slot: _Slot, incarnation: Incarnation) -> None:
        try:
            outcome = await run_incarnation(slot.spec, incarnation, slot.scope)
        finally:
            slot.ended.set()
        slot.end(incarnation, outcome, self._draw())
        self._wake.ring()

    async def _first_ended(self, me: Incarnation) -> int:
        while not me.stop_requested:
            ended = self._lowest_ended()
            if ended is not None:
                return ended
            await self._wake.wait()
        return -1

    def _lowest_ended(self) -> int | None:
        for index, slot in enumerate(self._slots):
            if slot.outcome is not None:
                return index
        return None

    async def _stop_after(self, index: int) -> None:
        """Stop the slots after `index`, last first, each by its own deadlines."""
        for slot in reversed(self._slots[index + 1 :]):
            running, policy = slot.incarnation, slot.spec.policy
            if running is not None:
                slot.stop(running)
                with trio.move_on_after(policy.stop_grace + policy.stop_timeout):
                    await slot.ended.wait()
                if not slot.ended.is_set():
                    # trio cannot kill a task, and a second incarnation must not run beside a stuck one.
                    raise Exhausted(f"{slot.spec.id} did not stop")
            slot.outcome = None

    def which_children(self) -> Iterable[SlotState]:
        return [
            SlotState(slot.spec.id, _phase(slot), slot.since, slot.history.incarnations)
            for slot in self._slots
        ]

    def supervisor_of(self, child_id: str) -> Supervisor | None:
        return next((slot.spec.supervisor for slot in self._slots if slot.spec.id == child_id), None)

    async def _wait_to_restart(self, slot: _Slot, me: Incarnation) -> None:
        while not me.stop_requested:
            match decide(slot.spec.policy, slot.history, Desired.RUNNING, trio.current_time()):
                case Run():
                    return
                case Wait(until=until):
                    await self._wake.wait(until)
                case Idle() | Escalate():
                    slot.history.reset()  # the next run begins anew, as in OTP
                    raise Exhausted(slot.spec.id)


def _phase(slot: _Slot) -> Phase:
    running = slot.incarnation
    if running is None:
        return Phase.STOPPED if slot.history.incarnations == 0 else Phase.BACKING_OFF
    if running.stop_requested:
        return Phase.STOPPING
    return Phase.STARTING if running.started_at is None else Phase.RUNNING


class OneForAll(RestForOne):
    """When one child ends, all are stopped and started again."""

    strategy = "one_for_all"

    def _survivors(self, ended: int) -> int:
        return -1


_ALL_UP = 1 << 30
