"""One run of a child: what its body sees of it, and the judgement of its end.

trio raises several exceptions at a time: a child that is cancelled *and* raises in its clean-up ends with a
group of both. `except Exception` does not catch such a group, and an exception that passes ends the nursery
in which all the child's siblings run. So a supervisor splits what it caught into control flow that must pass
(`Cancelled`, `KeyboardInterrupt`, `SystemExit`) and errors that must not, and has the errors judged here.
"""

import enum
import logging
import math
from collections.abc import Sequence
from typing import Protocol

import trio

from .outcomes import Ended, Failure, Kind, Outcome, split, worst
from .spec import ChildSpec

log = logging.getLogger("supervisors")


class CancelReason(enum.Enum):
    """Why an incarnation has a deadline."""

    START_TIMEOUT = "start_timeout"
    STOP = "stop"
    RESTART = "restart"


# What every restart needs of enums: in Python 3.11 a look-up in the class is slower than a function call.
_START_TIMEOUT, _FAILED, _BUG = CancelReason.START_TIMEOUT, Ended.FAILED, Kind.BUG


class Host(Protocol):
    """What a supervisor holds of the child whose incarnation it runs."""

    def mark_up(self, at: float) -> None:
        """The incarnation has reported itself started, and is not asked to end."""


class Incarnation:
    """The interface between a running child and its supervisor.

    `deadline`: when it shall be cancelled (trio's clock); its host sees to that.
    """

    __slots__ = ("_asked", "_host", "deadline", "number", "reason", "started_at", "stop_requested")

    def __init__(self, number: int, deadline: float = math.inf, host: Host | None = None) -> None:
        self.number = number  # 1 for a child's first run; grows with each
        self.deadline = deadline
        self.reason = _START_TIMEOUT
        self.started_at: float | None = None
        self.stop_requested = False
        self._asked: trio.Event | None = None  # made only if the body waits for it
        self._host = host

    def started(self) -> None:
        """Report that the child is up: the start deadline no longer applies. Later calls do nothing."""
        if self.started_at is not None:
            return
        self.started_at = now = trio.current_time()
        if not self.stop_requested:
            self.deadline = math.inf
            if self._host is not None:
                self._host.mark_up(now)

    async def stopping(self) -> None:
        """Wait for a stop request; the child then has `stop_grace` seconds to end by itself."""
        if self.stop_requested:
            await trio.lowlevel.checkpoint()
            return
        if self._asked is None:
            self._asked = trio.Event()
        await self._asked.wait()

    def stop(self, grace: float, reason: CancelReason = CancelReason.STOP) -> None:
        """Ask the child to end; it is to be cancelled `grace` seconds from now.

        A later call can only shorten the deadline; the reason STOP is kept over RESTART.
        """
        if not (self.stop_requested and self.reason is CancelReason.STOP):
            self.reason = reason
        self.stop_requested = True
        if self._asked is not None:
            self._asked.set()
        self.deadline = min(self.deadline, trio.current_time() + grace)


async def run_incarnation(spec: ChildSpec, incarnation: Incarnation, scope: trio.CancelScope) -> Outcome:
    """Run `spec.run` once, in `scope`. Returns how it ended.

    Raises only `Cancelled` (of an outer scope), `KeyboardInterrupt` or `SystemExit`.
    """
    try:
        with scope:
            await spec.run(incarnation)
    except BaseException as caught:
        return judge(spec, incarnation, errors_of(spec, caught), cancelled=scope.cancelled_caught)
    return judge(spec, incarnation, (), cancelled=scope.cancelled_caught)


def errors_of(spec: ChildSpec, caught: BaseException) -> list[BaseException]:
    """The errors in a caught exception, flat.

    Control flow in it is raised again; errors raised together with that are logged.
    """
    control, errors = split(caught)
    if control is not None:
        _log(spec, errors, "while being cancelled")
        raise control from None
    return errors


def judge(
    spec: ChildSpec, incarnation: Incarnation, errors: Sequence[BaseException], *, cancelled: bool
) -> Outcome:
    """How an incarnation ended that raised `errors`, or whose cancellation reached its supervisor."""
    if incarnation.stop_requested:
        _log(spec, errors, "while stopping")
        if incarnation.reason is CancelReason.RESTART:
            return Outcome(Ended.FAILED, Failure(Kind.TRANSIENT, "probe_failed"))
        return Outcome(Ended.STOPPED)
    if cancelled:
        _log(spec, errors, "after its start timed out")
        return Outcome(Ended.FAILED, Failure(Kind.TRANSIENT, "start_timeout"))
    if not errors:
        return Outcome(Ended.COMPLETED)
    failures = []
    for error in errors:
        failures.append(failure := spec.classify(error))
        if failure.kind is _BUG:
            log.error("child %s crashed", spec.id, exc_info=error)
    return Outcome(_FAILED, worst(failures))


def _log(spec: ChildSpec, errors: Sequence[BaseException], when: str) -> None:
    """A traceback is for bugs: a failure that the child declares, or its classifier knows, is one line."""
    for error in errors:
        failure = spec.classify(error)
        if failure.kind is _BUG:
            log.error("child %s %s", spec.id, when, exc_info=error)
        else:
            log.info("child %s %s: %s", spec.id, when, failure.reason)
