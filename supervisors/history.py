"""A child's history, the input of the restart decision.

A child has one history, changed in place when an incarnation begins or ends. Times and random numbers are
arguments, so that a table can test every case.
"""

import enum
from bisect import bisect_right

import attrs

from .outcomes import Ended, Failure, Kind, Outcome
from .policy import Policy

KEPT_FAILURES = 10

# What every restart needs of enums: in Python 3.11 a look-up in the class is slower than a function call.
_STOPPED, _TERMINAL, _DEFERRED = Ended.STOPPED, Kind.TERMINAL, Kind.DEFERRED


class Urgency(enum.IntEnum):
    """The order of starts; a smaller value starts sooner."""

    OPERATOR = 0  # the operator has just asked for it
    WAS_STABLE = 1  # its last run was stable
    FIRST = 2
    FAILING = 3


@attrs.frozen
class FailureRecord:
    at: float
    failure: Failure


@attrs.define
class History:
    """Mutable. The times that it is told never go back."""

    incarnations: int = 0
    consecutive: int = 0  # counted failures since the last stable run
    ended_at: float | None = None  # None: never ran, or reset
    last: Outcome | None = None
    draw: float = 0.0  # the jitter drawn for the pending restart
    terminal: str | None = None
    not_before: float | None = None
    try_now: bool = False  # the operator asked to skip the back-off
    was_stable: bool = False  # the last run lasted `stable_after`
    _restarts: list[float] | None = None  # times of the ends that count against the budget, oldest first
    _recent: list[tuple[float, Failure]] | None = None  # both are made by the first failure

    @property
    def recent(self) -> tuple[FailureRecord, ...]:
        """The last failures, at most `KEPT_FAILURES`, oldest first."""
        return tuple(FailureRecord(at, failure) for at, failure in self._recent or ())

    def in_window(self, policy: Policy, now: float) -> int:
        """Counted restarts inside the policy's window."""
        if not self._restarts:
            return 0
        return len(self._restarts) - bisect_right(self._restarts, now - policy.window)

    @property
    def urgency(self) -> Urgency:
        """How urgent the next start is."""
        if self.try_now:
            return Urgency.OPERATOR
        if self.incarnations == 0:
            return Urgency.FIRST
        return Urgency.WAS_STABLE if self.was_stable else Urgency.FAILING

    def began(self) -> None:
        """An incarnation began."""
        self.incarnations += 1
        self.try_now = False

    def reset(self) -> None:
        """The operator reset it: forget all but `incarnations` and `recent`."""
        self.consecutive, self._restarts = 0, None
        self.ended_at = self.last = self.terminal = self.not_before = None
        self.draw = 0.0
        self.try_now = self.was_stable = False

    def ended(self, policy: Policy, outcome: Outcome, *, ran_for: float, now: float, draw: float) -> None:
        """An incarnation ended. `ran_for`: seconds since it reported itself started."""
        self.draw = draw
        self.was_stable = ran_for >= policy.stable_after and ran_for > 0
        if self.was_stable:
            self.consecutive, self._restarts = 0, None
        failure = outcome.failure
        if failure is not None:
            self._record(now, failure)
        if outcome.ended is _STOPPED:
            self.ended_at = self.last = None
            return
        self.ended_at, self.last = now, outcome
        if failure is not None and failure.kind is _TERMINAL:
            self.terminal = failure.reason
        elif failure is not None and failure.kind is _DEFERRED:
            self.not_before = now + (failure.retry_after or 0.0)
        else:
            self._count(policy, now)

    def _record(self, now: float, failure: Failure) -> None:
        if self._recent is None:
            self._recent = []
        self._recent.append((now, failure))
        if len(self._recent) > KEPT_FAILURES:
            del self._recent[0]

    def _count(self, policy: Policy, now: float) -> None:
        """Count an end against the budget; ends that no decision can depend on any more are dropped."""
        self.consecutive += 1
        if self._restarts is None:
            self._restarts = []
        counted = self._restarts
        if expired := bisect_right(counted, now - policy.window):
            del counted[:expired]
        counted.append(now)
        if len(counted) > policy.max_restarts + 1:
            del counted[0]
