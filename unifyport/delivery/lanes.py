"""The window of one endpoint over its owed events: which event may be attempted next.

A lane is a conversation. Within a lane events are sent strictly in order: the lane waits until its head is
delivered or dead. Lanes are concurrent: accounts are served in turn, and the lanes of an account in turn, so
that a flooded account or conversation does not delay the others. A replay has lanes of its own, in the order
of the log, which neither delay other lanes nor wait for them. An endpoint without order has a lane for each
event.

The window holds at most 1,024 rows and 16 MiB. An account holds at most 256 rows (and as many of its
replays), a lane at most 16, and none while it waits for a retry. Rows that are read but cannot be held are
*passed over*: the lane remembers that there is `more`, and is read again from the store when it moves on. At
most 10,000 rows are passed over. Then reading stops and the endpoint is `congested`: events behind such a
backlog wait for it, whatever their account.

Order promise: within a lane the first successful delivery of an event never precedes that of an earlier one,
unless the earlier one is dead; after a crash a suffix may be repeated, in order.

Pure: no I/O, no clock. Row numbers are the store's: they are compared, never computed with.
"""

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Iterable

from unifyport.model.owed import Blocked, LaneKey, Owed, Stretch
from unifyport.model.webhook import Ordering

ROWS = 1024
ROWS_PER_GROUP = 256
ROWS_PER_LANE = 16
BYTES = 16 * 1024 * 1024
PASSED_OVER = 10_000

Group = int  # groups are served in turn: an account number, or its complement for the account's replays


class Lane:
    """`last` is below every row that is still owed in the lane; `upto` is at or above the lowest of them."""

    __slots__ = ("barrier", "due", "group", "in_flight", "last", "more", "passed", "rows", "upto")

    def __init__(self, last: int, group: Group) -> None:
        self.group = group
        self.rows: deque[Owed] = deque()
        self.in_flight = False
        self.due: int | None = None  # its head waits until then (unix ms); no rows are held meanwhile
        self.barrier = False  # the outcome of its head is not durable yet
        self.more = False
        self.passed = 0  # rows passed over
        self.last = last
        self.upto = 0

    @property
    def free(self) -> bool:
        return not (self.in_flight or self.barrier) and self.due is None


