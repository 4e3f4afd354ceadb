"""A child's history, the input of the restart decision.

A history is a value; `after` makes the next one. Times and random numbers are arguments, so that a table can
test every case.
"""

import enum

import attrs

from .outcomes import Ended, Failure, Kind, Outcome
from .policy import Policy

KEPT_FAILURES = 10


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


@attrs.frozen
class History:
    """`restarts`: times of the failures that count against the budget, oldest first."""

    incarnations: int = 0
    consecutive: int = 0  # counted failures since the last stable run
    restarts: tuple[float, ...] = ()
    ended_at: float | None = None  # None: never ran, or reset
    last: Outcome | None = None
    draw: float = 0.0  # the jitter drawn for the pending restart
    terminal: str | None = None
    not_before: float | None = None
    try_now: bool = False  # the operator asked to skip the back-off
    was_stable: bool = False  # the last run lasted `stable_after`
    recent: tuple[FailureRecord, ...] = ()

    def in_window(self, policy: Policy, now: float) -> int:
        """Counted restarts inside the policy's window."""
        return sum(1 for at in self.restarts if at > now - policy.window)

    @property
    def urgency(self) -> Urgency:
        """How urgent the next start is."""
        if self.try_now:
            return Urgency.OPERATOR
        if self.incarnations == 0:
            return Urgency.FIRST
        return Urgency.WAS_STABLE if self.was_stable else Urgency.FAILING

    def began(self) -> "History":
        return attrs.evolve(self, incarnations=self.incarnations + 1, try_now=False)

    def reset(self) -> "History":
        """The history after the operator's reset: keeps `incarnations`, `not_before` and `recent`."""
        return History(incarnations=self.incarnations, not_before=self.not_before, recent=self.recent)

    def after(
        self, policy: Policy, outcome: Outcome, *, ran_for: float, now: float, draw: float
    ) -> "History":
        """The history after an incarnation ended. `ran_for`: seconds since it reported itself started."""
        stable = ran_for >= policy.stable_after and ran_for > 0
        consecutive, restarts = (0, ()) if stable else (self.consecutive, self.restarts)
        ended_at: float | None = now
        last: Outcome | None = outcome
        recent = self.recent
        terminal, not_before = self.terminal, self.not_before
        failure = outcome.failure
        if failure is not None:
            recent = (*recent, FailureRecord(now, failure))[-KEPT_FAILURES:]
        if outcome.ended is Ended.STOPPED:
            ended_at, last = None, None
        elif failure is not None and failure.kind is Kind.TERMINAL:
            terminal = failure.reason
        elif failure is not None and failure.kind is Kind.DEFERRED:
            not_before = now + (failure.retry_after or 0.0)
        else:
            consecutive += 1
            counted = tuple(at for at in restarts if at > now - policy.window)
            restarts = (*counted, now)[-(policy.max_restarts + 1) :]
        return History(
            incarnations=self.incarnations,
            consecutive=consecutive,
            restarts=restarts,
            ended_at=ended_at,
            last=last,
            draw=draw,
            terminal=terminal,
            not_before=not_before,
            try_now=self.try_now,
            was_stable=stable,
            recent=recent,
        )
