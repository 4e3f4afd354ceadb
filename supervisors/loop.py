"""The restart loop of a child: decides, waits, starts, judges, and starts again.

A restart is cheap, so that ten thousand children that crash together cost ten thousand turns of their loops
and no more. The loop runs all incarnations of a child in one task and in one cancel scope, which is made anew
only after an incarnation had to be cancelled. One task keeps the deadlines of all starts and stops. The
history is changed in place.

Verbs write what is desired and call `command`, which wakes the loop or asks the running incarnation to end.
Only the loop decides, by `decide`. A verb between two incarnations is therefore not lost.
"""

import math
from collections.abc import Callable

import trio

from .child import Child
from .deadlines import Deadlines
from .decide import Action, Desired, Escalate, Idle, Run, Wait, Why, decide
from .incarnation import CancelReason, Incarnation, errors_of, judge
from .outcomes import Exhausted
from .phase import Phase
from .probing import Watch
from .turnstile import turnstile

_PHASE = {
    Why.STOPPED: Phase.STOPPED,
    Why.TERMINAL: Phase.TERMINAL,
    Why.COMPLETED: Phase.COMPLETED,
    Why.FAILED: Phase.FAILED,
    Why.EXHAUSTED: Phase.EXHAUSTED,
    Why.DEFERRED: Phase.DEFERRED,
    Why.BACKING_OFF: Phase.BACKING_OFF,
    Why.PARKED: Phase.PARKED,
}
# What every restart needs of enums: in Python 3.11 a look-up in the class is slower than a function call.
_STARTING, _RUNNING, _STOPPED = Phase.STARTING, Phase.RUNNING, Desired.STOPPED


