"""one_for_one with dynamic children: a child's end does not affect the others.

Every child is one task in the supervisor's nursery. Its restart loop runs *inside* that task: a restart makes
no nursery, no task and no timer, so that ten thousand children that crash together cost ten thousand turns of
their loops. Verbs (start, stop, restart, reset, remove) write what is desired, wake the child's loop and
shorten the running incarnation's deadline; only the child's own loop decides, by `decide`. A verb between two
incarnations is therefore not lost.
"""

import enum
import functools
import logging
import random
from collections.abc import Callable, Iterable

import attrs
import trio

from .admission import Ticket
from .decide import Action, Desired, Escalate, Idle, Run, Wait, Why, decide
from .history import FailureRecord, History
from .incarnation import CancelReason, Incarnation, run_incarnation
from .introspection import Supervisor
from .outcomes import Exhausted, Outcome
from .phase import Phase
from .policy import Policy
from .probing import Watch
from .spec import ChildSpec
from .turnstile import turnstile
from .wake import Wake

log = logging.getLogger("supervisors")


class _Changed(enum.Enum):
    """A verb changed the decision while a child waited for a ticket."""

    CHANGED = "changed"


_CHANGED = _Changed.CHANGED


@attrs.frozen
class ChildState:
    """A snapshot for introspection and listeners; times are trio's clock."""

    id: str
    phase: Phase
    since: float
    desired: Desired
    incarnations: int
    restarts_in_window: int
    budget_left: int
    next_retry_at: float | None
    last: Outcome | None
    terminal: str | None
    recent: tuple[FailureRecord, ...]
    failed_probes: int = 0  # in a row
    probe_restart_held: bool = False  # its restart is held back because many children are silent


Listener = Callable[[ChildState], None]


class UnknownChild(KeyError):
    """There is no child with this id."""


class TooManyChildren(Exception):
    """The supervisor has `max_children` already."""


class _Child:
    __slots__ = (
        "desired",
        "history",
        "incarnation",
        "listener",
        "next_retry_at",
        "phase",
        "removed",
        "seen",
        "settled",
        "since",
        "spec",
        "ticket",
        "verb",
        "wake",
        "watch",
    )

    def __init__(
        self, spec: ChildSpec, desired: Desired, history: History, listener: Listener | None
    ) -> None:
        self.spec = spec
        self.desired = desired
        self.history = history
        self.listener = listener
        self.phase = Phase.STOPPED
        self.since = trio.current_time()
        self.next_retry_at: float | None = None
        self.incarnation: Incarnation | None = None
        self.ticket: Ticket | None = None  # while it starts
        self.watch: Watch | None = None  # while it runs and is probed
        self.wake = Wake()
        self.verb = 0  # number of the last verb written
        self.seen = 0  # number of the last verb that the loop has acted on
        self.settled: trio.Event | None = None
        self.removed = False

    def state(self) -> ChildState:
        now, policy = trio.current_time(), self.spec.policy
        used = self.history.in_window(policy, now)
        return ChildState(
            id=self.spec.id,
            phase=self.phase,
            since=self.since,
            desired=self.desired,
            incarnations=self.history.incarnations,
            restarts_in_window=used,
            budget_left=max(0, policy.max_restarts - used),
            next_retry_at=self.next_retry_at,
            last=self.history.last,
            terminal=self.history.terminal,
            recent=self.history.recent,
            failed_probes=0 if self.watch is None else self.watch.failures,
            probe_restart_held=self.watch is not None and self.watch.held,
        )

    def enter(self, phase: Phase, next_retry_at: float | None = None, *, always: bool = False) -> None:
        changed = phase is not self.phase
        self.next_retry_at = next_retry_at
        if changed:
            self.phase, self.since = phase, trio.current_time()
        if self.listener is not None and (changed or always or next_retry_at is not None):
            try:
                self.listener(self.state())
            except Exception:  # a listener's bug must not end the child's siblings
                log.exception("child %s: its listener failed", self.spec.id)


