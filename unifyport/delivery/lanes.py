"""The window of one endpoint over what it is owed: which event may be attempted next.

A lane is a conversation. Within a lane events go out strictly in order: a lane waits for its head until that
is delivered or dead. Across lanes everything is concurrent: accounts are served in turn, and each account's lanes in
turn, so that one that is flooded does not hold up the others. The window holds at most 1,024 rows and 16 MiB; an
account holds at most 256, a lane at most 16, and none while it waits for a retry. Rows that are read but cannot
be held are *passed over*: the lane remembers that there is `more`, and is refilled from the store when it
moves. At most 10,000 rows are passed over; then reading stops and the endpoint is `congested`: who comes after
so much of a backlog waits with it.

Order promise: within a lane the first successful delivery of an event never precedes that of an earlier
one, unless the earlier one is dead; after a crash a suffix may be repeated, in order.

Pure: no I/O, no clock. Rows are the store's; numbers of rows are compared, never computed with.
"""

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable

from unifyport.model.owed import Blocked, Owed

ROWS = 1024
ROWS_PER_ACCOUNT = 256
ROWS_PER_LANE = 16
BYTES = 16 * 1024 * 1024
PASSED_OVER = 10_000

LaneKey = tuple[int, int]  # (round, lane): a replay is a lane of its own


class Lane:
    """`last` is below every row that the lane still owes; `upto` is at or above the lowest of them."""

    __slots__ = ("account_no", "barrier", "due", "in_flight", "last", "more", "passed", "rows", "upto")

    def __init__(self, last: int, account_no: int = 0) -> None:
        self.account_no = account_no
        self.rows: deque[Owed] = deque()
        self.in_flight = False
        self.due: int | None = None  # its head waits until then, unix ms; no rows are held meanwhile
        self.barrier = False  # what became of its head is not durable yet
        self.more = False
        self.passed = 0  # rows passed over
        self.last = last
        self.upto = 0

    @property
    def idle(self) -> bool:
        return not (self.rows or self.in_flight or self.due is not None or self.barrier or self.more)


