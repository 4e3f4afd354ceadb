"""Admission: how many children may start at a time, how fast, and in which order.

Ten thousand connections that were lost together must not all be made again in the same second. A start needs
a *ticket*. It holds one of `slots` until the child is up or `hold` seconds have passed, whichever comes
first: a slow start goes on without its slot, so that children that cannot connect do not block the others.
All starts in progress together, slow ones included, are at most `SLOW_FACTOR` times the slots. At most `rate`
starts are granted per second.

Tickets are granted in order of urgency, first come first served within it. Children that were stable, or that
the operator asked for, do not queue behind a crowd: first starts leave a quarter of the slots free for them,
failing children half, and neither fills more than three quarters of the starts in progress.

Waiting for a ticket has no deadline: a start's own deadline begins when its ticket is granted.
"""

import enum
import math
from collections import deque
from collections.abc import Callable

import attrs
import trio

from .history import Urgency
from .wake import Wake

SLOW_FACTOR = 4


class Stage(enum.Enum):
    WAITING = "waiting"
    HOLDING = "holding"  # granted, and holds a slot
    SLOW = "slow"  # granted, still starting after `hold`, and without a slot
    DONE = "done"


@attrs.define(eq=False)
class Ticket:
    """One start. `granted` becomes true once; `on_grant` is then called synchronously."""

    urgency: Urgency
    on_grant: Callable[[], None]
    stage: Stage = Stage.WAITING
    granted_at: float = math.nan

    @property
    def granted(self) -> bool:
        return self.stage is not Stage.WAITING


class Admission:
    """Grants tickets while `run` runs. Use one for each group of children that shares a resource."""

    def __init__(self, slots: int = 20, rate: float = 50.0, hold: float = 5.0) -> None:
        if slots < 1 or not rate > 0 or not hold > 0:
            raise ValueError("slots, rate and hold must be greater than 0")
        self._slots, self._rate, self._hold = slots, rate, hold
        self._waiting: dict[Urgency, deque[Ticket]] = {urgency: deque() for urgency in Urgency}
        self._holding: deque[Ticket] = deque()  # in the order of their grants
        self._counts = dict.fromkeys(Stage, 0)
        self._failing = 0  # of those that hold a slot
        self._next_grant = -math.inf
        self._wake = Wake()

    def reconfigure(self, slots: int, rate: float) -> None:
        """Change the limits. Tickets that are granted stay granted."""
        self._slots, self._rate = slots, rate
        self._wake.ring()

    def request_slot(self, urgency: Urgency, on_grant: Callable[[], None]) -> Ticket:
        """Queue for a start. Does not block; the caller must `release` the ticket in the end."""
        ticket = Ticket(urgency, on_grant)
        self._waiting[urgency].append(ticket)
        self._counts[Stage.WAITING] += 1
        self._wake.ring()
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Give a ticket back: the child is up, has ended, or will not start. Later calls do nothing."""
        self._move(ticket, Stage.DONE)
        self._wake.ring()

    @property
    def waiting(self) -> int:
        return self._counts[Stage.WAITING]

    @property
    def starting(self) -> int:
        """Starts in progress, slow ones included."""
        return self._counts[Stage.HOLDING] + self._counts[Stage.SLOW]

    async def run(self) -> None:
        """Grant tickets until cancelled. Raises only `Cancelled`."""
        while True:
            now = trio.current_time()
            self._expire(now)
            while now >= self._next_grant and (ticket := self._pick()) is not None:
                self._next_grant = max(self._next_grant, now) + 1 / self._rate
                ticket.granted_at = now
                self._move(ticket, Stage.HOLDING)
                self._holding.append(ticket)
                ticket.on_grant()
            await self._wake.wait(self._next_turn())

    def _next_turn(self) -> float:
        """The time of the next timed change: a ticket's `hold` ends, or the rate allows the next grant."""
        due = self._holding[0].granted_at + self._hold if self._holding else math.inf
        return min(due, self._next_grant) if self._pick(look=True) is not None else due

    def _expire(self, now: float) -> None:
        while self._holding and (
            self._holding[0].stage is not Stage.HOLDING or self._holding[0].granted_at + self._hold <= now
        ):
            self._move(self._holding.popleft(), Stage.SLOW)

    def _pick(self, *, look: bool = False) -> Ticket | None:
        """The next ticket to grant, None if there is no room; with `look`, it stays in its queue."""
        for urgency, queue in self._waiting.items():
            while queue and queue[0].stage is Stage.DONE:  # released while it waited
                queue.popleft()
            if queue and self._has_room(urgency):
                return queue[0] if look else queue.popleft()
        return None

    def _has_room(self, urgency: Urgency) -> bool:
        holding, most, slots = self._counts[Stage.HOLDING], self._slots * SLOW_FACTOR, self._slots
        match urgency:
            case Urgency.OPERATOR | Urgency.WAS_STABLE:
                return holding < slots and self.starting < most
            case Urgency.FIRST:
                return holding < slots - slots // 4 and self.starting < most - slots
            case Urgency.FAILING:
                half = max(1, slots // 2)
                return holding < slots - slots // 4 and self._failing < half and self.starting < most - slots

    def _move(self, ticket: Ticket, stage: Stage) -> None:
        if ticket.stage is Stage.DONE:
            return
        if ticket.urgency is Urgency.FAILING:
            self._failing += (stage is Stage.HOLDING) - (ticket.stage is Stage.HOLDING)
        self._counts[ticket.stage] -= 1
        self._counts[stage] += 1
        ticket.stage = stage
