"""A child as its supervisor holds it, and the snapshot that others see."""

import logging
from collections.abc import Callable

import attrs
import trio

from .admission import Ticket
from .decide import Desired
from .history import FailureRecord, History
from .incarnation import Incarnation
from .outcomes import Outcome
from .phase import Phase
from .probing import Watch
from .spec import ChildSpec
from .wake import Wake

log = logging.getLogger("supervisors")


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


class Child:
    """Mutable: verbs write `desired`, `history` and `verb`, the child's loop everything else."""

    __slots__ = (
        "_came_up",
        "_wake",
        "cancelled",
        "desired",
        "ended",
        "history",
        "incarnation",
        "listener",
        "next_retry_at",
        "phase",
        "removed",
        "scope",
        "seen",
        "settled",
        "since",
        "spec",
        "ticket",
        "verb",
        "watch",
    )

    def __init__(
        self,
        spec: ChildSpec,
        desired: Desired,
        history: History,
        *,
        listener: Listener | None,
        came_up: "Callable[[Child, float], None]",
    ) -> None:
        self.spec = spec
        self.desired = desired
        self.history = history
        self.listener = listener
        self._came_up = came_up
        self.phase = Phase.STOPPED
        self.since = trio.current_time()
        self.next_retry_at: float | None = None
        self.incarnation: Incarnation | None = None
        self.scope: trio.CancelScope | None = None  # around its incarnations, while its loop runs
        self.cancelled = False  # `scope` was cancelled
        self.ended: trio.Event | None = (
            None  # set when the incarnation ends; made by the first task that waits for it
        )
        self.ticket: Ticket | None = None  # while it starts
        self.watch: Watch | None = None  # while it runs and is probed
        self._wake: Wake | None = None
        self.verb = 0  # number of the last verb written
        self.seen = 0  # number of the last verb that the loop has acted on
        self.settled: trio.Event | None = None
        self.removed = False

    @property
    def wake(self) -> Wake:
        """Wakes its loop. Made on the first use: a child that only runs needs none."""
        if self._wake is None:
            self._wake = Wake()
        return self._wake

    def state(self) -> ChildState:
        now, policy, history = trio.current_time(), self.spec.policy, self.history
        used = history.in_window(policy, now)
        return ChildState(
            id=self.spec.id,
            phase=self.phase,
            since=self.since,
            desired=self.desired,
            incarnations=history.incarnations,
            restarts_in_window=used,
            budget_left=max(0, policy.max_restarts - used),
            next_retry_at=self.next_retry_at,
            last=history.last,
            terminal=history.terminal,
            recent=history.recent,
            failed_probes=0 if self.watch is None else self.watch.failures,
            probe_restart_held=self.watch is not None and self.watch.held,
        )

    def enter(
        self, phase: Phase, now: float, next_retry_at: float | None = None, *, always: bool = False
    ) -> None:
        """Enter a phase; the listener hears of a change, and of every `next_retry_at`, or `always`."""
        changed = phase is not self.phase
        self.next_retry_at = next_retry_at
        if changed:
            self.phase, self.since = phase, now
        if changed or always or next_retry_at is not None:
            self.tell()

    def tell(self) -> None:
        """Tell the listener its state."""
        if self.listener is not None:
            try:
                self.listener(self.state())
            except Exception:  # a listener's bug must not end the child's siblings
                log.exception("child %s: its listener failed", self.spec.id)

    def mark_seen(self) -> None:
        """The loop has acted on the last verb."""
        self.seen = self.verb
        if self.settled is not None:
            self.settled.set()
            self.settled = None

    def mark_up(self, at: float) -> None:
        """Its incarnation has reported itself started."""
        self._came_up(self, at)

    def take_incarnation(self) -> Incarnation:
        """The incarnation that has ended; there is none now."""
        incarnation, self.incarnation = self.incarnation, None
        assert incarnation is not None
        if self.ended is not None:
            self.ended.set()
            self.ended = None
        return incarnation

    async def until_ended(self) -> None:
        """Wait for the end of its incarnation."""
        if self.incarnation is not None:
            if self.ended is None:
                self.ended = trio.Event()
            await self.ended.wait()
