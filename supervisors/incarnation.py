"""One run of a child: the only `try` around a child's code.

trio raises several exceptions at a time: a child that is cancelled *and* raises in its clean-up ends with a
group of both. `except Exception` does not catch such a group, and an exception that passes ends the nursery
in which all the child's siblings run. So exactly one function catches, and splits what it caught into control
flow that must pass (`Cancelled`, `KeyboardInterrupt`, `SystemExit`) and errors that must not.

Deadlines need no timer task: they are the deadline of the incarnation's own cancel scope.
"""

import enum
import logging
from collections.abc import Callable, Sequence

import trio

from .outcomes import Ended, Failure, Kind, Outcome, split, worst
from .spec import ChildSpec
from .wake import Latch

log = logging.getLogger("supervisors")


class CancelReason(enum.Enum):
    """Why an incarnation's cancel scope has a deadline."""

    START_TIMEOUT = "start_timeout"
    STOP = "stop"
    RESTART = "restart"


class Incarnation:
    """The interface between a running child and its supervisor."""

    __slots__ = ("_on_started", "_scope", "_stopping", "ended", "number", "reason", "started_at")

    def __init__(
        self, number: int, start_timeout: float, on_started: Callable[[], None] | None = None
    ) -> None:
        self.number = number  # 1 for a child's first run; grows with each
        self.started_at: float | None = None
        self.reason = CancelReason.START_TIMEOUT
        self.ended = Latch()
        self._on_started = on_started
        self._stopping = Latch()
        self._scope = trio.CancelScope(deadline=trio.current_time() + start_timeout)

    def started(self) -> None:
        """Report that the child is up: the start deadline no longer applies. Later calls do nothing."""
        if self.started_at is not None:
            return
        self.started_at = trio.current_time()
        if self.reason is CancelReason.START_TIMEOUT:
            self._scope.deadline = float("inf")
        if self._on_started is not None and not self.stop_requested:
            self._on_started()

    @property
    def stop_requested(self) -> bool:
        return self._stopping.is_set()

    async def stopping(self) -> None:
        """Wait for a stop request; the child then has `stop_grace` seconds to end by itself."""
        await self._stopping.wait()

    def stop(self, grace: float, reason: CancelReason = CancelReason.STOP) -> None:
        """Ask the child to end, and cancel it `grace` seconds from now.

        A later call can only shorten the deadline; the reason STOP is kept over RESTART.
        """
        if not (self.stop_requested and self.reason is CancelReason.STOP):
            self.reason = reason
        self._stopping.set()
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + grace)

    @property
    def scope(self) -> trio.CancelScope:
        return self._scope


async def run_incarnation(spec: ChildSpec, incarnation: Incarnation) -> Outcome:
    """Run `spec.run` once. Returns how it ended.

    Raises only `Cancelled` (of an outer scope), `KeyboardInterrupt` or `SystemExit`; errors raised together
    with those are logged.
    """
    try:
        try:
            with incarnation.scope:
                await spec.run(incarnation)
        except BaseException as caught:
            control, errors = split(caught)
            if control is not None:
                _log(spec, errors, "while being cancelled")
                raise control from None
        else:
            errors = []
    finally:
        incarnation.ended.set()
    return _judge(spec, incarnation, errors)


def _judge(spec: ChildSpec, incarnation: Incarnation, errors: Sequence[BaseException]) -> Outcome:
    if incarnation.stop_requested:
        _log(spec, errors, "while stopping")
        if incarnation.reason is CancelReason.RESTART:
            return Outcome(Ended.FAILED, Failure(Kind.TRANSIENT, "probe_failed"))
        return Outcome(Ended.STOPPED)
    if incarnation.scope.cancelled_caught:
        _log(spec, errors, "after its start timed out")
        return Outcome(Ended.FAILED, Failure(Kind.TRANSIENT, "start_timeout"))
    if not errors:
        return Outcome(Ended.COMPLETED)
    failures = [spec.classify(error) for error in errors]
    bugs = [e for e, f in zip(errors, failures, strict=True) if f.kind is Kind.BUG]
    _log(spec, bugs, "crashed")
    return Outcome(Ended.FAILED, worst(failures))


def _log(spec: ChildSpec, errors: Sequence[BaseException], when: str) -> None:
    for error in errors:
        log.error("child %s %s", spec.id, when, exc_info=error)