_IDLE_PHASE = {
    Why.STOPPED: Phase.STOPPED,
    Why.TERMINAL: Phase.TERMINAL,
    Why.COMPLETED: Phase.COMPLETED,
    Why.FAILED: Phase.FAILED,
    Why.EXHAUSTED: Phase.EXHAUSTED,
}
_WAIT_PHASE = {
    Why.DEFERRED: Phase.DEFERRED,
    Why.BACKING_OFF: Phase.BACKING_OFF,
    Why.PARKED: Phase.PARKED,
}


class OneForOne:
    """A supervisor of independent children, itself runnable as the body of a child.

    Children may be added before `run` is entered; they start when it is. `run` reports itself started as
    soon as it accepts children, not when all of them are up. They are stopped all at once or, with
    `stop_in_order`, one after another, last added first. There are never more than `max_children`.
    """

    strategy = "one_for_one"

    def __init__(
        self,
        *,
        stop_in_order: bool = False,
        max_children: int | None = None,
        draw: Callable[[], float] = lambda: random.uniform(-1.0, 1.0),  # noqa: S311
    ) -> None:
        self._in_order = stop_in_order
        self.max_children = max_children
        self._stopping = False
        self._children: dict[str, _Child] = {}
        self._nursery: trio.Nursery | None = None
        self._draw = draw

    # -- running ------------------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """Supervise until asked to stop (children are then stopped, each by its own policy) or cancelled.

        Raises `Exhausted` when a child escalates.
        """
        async with trio.open_nursery() as nursery:
            self._nursery, self._stopping = nursery, False
            try:
                for child in self._children.values():
                    nursery.start_soon(self._supervise, child)
                incarnation.started()
                await incarnation.stopping()
                await self._stop_all()
                nursery.cancel_scope.cancel()
            finally:
                self._nursery = None

    async def _stop_all(self) -> None:
        """Stop every child but keep what is desired of it: a later `run` starts them again."""
        self._stopping = True
        for child in reversed(self._children.values()):
            if self._in_order:
                await self._stop_one(child)
            elif child.incarnation is not None:
                self._end(child, child.incarnation, CancelReason.STOP)
            else:
                child.wake.ring()
        for child in list(self._children.values()):
            await self._stop_one(child)

    async def _stop_one(self, child: _Child) -> None:
        running, policy = child.incarnation, child.spec.policy
        if running is None:
            child.wake.ring()
            return
        if not running.stop_requested:
            self._end(child, running, CancelReason.STOP)
        with trio.move_on_after(policy.stop_grace + policy.stop_timeout):
            await running.ended.wait()

    async def _supervise(self, child: _Child) -> None:
        """The restart loop. Raises only `Cancelled` and `Exhausted`."""
        while not child.removed:
            action = self._decide(child)
            if not isinstance(action, Run):
                self._mark_seen(child)
            match action:
                case Run():
                    ticket = await self._admitted(child)
                    if ticket is not _CHANGED:
                        await self._incarnate(child, ticket)
                case Wait(until=until, why=why):
                    child.enter(_WAIT_PHASE[why], until)
                    await child.wake.wait(until)
                    await turnstile().enter()  # many children may be due at the same moment
                case Idle(why=why):
                    child.enter(_IDLE_PHASE[why])
                    await child.wake.wait()
                case Escalate():
                    child.history = child.history.reset()  # the supervisor's next run begins anew, as in OTP
                    raise Exhausted(child.spec.id)
        self._children.pop(child.spec.id, None)
        child.enter(Phase.STOPPED, always=True)
        self._mark_seen(child)

    def _decide(self, child: _Child) -> Action:
        desired = Desired.STOPPED if self._stopping or child.removed else child.desired
        return decide(child.spec.policy, child.history, desired, trio.current_time())

    async def _admitted(self, child: _Child) -> Ticket | _Changed | None:
        """Wait for a ticket to start; None if the spec has no admission.

        A verb that changes the decision ends the wait with `_CHANGED`.
        """
        admission = child.spec.admission
        if admission is None:
            return None
        ticket = admission.request_slot(child.history.urgency, child.wake.ring)
        wanted = False  # a verb or a cancel may come between the grant and this task's next turn
        try:
            await trio.lowlevel.checkpoint()  # a ticket granted at once causes no phase `waiting`
            while not ticket.granted and isinstance(self._decide(child), Run):
                child.enter(Phase.WAITING)
                self._mark_seen(child)
                await child.wake.wait()
            wanted = isinstance(self._decide(child), Run)
        finally:
            if not wanted:
                admission.release(ticket)
        return ticket if wanted else _CHANGED

    async def _incarnate(self, child: _Child, ticket: Ticket | None) -> None:
        policy = child.spec.policy
        child.ticket = ticket
        child.history = child.history.began()
        child.incarnation = incarnation = Incarnation(
            child.history.incarnations, policy.start_timeout, functools.partial(self._mark_up, child)
        )
        child.enter(Phase.STARTING)
        self._mark_seen(child)
        try:
            outcome = await run_incarnation(child.spec, incarnation)
        finally:
            child.incarnation = None
            self._unwatch(child)
            self._give_back(child)
        now = trio.current_time()
        ran_for = now - incarnation.started_at if incarnation.started_at is not None else 0.0
        child.history = child.history.after(policy, outcome, ran_for=ran_for, now=now, draw=self._draw())

    def _mark_up(self, child: _Child) -> None:
        self._give_back(child)
        self._watch(child)
        child.enter(Phase.RUNNING)

    def _give_back(self, child: _Child) -> None:
        """Release the ticket of a start that has ended."""
        if child.ticket is not None and child.spec.admission is not None:
            child.spec.admission.release(child.ticket)
            child.ticket = None

    # -- probes ----------------------------------------------------------------------------------------------

    def _watch(self, child: _Child) -> None:
        """Start probing a running child, if its spec and its policy say so."""
        self._unwatch(child)
        spec, probe = child.spec, child.spec.policy.probe
        if spec.prober is None or spec.probed is None or probe is None:
            return

        def judge(watch: Watch, restart: bool) -> None:
            if restart:
                self.fail_probe(spec.id)
            else:
                child.enter(child.phase, child.next_retry_at, always=True)

        child.watch = spec.prober.watch(spec.id, spec.probed, probe, judge)

    def _unwatch(self, child: _Child) -> None:
        if child.watch is not None and child.spec.prober is not None:
            child.spec.prober.forget(child.watch)
            child.watch = None

    def _mark_seen(self, child: _Child) -> None:
        child.seen = child.verb
        if child.settled is not None:
            child.settled.set()
            child.settled = None

    # -- verbs: write, ring, return the verb's number --------------------------------------------------------

    def add(
        self,
        spec: ChildSpec,
        *,
        desired: Desired = Desired.RUNNING,
        terminal: str | None = None,
        not_before: float | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Add a child. `terminal` and `not_before` restore its state from an earlier process.

        Raises `ValueError` if the id exists, `TooManyChildren`.
        """
        if spec.id in self._children:
            raise ValueError(f"child {spec.id!r} exists")
        if self.full:
            raise TooManyChildren(f"there are {len(self._children)} children, which is the most allowed")
        child = _Child(spec, desired, History(terminal=terminal, not_before=not_before), listener)
        self._children[spec.id] = child
        if self._nursery is not None:
            self._nursery.start_soon(self._supervise, child)

    def remove(self, child_id: str) -> None:
        """Stop a child and forget it."""
        child = self._child(child_id)
        child.removed = True
        self._command(child, desired=Desired.STOPPED)
        if self._nursery is None:
            del self._children[child_id]

    def start(self, child_id: str) -> int:
        """Set desired to running, and try a child in back-off or parked now. No effect on a running child."""
        child = self._child(child_id)
        if child.incarnation is None:
            child.history = attrs.evolve(child.history, try_now=True)
        return self._command(child, desired=Desired.RUNNING)

    def stop(self, child_id: str) -> int:
        return self._command(self._child(child_id), desired=Desired.STOPPED)

    def restart(self, child_id: str) -> int:
        """End the running incarnation and run the next one at once; costs no budget."""
        child = self._child(child_id)
        child.history = attrs.evolve(child.history, try_now=True)
        child.desired = Desired.RUNNING
        return self._command(child, end=CancelReason.STOP)

    def fail_probe(self, child_id: str) -> int:
        """End the running incarnation as failed: it costs budget, and the back-off applies."""
        return self._command(self._child(child_id), end=CancelReason.RESTART)

    def reset(self, child_id: str) -> int:
        """Forget the child's failures and its terminal reason, but not its `not_before`."""
        child = self._child(child_id)
        child.history = child.history.reset()
        return self._command(child)

    def reconfigure(self, child_id: str, policy: Policy) -> int:
        """Give a child another policy. The running incarnation goes on; probes follow the new policy."""
        child = self._child(child_id)
        probe = child.spec.policy.probe
        child.spec = attrs.evolve(child.spec, policy=policy)
        if child.phase is Phase.RUNNING and policy.probe != probe:
            before = child.watch
            self._watch(child)
            if before is not None and child.watch is not None:
                child.watch.quiet_from = before.quiet_from
        return self._command(child)

    async def settled(self, child_id: str, verb: int, timeout: float = 5.0) -> bool:
        """Wait until the child's loop has acted on verb number `verb`; False after `timeout` seconds."""
        child = self._children.get(child_id)
        with trio.move_on_after(timeout):
            while child is not None and child.seen < verb:
                if child.settled is None:
                    child.settled = trio.Event()
                await child.settled.wait()
            return True
        return False

    def _command(
        self, child: _Child, *, desired: Desired | None = None, end: CancelReason | None = None
    ) -> int:
        child.verb += 1
        if desired is not None:
            child.desired = desired
            end = CancelReason.STOP if desired is Desired.STOPPED else end
        if child.incarnation is None:
            child.wake.ring()
        elif end is not None:
            self._end(child, child.incarnation, end)
        else:
            self._mark_seen(child)  # it runs, as desired
        return child.verb

    def _end(self, child: _Child, incarnation: Incarnation, reason: CancelReason) -> None:
        policy = child.spec.policy
        self._unwatch(child)
        if not incarnation.stop_requested and self._nursery is not None:
            self._nursery.start_soon(self._watch_stop, child, incarnation)
        incarnation.stop(policy.stop_grace, reason)
        if child.phase is not Phase.STUCK:
            child.enter(Phase.STOPPING)

    async def _watch_stop(self, child: _Child, incarnation: Incarnation) -> None:
        policy = child.spec.policy
        with trio.move_on_after(policy.stop_grace + policy.stop_timeout):
            await incarnation.ended.wait()
            return
        if child.incarnation is incarnation:
            child.enter(Phase.STUCK)

    # -- introspection --------------------------------------------------------------------------------------

    def _child(self, child_id: str) -> _Child:
        try:
            return self._children[child_id]
        except KeyError:
            raise UnknownChild(child_id) from None

    def __contains__(self, child_id: str) -> bool:
        return child_id in self._children

    @property
    def full(self) -> bool:
        """Whether there are `max_children` already."""
        return self.max_children is not None and len(self._children) >= self.max_children

    def which_children(self) -> Iterable[ChildState]:
        return [child.state() for child in self._children.values()]

    def supervisor_of(self, child_id: str) -> Supervisor | None:
        return self._child(child_id).spec.supervisor

    def policy(self, child_id: str) -> Policy:
        return self._child(child_id).spec.policy

    def state(self, child_id: str) -> ChildState:
        return self._child(child_id).state()