class Window:
    def __init__(self, blocked: Iterable[Blocked] = (), ordering: Ordering = Ordering.STRICT) -> None:
        self.ordering = ordering
        self.pos = 0  # the read position; never stored
        self.replay_pos = 0  # the same for replays: their ordinal
        self._lanes: dict[LaneKey, Lane] = {}
        # Queues of lanes by group, next group first: lanes whose head may start, and lanes to be read again.
        self._ready: OrderedDict[Group, deque[LaneKey]] = OrderedDict()
        self._hungry: OrderedDict[Group, deque[LaneKey]] = OrderedDict()
        self._waiting: list[tuple[int, LaneKey]] = []  # a heap by due
        self._rows = 0
        self._rows_of: dict[Group, int] = {}  # no zeros
        self._in_flight_of: dict[Group, int] = {}
        self._replays = 0  # rows of replays
        self._bytes = 0
        self._passed = {False: 0, True: 0}  # rows passed over, by whether they are replays
        for row in blocked:
            key = self._key(row)
            lane = self._lanes[key] = Lane(0, _group(row))
            lane.due, lane.upto, lane.more = row.due, row.seq, True
            heapq.heappush(self._waiting, (row.due, key))

    def _key(self, row: Owed | Blocked) -> LaneKey:
        return (row.round, row.lane if self.ordering is Ordering.STRICT else row.seq)

    def __len__(self) -> int:
        return self._rows

    @property
    def known(self) -> int:
        """Rows that are held or were passed over."""
        return self._rows + sum(self._passed.values())

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        return self._passed[False] >= PASSED_OVER

    @property
    def room(self) -> int:
        """How many fresh rows may be read now."""
        return 0 if self.congested else self._room

    @property
    def room_for_replays(self) -> int:
        """How many rows of replays may be read now; they may fill a quarter of the window."""
        if self._passed[True] >= PASSED_OVER:
            return 0
        return max(0, min(self._room, ROWS // 4 - self._replays))

    @property
    def _room(self) -> int:
        return 0 if self._bytes >= BYTES else max(0, ROWS - self._rows)

    def add_fresh(self, rows: Iterable[Owed]) -> None:
        """Add rows that were never tried, in order, above `pos`."""
        for row in rows:
            before, self.pos = self.pos, row.seq
            self._add(row, before)

    def add_replays(self, rows: Iterable[Owed]) -> None:
        """Add replayed rows that were never tried, in order, above `replay_pos`; `due` is their ordinal."""
        for row in rows:
            assert row.due is not None
            self.replay_pos = row.due
            self._add(row, 0)

    def _add(self, row: Owed, before: int) -> None:
        key = self._key(row)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(before, _group(row))
        if row.round:
            lane.upto = max(lane.upto, row.seq)
        full = len(lane.rows) >= ROWS_PER_LANE or self._rows_of.get(lane.group, 0) >= ROWS_PER_GROUP
        if lane.due is not None or lane.more or full:
            lane.upto = max(lane.upto, row.seq)
            self._pass_over(lane, 1)
            if not lane.more:
                lane.more = True
                if not lane.rows:
                    self._continue(key, lane)
        else:
            self._hold(key, lane, row)

    @property
    def hungry(self) -> bool:
        """Whether a lane is to be read again, now or when there is room for it."""
        return bool(self._hungry)

    @property
    def starving(self) -> bool:
        """Whether a lane is to be read again, and there is room for it."""
        return bool(self._room) and any(
            self._rows_of.get(group, 0) < ROWS_PER_GROUP for group in self._hungry
        )

    def next_hungry(self) -> Stretch | None:
        """What is to be read again. The caller answers with `refill`, or with `still_hungry`."""
        if not self._room:
            return None
        for group in self._hungry:
            if self._rows_of.get(group, 0) < ROWS_PER_GROUP:
                key = _take_turn(self._hungry, group)
                lane = self._lanes[key]
                return Stretch(key, lane.last, lane.upto if key[0] else max(self.pos, lane.upto))
        return None

    def still_hungry(self, key: LaneKey) -> None:
        """The lane could not be read: keep it in the queue, in front."""
        self._hungry.setdefault(self._lanes[key].group, deque()).appendleft(key)

    def refill(self, key: LaneKey, rows: list[Owed], limit: int) -> None:
        """Add the rows that are still owed in a hungry lane, read with this `limit`."""
        lane = self._lanes[key]
        lane.more = len(rows) == limit
        self._pass_over(lane, -min(lane.passed, len(rows)) if lane.more else -lane.passed)
        for row in rows:
            self._hold(key, lane, row)
        if not rows:
            self._continue(key, lane)

    def _pass_over(self, lane: Lane, rows: int) -> None:
        lane.passed += rows
        self._passed[lane.group < 0] += rows

    def _hold(self, key: LaneKey, lane: Lane, row: Owed) -> None:
        lane.rows.append(row)
        self._count(lane, 1, len(row.body))
        if len(lane.rows) == 1 and lane.free:
            _queue(self._ready, lane.group, key)

    def _count(self, lane: Lane, rows: int, size: int) -> None:
        group = lane.group
        self._rows += rows
        self._bytes += size
        if group < 0:
            self._replays += rows
        _add_to(self._rows_of, group, rows)

    # -- attempts -----------------------------------------------------------------------------------------

    def next_group(self) -> Group | None:
        """The group whose turn it is; None if no lane is ready."""
        return next(iter(self._ready), None)

    def next_head(self, each: int = ROWS) -> tuple[LaneKey, Owed] | None:
        """The head of the next group's next ready lane; it is in flight from now on.

        A group that has `each` heads in flight is skipped.
        """
        for _ in range(len(self._ready)):
            group = next(iter(self._ready))
            if self._in_flight_of.get(group, 0) >= each:
                self._ready.move_to_end(group)
                continue
            key = _take_turn(self._ready, group)
            return key, self._fly(self._lanes[key])
        return None

    def oldest_head(self) -> tuple[LaneKey, Owed] | None:
        """The oldest head that may start: the probe of a half-open breaker. It is in flight from now on."""
        heads = [
            (self._lanes[key].rows[0].seq, group, key) for group, keys in self._ready.items() for key in keys
        ]
        if not heads:
            return None
        _, group, key = min(heads)
        self._ready[group].remove(key)
        if not self._ready[group]:
            del self._ready[group]
        return key, self._fly(self._lanes[key])

    def take_waiting(self, row: Owed) -> LaneKey | None:
        """Take the head of a lane that waits for its retry or the gate, for an extra attempt; else None."""
        key = self._key(row)
        lane = self._lanes.get(key)
        if lane is None or lane.in_flight or lane.barrier:
            return None
        if lane.due is None:
            if row.seq <= lane.last or (lane.rows and lane.rows[0].seq != row.seq):
                return None  # it was delivered meanwhile, or it is not the head
            self._wait_again(key, lane, row)
        lane.in_flight = True
        _add_to(self._in_flight_of, lane.group, 1)
        return key

    def _wait_again(self, key: LaneKey, lane: Lane, row: Owed) -> None:
        """Take a lane whose head is due but has not started out of its queue, as if the head still waited."""
        queues = self._ready if lane.rows else self._hungry
        queues[lane.group].remove(key)
        if not queues[lane.group]:
            del queues[lane.group]
        lane.due, lane.more = row.due, True
        self._release_rows(lane)

    def _release_rows(self, lane: Lane) -> None:
        """Drop the rows that the lane holds; they are read again later."""
        if lane.rows:
            lane.upto = max(lane.upto, lane.rows[-1].seq)
            self._count(lane, -len(lane.rows), -sum(len(row.body) for row in lane.rows))
            self._pass_over(lane, len(lane.rows))
            lane.rows.clear()

    def _fly(self, lane: Lane) -> Owed:
        lane.in_flight = True
        _add_to(self._in_flight_of, lane.group, 1)
        return lane.rows[0]

    def _land(self, lane: Lane) -> None:
        lane.in_flight = False
        _add_to(self._in_flight_of, lane.group, -1)

    def delivered(self, key: LaneKey) -> None:
        lane = self._pop(key)
        self._continue(key, lane)

    def dead(self, key: LaneKey) -> None:
        """The head is dead. The lane goes on when that is durable: see `durable`."""
        self._pop(key).barrier = True

    def retry(self, key: LaneKey, due: int) -> None:
        """The head waits until `due` (unix ms). The lane drops its rows, and reads them again afterwards.

        It goes on only when this is durable: see `durable`.
        """
        lane = self._lanes[key]
        self._land(lane)
        lane.due, lane.more, lane.barrier = due, True, True
        self._release_rows(lane)

    def durable(self, keys: Iterable[LaneKey]) -> None:
        """The outcomes of these lanes' heads are durable now."""
        for key in keys:
            lane = self._lanes[key]
            lane.barrier = False
            if lane.due is not None:
                heapq.heappush(self._waiting, (lane.due, key))
            else:
                self._continue(key, lane)

    def uncounted(self, key: LaneKey) -> None:
        """The attempt does not count: the head may be tried again as soon as the gate allows attempts."""
        lane = self._lanes[key]
        self._land(lane)
        self._continue(key, lane)

    def extra_delivered(self, key: LaneKey, row: Owed) -> None:
        """The extra attempt of a waiting head has delivered it: the lane goes on with the next row."""
        lane = self._lanes[key]
        self._land(lane)
        lane.due, lane.last = None, row.seq
        lane.more = self.ordering is Ordering.STRICT
        self._pass_over(lane, -min(lane.passed, 1))
        self._continue(key, lane)

    def extra_failed(self, key: LaneKey) -> None:
        """The extra attempt of a waiting head has failed: the head waits as before."""
        lane = self._lanes[key]
        self._land(lane)
        assert lane.due is not None
        heapq.heappush(self._waiting, (lane.due, key))

    def _pop(self, key: LaneKey) -> Lane:
        lane = self._lanes[key]
        row = lane.rows.popleft()
        self._count(lane, -1, -len(row.body))
        lane.last = row.seq
        self._land(lane)
        return lane

    def _continue(self, key: LaneKey, lane: Lane) -> None:
        """Queue a free lane to start its head, or to be read again; drop it if nothing is left."""
        if not lane.free:
            return
        if lane.rows:
            _queue(self._ready, lane.group, key)
        elif lane.more:
            _queue(self._hungry, lane.group, key)
        else:
            del self._lanes[key]

    # -- time ---------------------------------------------------------------------------------------------

    def wake(self, now: int) -> None:
        """Have the lanes whose retry is due by `now` (unix ms) read again."""
        while self._waiting and self._waiting[0][0] <= now:
            due, key = heapq.heappop(self._waiting)
            lane = self._lanes.get(key)
            if lane is not None and lane.due == due and not lane.in_flight and not lane.barrier:
                lane.due = None
                self._continue(key, lane)

    def next_due(self) -> float:
        """The time of the next retry, unix ms; inf if no head waits."""
        return self._waiting[0][0] if self._waiting else math.inf


def _group(row: Owed | Blocked) -> Group:
    return ~row.account_no if row.round else row.account_no


def _add_to(counts: dict[Group, int], group: Group, more: int) -> None:
    """Add to the count of a group; a count of 0 is left out."""
    count = counts.get(group, 0) + more
    if count:
        counts[group] = count
    else:
        del counts[group]


def _queue(queues: "OrderedDict[Group, deque[LaneKey]]", group: Group, key: LaneKey) -> None:
    """Put a lane behind the others of its group; a new group goes to the back."""
    keys = queues.get(group)
    if keys is None:
        queues[group] = deque((key,))
    else:
        keys.append(key)


def _take_turn(queues: "OrderedDict[Group, deque[LaneKey]]", group: Group) -> LaneKey:
    """The next lane of a group; the group moves to the back."""
    keys = queues.pop(group)
    key = keys.popleft()
    if keys:
        queues[group] = keys
    return key