class Window:
    def __init__(self, blocked: Iterable[Blocked] = ()) -> None:
        self.pos = 0  # the read position: a fact of memory, never stored
        self._lanes: dict[LaneKey, Lane] = {}
        self._ready: OrderedDict[int, deque[LaneKey]] = OrderedDict()  # by account, the next one first
        self._rows = 0
        self._rows_of: Counter[int] = Counter()  # by account
        self._in_flight_of: Counter[int] = Counter()  # by account
        self._bytes = 0
        self._passed_over = 0
        # Lanes whose `more` is set, who waits longest first; every lane with a `due` is among them.
        self._more: OrderedDict[LaneKey, None] = OrderedDict()
        for row in blocked:
            lane = self._lanes[0, row.lane] = Lane(0, row.account_no)
            lane.due, lane.upto = row.due, row.seq
            self._mark_more((0, row.lane), lane, True)

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        return self._passed_over >= PASSED_OVER

    @property
    def room(self) -> int:
        """How many fresh rows may be read now."""
        if self.congested or self._bytes >= BYTES:
            return 0
        return ROWS - self._rows

    def add_fresh(self, rows: Iterable[Owed]) -> None:
        """Rows that were never tried, in order, above `pos`."""
        for row in rows:
            before, self.pos = self.pos, row.seq
            key = (0, row.lane)
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = Lane(before, row.account_no)
            full = len(lane.rows) >= ROWS_PER_LANE or self._has_its_share(lane)
            if lane.due is not None or lane.more or full:
                self._mark_more(key, lane, True)
                self._pass_over(lane, 1)
            else:
                self._hold(key, lane, row)

    def add_replays(self, rows: Iterable[Owed]) -> None:
        """Rows of replays whose time has come."""
        for row in rows:
            key = (row.round, row.lane)
            lane = self._lanes.setdefault(key, Lane(0, row.account_no))
            if row.round and not lane.in_flight and lane.due is None and row not in lane.rows:
                self._hold(key, lane, row)

    def hungry(self, now: int) -> list[tuple[LaneKey, int, int]]:
        """Lanes to be refilled from the store, as far as there is room: (key, after, upto)."""
        found: list[tuple[LaneKey, int, int]] = []
        if not self._has_room:
            return found
        for key in self._more:
            lane = self._lanes[key]
            if lane.rows or lane.in_flight or lane.barrier or (lane.due is not None and lane.due > now):
                continue
            if self._has_its_share(lane):
                continue
            found.append((key, lane.last, max(self.pos, lane.upto)))
        return found

    @property
    def _has_room(self) -> bool:
        return self._rows < ROWS and self._bytes < BYTES

    def _has_its_share(self, lane: Lane) -> bool:
        return self._rows_of[lane.account_no] >= ROWS_PER_ACCOUNT

    def refill(self, key: LaneKey, rows: list[Owed], limit: int) -> None:
        """What the store still owes of a hungry lane, at most `limit` rows."""
        lane = self._lanes[key]
        lane.due = None
        self._mark_more(key, lane, False)  # if there is still more it queues up again
        self._mark_more(key, lane, len(rows) == limit)
        self._pass_over(lane, -min(lane.passed, len(rows)) if lane.more else -lane.passed)
        for row in rows:
            self._hold(key, lane, row)
        self._forget_if_idle(key, lane)

    def _pass_over(self, lane: Lane, rows: int) -> None:
        lane.passed += rows
        self._passed_over += rows

    def _mark_more(self, key: LaneKey, lane: Lane, more: bool) -> None:
        if more and not lane.more:
            self._more[key] = None
        elif not more:
            self._more.pop(key, None)
        lane.more = more

    def _hold(self, key: LaneKey, lane: Lane, row: Owed) -> None:
        if not lane.rows:
            lane.account_no = row.account_no  # a lane that was blocked at the start did not know
        lane.rows.append(row)
        self._count(lane, 1, len(row.body))
        if len(lane.rows) == 1 and not lane.in_flight and not lane.barrier:
            self._make_ready(key, lane)

    def _count(self, lane: Lane, rows: int, size: int) -> None:
        self._rows += rows
        self._bytes += size
        self._rows_of[lane.account_no] += rows
        if not self._rows_of[lane.account_no]:
            del self._rows_of[lane.account_no]

    def _make_ready(self, key: LaneKey, lane: Lane) -> None:
        self._ready.setdefault(lane.account_no, deque()).append(key)

    # -- attempts -----------------------------------------------------------------------------------------

    def next_account(self) -> int | None:
        """Whose turn it is; None when nobody is ready."""
        return next(iter(self._ready), None)

    def next_head(self, each: int = ROWS) -> tuple[LaneKey, Owed] | None:
        """The head of the next account's next ready lane; it is in flight from now on.

        An account that has `each` in flight is passed over.
        """
        for _ in range(len(self._ready)):
            account_no, keys = self._ready.popitem(last=False)
            if self._in_flight_of[account_no] >= each:
                self._ready[account_no] = keys
                continue
            while keys:
                key = keys.popleft()
                lane = self._lanes.get(key)
                if lane is not None and self._startable(lane):
                    if keys:
                        self._ready[account_no] = keys
                    return key, self._fly(lane)
        return None

    def oldest_head(self) -> tuple[LaneKey, Owed] | None:
        """The oldest head that could start: what a half-open breaker probes with."""
        heads = [(lane.rows[0].seq, key) for key, lane in self._lanes.items() if self._startable(lane)]
        if not heads:
            return None
        _, key = min(heads)
        lane = self._lanes[key]
        if key in (ready := self._ready.get(lane.account_no, deque())):
            ready.remove(key)
        return key, self._fly(lane)

    def _fly(self, lane: Lane) -> Owed:
        lane.in_flight = True
        self._in_flight_of[lane.account_no] += 1
        return lane.rows[0]

    def _land(self, lane: Lane) -> None:
        lane.in_flight = False
        self._in_flight_of[lane.account_no] -= 1
        if not self._in_flight_of[lane.account_no]:
            del self._in_flight_of[lane.account_no]

    @staticmethod
    def _startable(lane: Lane) -> bool:
        return bool(lane.rows) and not lane.in_flight and lane.due is None and not lane.barrier

    def delivered(self, key: LaneKey) -> None:
        lane = self._pop(key)
        self._continue(key, lane)

    def dead(self, key: LaneKey) -> None:
        """The lane goes on only when this is durable: see `durable`."""
        self._pop(key).barrier = True

    def durable(self, keys: Iterable[LaneKey]) -> None:
        for key in keys:
            if (lane := self._lanes.get(key)) is not None:
                lane.barrier = False
                self._continue(key, lane)

    def retry(self, key: LaneKey, due: int) -> None:
        """The head waits; its rows are let go of and read again when it is due and that is durable: see `durable`."""
        lane = self._lanes[key]
        self._land(lane)
        lane.due, lane.upto = due, lane.rows[0].seq
        self._mark_more(key, lane, True)
        self._count(lane, -len(lane.rows), -sum(len(row.body) for row in lane.rows))
        self._pass_over(lane, len(lane.rows))
        lane.barrier = True
        lane.rows.clear()

    def uncounted(self, key: LaneKey) -> None:
        """The attempt does not count: the head may be tried again as soon as attempts may start."""
        lane = self._lanes[key]
        self._land(lane)
        self._continue(key, lane)

    def _pop(self, key: LaneKey) -> Lane:
        lane = self._lanes[key]
        row = lane.rows.popleft()
        self._count(lane, -1, -len(row.body))
        lane.last = row.seq
        self._land(lane)
        return lane

    def _continue(self, key: LaneKey, lane: Lane) -> None:
        if self._startable(lane):
            self._make_ready(key, lane)
        else:
            self._forget_if_idle(key, lane)

    def _forget_if_idle(self, key: LaneKey, lane: Lane) -> None:
        if lane.idle:
            del self._lanes[key]

    # -- time ---------------------------------------------------------------------------------------------

    def next_due(self) -> float:
        """Unix ms of the next retry that there is room for; inf when none waits."""
        if not self._has_room:
            return math.inf
        lanes = (self._lanes[key] for key in self._more)
        dues = (lane.due for lane in lanes if not lane.barrier and not self._has_its_share(lane))
        return min((due for due in dues if due is not None), default=math.inf)

    def __len__(self) -> int:
        return self._rows