class RestartLoops:
    """The loops of all children of a supervisor.

    `draw`: a random number in [-1, 1], for the jitter. `forget`: called when a removed child has ended.
    """

    def __init__(self, draw: Callable[[], float], forget: Callable[[Child], None]) -> None:
        self.stopping = False  # the supervisor stops: no child shall run, whatever is desired of it
        self._draw = draw
        self._forget = forget
        self._now: Callable[[], float] = trio.current_time
        self._deadlines: Deadlines[Child] = Deadlines(self._expire)

    def begin(self, nursery: trio.Nursery) -> None:
        """Keep the deadlines in `nursery`, where the loops run."""
        self.stopping = False
        self._now = trio.lowlevel.current_clock().current_time  # of this run of trio, and faster than trio's
        nursery.start_soon(self._deadlines.run)

    async def supervise(self, child: Child) -> None:
        """Run a child again and again until it is removed.

        Raises only `Exhausted`, `Cancelled` (of an outer scope), `KeyboardInterrupt` or `SystemExit`.
        """
        while not child.removed:
            child.cancelled = False
            try:
                with trio.CancelScope() as child.scope:
                    await self._run_until_cancelled(child)
            except BaseException as caught:
                if child.incarnation is None:
                    raise
                self._ended(child, caught)
            else:
                if child.incarnation is not None:  # the scope caught its own cancel
                    self._ended(child, None)
        self._forget(child)
        child.enter(Phase.STOPPED, self._now(), always=True)
        child.mark_seen()

    async def _run_until_cancelled(self, child: Child) -> None:
        """The loop itself, until the child is removed or its scope was cancelled."""
        while not (child.removed or child.cancelled):
            action = self._decide(child)
            if not isinstance(action, Run):
                await self._wait(child, action)
            elif child.spec.admission is None or await self._admitted(child):
                incarnation = self._begin(child)
                try:
                    await child.spec.run(incarnation)
                except (
                    Exception
                ) as error:  # what is no Exception may hold a Cancelled, which is for the scope
                    self._ended(child, error)
                else:
                    self._ended(child, None)

    def _decide(self, child: Child) -> Action:
        desired = _STOPPED if self.stopping or child.removed else child.desired
        return decide(child.spec.policy, child.history, desired, self._now())

    async def _wait(self, child: Child, action: Wait | Idle | Escalate) -> None:
        """Wait for the time of the decision or for a verb. Raises `Exhausted`."""
        child.mark_seen()
        match action:
            case Wait(until=until, why=why):
                child.enter(_PHASE[why], self._now(), until)
                await child.wake.wait(until)
                await turnstile().enter()  # many children may be due at the same moment
            case Idle(why=why):
                child.enter(_PHASE[why], self._now())
                await child.wake.wait()
            case Escalate():
                child.history.reset()  # the supervisor's next run begins anew, as in OTP
                raise Exhausted(child.spec.id)

    async def _admitted(self, child: Child) -> bool:
        """Wait for a ticket to start. False: a verb changed the decision meanwhile."""
        admission = child.spec.admission
        assert admission is not None
        ticket = admission.request_slot(child.history.urgency, child.wake.ring)
        wanted = False  # a verb or a cancel may come between the grant and this task's next turn
        try:
            await trio.lowlevel.checkpoint()  # a ticket granted at once causes no phase `waiting`
            while not ticket.granted and isinstance(self._decide(child), Run):
                child.enter(Phase.WAITING, self._now())
                child.mark_seen()
                await child.wake.wait()
            wanted = isinstance(self._decide(child), Run)
        finally:
            if wanted:
                child.ticket = ticket
            else:
                admission.release(ticket)
        return wanted

    # -- an incarnation begins, comes up, is asked to end, and ends ------------------------------------------

    def _begin(self, child: Child) -> Incarnation:
        now = self._now()
        child.history.began()
        deadline = now + child.spec.policy.start_timeout
        incarnation = child.incarnation = Incarnation(child.history.incarnations, deadline, child)
        self._deadlines.set(child, deadline)
        child.enter(_STARTING, now)
        child.mark_seen()
        return incarnation

    def mark_up(self, child: Child, now: float) -> None:
        """The incarnation of a child has reported itself started."""
        self._deadlines.drop(child)
        self._give_back(child)
        self.watch(child)
        child.enter(_RUNNING, now)

    def _ended(self, child: Child, caught: BaseException | None) -> None:
        """Judge how an incarnation ended that raised `caught`; control flow in it is raised again."""
        incarnation = child.take_incarnation()
        if incarnation.deadline < math.inf:
            self._deadlines.drop(child)
        self._unwatch(child)
        self._give_back(child)
        spec, scope = child.spec, child.scope
        errors = () if caught is None else errors_of(spec, caught)
        assert scope is not None
        outcome = judge(spec, incarnation, errors, cancelled=scope.cancelled_caught)
        now, started = self._now(), incarnation.started_at
        ran_for = 0.0 if started is None else now - started
        child.history.ended(spec.policy, outcome, ran_for=ran_for, now=now, draw=self._draw())

    def _give_back(self, child: Child) -> None:
        """Release the ticket of a start that has ended."""
        if child.ticket is not None and child.spec.admission is not None:
            child.spec.admission.release(child.ticket)
            child.ticket = None

    def command(
        self, child: Child, *, desired: Desired | None = None, end: CancelReason | None = None
    ) -> int:
        """A verb: `desired` changes, or the running incarnation shall `end`. Returns the verb's number."""
        child.verb += 1
        if desired is not None:
            child.desired = desired
            end = CancelReason.STOP if desired is Desired.STOPPED else end
        if child.incarnation is None:
            child.wake.ring()
        elif end is not None:
            self.end(child, child.incarnation, end)
        else:
            child.mark_seen()  # it runs, as desired
        return child.verb

    def end(self, child: Child, incarnation: Incarnation, reason: CancelReason) -> None:
        """Ask the running incarnation to end within its policy's grace; then it is cancelled."""
        self._unwatch(child)
        policy, asked_before = child.spec.policy, incarnation.stop_requested
        incarnation.stop(policy.stop_grace, reason)
        now = self._now()
        if not child.cancelled and incarnation.deadline <= now:
            self._cancel(child, now)
        elif not child.cancelled:
            self._deadlines.set(child, incarnation.deadline)
        elif not asked_before:  # its start timed out, and it has not ended yet
            self._deadlines.set(child, now + policy.stop_timeout)
        if child.phase is not Phase.STUCK:
            child.enter(Phase.STOPPING, now)

    def _cancel(self, child: Child, now: float) -> None:
        assert child.scope is not None
        child.cancelled = True
        child.scope.cancel()
        if child.incarnation is not None and child.incarnation.stop_requested:
            self._deadlines.set(child, now + child.spec.policy.stop_timeout)

    def _expire(self, child: Child, now: float) -> None:
        """A deadline: of the start or the grace, then of the end after a cancel."""
        if child.cancelled:
            child.enter(Phase.STUCK, now)
        else:
            self._cancel(child, now)

    # -- probes ----------------------------------------------------------------------------------------------

    def watch(self, child: Child) -> None:
        """Start probing a running child, if its spec and its policy say so."""
        spec = child.spec
        if spec.prober is None or spec.probed is None:
            return
        self._unwatch(child)
        probe = spec.policy.probe
        if probe is None:
            return

        def judge_probe(watch: Watch, restart: bool) -> None:
            if restart:
                self.command(child, end=CancelReason.RESTART)
            else:
                child.tell()

        child.watch = spec.prober.watch(spec.id, spec.probed, probe, judge_probe)

    def _unwatch(self, child: Child) -> None:
        if child.watch is not None and child.spec.prober is not None:
            child.spec.prober.forget(child.watch)
            child.watch = None
