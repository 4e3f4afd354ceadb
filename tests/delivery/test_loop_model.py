"""A model of an endpoint's loop: the window, the breaker and the pace that the actor uses, on a store in
memory, under random outcomes, replays, extra attempts and kills. Thousands of seeds; CHAOS=full for ten times
as many.
"""

import os
import random
from collections import Counter, defaultdict
from typing import Any

import attrs
import pytest

from unifyport.delivery.breaker import Breaker
from unifyport.delivery.lanes import ROWS_PER_LANE, Window
from unifyport.model.owed import Blocked, LaneKey, Owed
from unifyport.model.token_bucket import Bucket, Limit
from unifyport.model.webhook import BreakerPolicy, Ordering

SEEDS = 30_000 if os.environ.get("CHAOS") == "full" else 3_000
IN_EACH_TEST = SEEDS // 10
EVENTS, LANES, STEPS, IN_FLIGHT = 40, 4, 400, 3
FIRST, SECOND = 10**12, 1000  # the model's clock is in ms
Place = tuple[int, int]  # (seq, round)


class Model:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.max_attempts = self.random.choice([0, 1, 2, 4])
        self.ordering = self.random.choice([Ordering.STRICT, Ordering.STRICT, Ordering.NONE])
        self.breaker_policy = (
            self.random.choice([None, BreakerPolicy(failures=3)]) if self.max_attempts else None
        )
        self.rate = self.random.choice([0.0, 0.0, 2.0])
        self.rows: dict[Place, Owed] = {}
        self.lane_of: dict[int, int] = {}
        self.dead: dict[Place, Owed] = {}
        self.received: list[Place] = []
        self.ended: set[Place] = set()
        self.recorded: Counter[Place] = Counter()
        self.starts: list[int] = []
        self.now = FIRST
        self.round = self.ordinal = 0
        self.boot()

    # -- the process -----------------------------------------------------------------------------------------

    def boot(self) -> None:
        blocked = [
            Blocked(row.lane, row.seq, row.due, 1, row.round)
            for row in self.rows.values()
            if row.due is not None and (row.round == 0 or row.attempts)
        ]
        self.window = Window(blocked, self.ordering)
        self.breaker = Breaker(self.breaker_policy)
        self.limit, self.bucket = Limit.per_second(self.rate), Bucket()
        self.starts.clear()
        self.flying: list[tuple[LaneKey, Owed, bool, bool]] = []  # with probe, extra
        self.buffer: list[tuple[str, Owed]] = []
        self.held: list[LaneKey] = []

    def read(self) -> None:
        window = self.window
        fresh = [r for r in self.rows.values() if r.due is None and r.round == 0 and r.seq > window.pos]
        window.add_fresh([attrs.evolve(r) for r in sorted(fresh, key=place)[: min(5, window.room)]])
        replays = [
            r for r in self.rows.values() if r.round and not r.attempts and (r.due or 0) > window.replay_pos
        ]
        window.add_replays(
            [attrs.evolve(r) for r in sorted(replays, key=ordinal)[: min(5, window.room_for_replays)]]
        )
        window.wake(self.now)
        while (hungry := window.next_hungry()) is not None:
            key, after, upto = hungry
            if self.random.random() < 0.1:  # the store is away
                window.still_hungry(key)
                return
            self.refill(key, after, upto)

    def refill(self, key: LaneKey, after: int, upto: int) -> None:
        if self.ordering is Ordering.NONE:
            row = self.rows.get((key[1], key[0]))
            self.window.refill(key, [attrs.evolve(row)] if row is not None else [], 2)
            return
        found = [r for r in self.rows.values() if (r.round, r.lane) == key and after < r.seq <= upto]
        rows = [attrs.evolve(r) for r in sorted(found, key=place)[:ROWS_PER_LANE]]
        self.window.refill(key, rows, ROWS_PER_LANE)

    def start(self) -> None:
        now = self.now / SECOND
        if len(self.flying) >= IN_FLIGHT or not self.breaker.may_start(now):
            return
        if now + self.bucket.wait(self.limit, now) > now:
            return
        head = self.window.oldest_head() if self.breaker.is_open else self.window.next_head()
        if head is None:
            return
        self.bucket.take(self.limit, now)
        self.starts.append(self.now)
        self.flying.append((*head, self.breaker.started(), False))

    def extra(self) -> None:
        waiting = [row for row in self.rows.values() if row.due is not None and row.attempts]
        if waiting and len(self.flying) < IN_FLIGHT:
            row = attrs.evolve(self.random.choice(waiting))
            if (key := self.window.take_waiting(row)) is not None:
                self.flying.append((key, row, False, True))

    def end(self, how: str) -> None:
        key, row, probe, extra = self.flying.pop(self.random.randrange(len(self.flying)))
        if how in ("delivered", "answer lost"):
            self.received.append(place(row))
        counted = True
        if how in ("delivered", "refused"):
            self.breaker.succeeded()
        else:
            was_open = self.breaker.is_open
            retry_after = 2.0 if how == "told to wait" else None
            counted = self.breaker.failed(row.seq, self.now / SECOND, retry_after, probe=probe)
            assert not (was_open and counted), "an open breaker spends no attempt"
        if extra:
            self.end_extra(key, row, how)
        elif not counted:
            self.window.uncounted(key)
        else:
            self.settle_later(key, row, how)

    def end_extra(self, key: LaneKey, row: Owed, how: str) -> None:
        if how == "delivered":
            self.window.extra_delivered(key, row)
            self.buffer.append(("done", row))
        else:
            self.window.extra_failed(key)

    def settle_later(self, key: LaneKey, row: Owed, how: str) -> None:
        row.attempts += 1
        if how == "delivered":
            self.window.delivered(key)
            self.buffer.append(("done", row))
        elif how == "refused" or row.attempts > self.max_attempts:
            self.window.dead(key)
            self.buffer.append(("dead", row))
            self.held.append(key)
        else:
            row.due = self.now + self.random.randint(1, 20) * SECOND // 10
            self.window.retry(key, row.due)
            self.buffer.append(("retry", row))
            self.held.append(key)

    def settle(self) -> None:
        for what, row in self.buffer:
            if place(row) not in self.rows:
                continue
            self.recorded[place(row)] += 1
            if what == "retry":
                self.rows[place(row)] = attrs.evolve(row)
                continue
            del self.rows[place(row)]
            self.ended.add(place(row))
            if what == "dead":
                self.dead[place(row)] = row
        self.buffer.clear()
        held, self.held = self.held, []
        self.window.durable(held)

    # -- what happens to it ----------------------------------------------------------------------------------

    def commit(self) -> None:
        if len(self.lane_of) < EVENTS:
            seq, lane = len(self.lane_of) + 1, self.random.randint(1, LANES)
            self.lane_of[seq] = lane
            self.rows[seq, 0] = Owed(seq, 0, lane, 0, None, f"evt_{seq}", None, b"x", 1)

    def replay(self) -> None:
        """Some of what has ended, and is not owed, once more."""
        owed = {seq for seq, _ in self.rows}
        free = [seq for seq, _ in self.ended if seq not in owed]
        if free:
            self.round += 1
            for seq in sorted({self.random.choice(free) for _ in range(5)}):
                self.ordinal += 1
                self.rows[seq, self.round] = Owed(
                    seq, self.round, self.lane_of[seq], 0, self.ordinal, f"evt_{seq}", None, b"x", 1
                )

    def step(self) -> None:
        x = self.random.random()
        if x < 0.15:
            self.commit()
        elif x < 0.35:
            self.read()
        elif x < 0.55:
            self.start()
        elif x < 0.78 and self.flying:
            self.end(self.random.choice(OUTCOMES))
        elif x < 0.86:
            self.settle()
        elif x < 0.92:
            self.now += self.random.randint(1, SECOND)
        elif x < 0.95:
            self.extra()
        elif x < 0.98:
            self.replay()
        else:
            self.boot()  # killed

    def drain(self) -> None:
        """From now on the receiver is well, and nobody is killed."""
        for _ in range(3000):
            if not self.rows:
                return
            self.now += SECOND // 2
            self.read()
            self.start()
            while self.flying:
                self.end("delivered")
            self.settle()
        raise AssertionError(f"stuck with {self.rows}")

    # -- what must hold --------------------------------------------------------------------------------------

    def judge(self) -> None:
        received = set(self.received)
        for seq in self.lane_of:
            assert (seq, 0) in received or (seq, 0) in self.dead, f"lost {seq}"
        assert all(count <= self.max_attempts + 1 for count in self.recorded.values())
        if self.ordering is Ordering.STRICT:
            self.judge_order()

    def judge_order(self) -> None:
        """Of what is new, and of each replay by itself."""
        first: dict[Place, int] = {}
        for position, where in enumerate(self.received):
            first.setdefault(where, position)
        lanes: dict[Any, list[int]] = defaultdict(list)
        for (seq, round_), position in sorted(first.items()):
            lanes[round_, self.lane_of[seq]].append(position)
        assert all(order == sorted(order) for order in lanes.values()), "order broken"

    def judge_pace(self) -> None:
        if self.rate:
            for at in self.starts:
                within = sum(at <= other < at + SECOND for other in self.starts)
                assert within <= self.rate * 2, "faster than allowed: what a second brings, and a full bucket"


OUTCOMES = ["delivered", "delivered", "delivered", "failed", "answer lost", "refused", "told to wait"]


def ordinal(row: Owed) -> int:
    return row.due or 0


def place(row: Owed) -> Place:
    return row.seq, row.round


@pytest.mark.parametrize("first", range(0, SEEDS, IN_EACH_TEST))
def test_nothing_is_lost_order_holds_and_no_outcome_is_beyond_policy(first: int) -> None:
    for seed in range(first, first + IN_EACH_TEST):
        model = Model(seed)
        for _ in range(STEPS):
            model.step()
        model.judge_pace()
        model.settle()
        model.drain()
        model.judge()
