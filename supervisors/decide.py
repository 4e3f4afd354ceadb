"""The restart decision: a pure function of (policy, history, desired, now).

    desired = STOPPED                              -> Idle(stopped)
    terminal reason known                          -> Idle(terminal)
    ended by itself, restart type says no          -> Idle(completed / failed)
    `not_before` lies ahead                        -> Wait(deferred)
    never ran, was stopped, or was reset           -> Run
    budget of the window spent                     -> park: Wait(parked), then Run; stop: Idle;
                                                      escalate: Escalate
    else                                           -> Wait(backing_off), then Run

The operator's "try now" ends a back-off or a parking, at most once per `backoff.initial`.
"""

import enum

import attrs

from .history import History
from .outcomes import Ended, Kind, Outcome
from .policy import OnExhausted, Policy, Restart

QUICK_TRIES_IN_CONFLICT = 3


class Desired(enum.Enum):
    RUNNING = "running"
    STOPPED = "stopped"


class Why(enum.Enum):
    """The reason of an `Idle` or a `Wait`."""

    STOPPED = "stopped"
    TERMINAL = "terminal"
    COMPLETED = "completed"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    DEFERRED = "deferred"
    BACKING_OFF = "backing_off"
    PARKED = "parked"


@attrs.frozen
class Run:
    """Run the next incarnation now."""


@attrs.frozen
class Wait:
    until: float
    why: Why


@attrs.frozen
class Idle:
    """Do nothing until a verb (start, restart, reset, reconfigure) changes the decision."""

    why: Why


@attrs.frozen
class Escalate:
    """The budget is spent, and the policy passes the failure to the supervisor's own supervisor."""


Action = Run | Wait | Idle | Escalate
_RUN = Run()

# What every restart needs of enums: in Python 3.11 a look-up in the class is slower than a function call.
_STOPPED, _PERMANENT, _BACKING_OFF = Desired.STOPPED, Restart.PERMANENT, Why.BACKING_OFF
_DEFERRED, _CONFLICT = Kind.DEFERRED, Kind.CONFLICT


def decide(policy: Policy, history: History, desired: Desired, now: float) -> Action:
    """What to do with a child that is not running at `now` (seconds of a monotonic clock)."""
    if desired is _STOPPED:
        return Idle(Why.STOPPED)
    if history.terminal is not None:
        return Idle(Why.TERMINAL)
    last = history.last
    if last is not None and not history.try_now and not _runs_again(policy, last):
        return Idle(Why.COMPLETED if last.ended is Ended.COMPLETED else Why.FAILED)
    if history.not_before is not None and history.not_before > now:
        return Wait(history.not_before, Why.DEFERRED)
    if last is None or history.ended_at is None:
        return _RUN
    return _decide_after_end(policy, history, history.ended_at, now)


def _runs_again(policy: Policy, last: Outcome) -> bool:
    """Whether the restart type allows a child that ended by itself to run again."""
    if policy.restart is _PERMANENT:
        return True
    return policy.restart is Restart.TRANSIENT and last.ended is not Ended.COMPLETED


def _decide_after_end(policy: Policy, history: History, ended_at: float, now: float) -> Action:
    """The decision for a child that ran and ended by itself."""
    assert history.last is not None
    failure = history.last.failure
    if history.try_now:
        return _run_or_wait(ended_at + policy.backoff.initial, _BACKING_OFF, now)
    if failure is not None and failure.kind is _DEFERRED:
        return _RUN  # `not_before` has passed
    if history.in_window(policy, now) > policy.max_restarts:
        if policy.on_exhausted is OnExhausted.STOP:
            return Idle(Why.EXHAUSTED)
        if policy.on_exhausted is OnExhausted.ESCALATE:
            return Escalate()
        return _run_or_wait(ended_at + policy.park_interval, Why.PARKED, now)
    if failure is not None and failure.kind is _CONFLICT and history.consecutive > QUICK_TRIES_IN_CONFLICT:
        delay = policy.backoff.max
    else:
        delay = policy.backoff.delay(history.consecutive, history.draw)
    return _run_or_wait(ended_at + delay, _BACKING_OFF, now)


def _run_or_wait(due: float, why: Why, now: float) -> Action:
    return _RUN if now >= due else Wait(due, why)
