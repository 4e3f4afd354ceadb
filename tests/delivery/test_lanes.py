"""The window, alone and as a model: random outcomes and kills against a store in memory."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.delivery.lanes import ROWS, ROWS_PER_ACCOUNT, ROWS_PER_LANE, Window
from unifyport.model.owed import Blocked, Owed


def owed(seq: int, lane: int, attempts: int = 0, due: int | None = None, account_no: int = 1) -> Owed:
    return Owed(seq, 0, lane, attempts, due, f"evt_{seq}", None, b"x", account_no)


def test_accounts_are_served_in_turn_however_many_lanes_one_has() -> None:
    window = Window()
    window.add_fresh([owed(seq, lane=seq, account_no=1) for seq in range(1, 51)])
    window.add_fresh([owed(51, 51, account_no=2), owed(52, 52, account_no=2), owed(53, 53, account_no=3)])
    heads = [window.next_head() for _ in range(6)]
    assert [head[1].account_no for head in heads if head is not None] == [1, 2, 3, 1, 2, 1]


def test_an_account_has_no_more_in_flight_than_its_share() -> None:
    window = Window()
    window.add_fresh([owed(seq, lane=seq, account_no=1) for seq in range(1, 11)])
    window.add_fresh([owed(11, 11, account_no=2)])
    first = window.next_head(each=2)
    assert [head[1].account_no for head in (window.next_head(2), window.next_head(2)) if head] == [2, 1]
    assert window.next_head(each=2) is None
    assert window.next_head(each=3) is not None
    assert first is not None
    window.delivered(first[0])
    assert window.next_head(each=3) is not None


def test_an_account_that_is_flooded_leaves_room_in_the_window() -> None:
    window = Window()
    flood = [owed(seq, lane=seq % 200, account_no=1) for seq in range(1, 2001)]
    window.add_fresh(flood)
    assert len(window) == ROWS_PER_ACCOUNT
    window.add_fresh([owed(2001, 777, account_no=2)])
    window.next_head()
    second = window.next_head()
    assert second is not None
    assert second[1].account_no == 2
    waiting = {row.lane for row in flood[ROWS_PER_ACCOUNT:]}
    assert window.hungry(0) == []  # nothing is read again while the account has its share
    while (head := window.next_head()) is not None:
        window.delivered(head[0])
    assert {key[1] for key, _, _ in window.hungry(0)} <= waiting
    assert window.hungry(0) != []


def test_lanes_that_wait_to_be_read_again_take_turns() -> None:
    window = Window()
    window.add_fresh([owed(seq, lane=seq % 40) for seq in range(1, 2001)])
    while (head := window.next_head()) is not None:
        window.delivered(head[0])
    first = [key for key, _, _ in window.hungry(0)]
    window.refill(first[0], [owed(3000 + n, first[0][1]) for n in range(ROWS_PER_LANE)], ROWS_PER_LANE)
    while (head := window.next_head()) is not None:
        window.delivered(head[0])
    assert [key for key, _, _ in window.hungry(0)] == [*first[1:], first[0]]


def test_a_window_that_begins_with_blocked_lanes_is_bounded_too() -> None:
    window = Window([Blocked(lane, lane, due=0, account_no=1 + lane % 40) for lane in range(1, 3001)])
    seq = 10_000
    while hungry := window.hungry(1):
        for key, _, _ in hungry[:4]:
            window.refill(key, [owed(seq + n, key[1], account_no=1 + key[1] % 40) for n in range(16)], 16)
            seq += 16
    assert ROWS <= len(window) <= ROWS + 4 * ROWS_PER_LANE
    assert window.next_due() == float("inf")  # nothing to wake up for until there is room


def test_a_probe_that_does_not_count_leaves_nothing_behind() -> None:
    window = Window()
    window.add_fresh([owed(1, 1), owed(2, 2)])
    for _ in range(100):
        head = window.oldest_head()
        assert head is not None
        window.uncounted(head[0])
    seen = []
    while (head := window.next_head()) is not None:
        seen.append(head[1].seq)
    assert sorted(seen) == [1, 2]
    assert not window._ready


def test_within_a_lane_strictly_in_order_across_lanes_at_once() -> None:
    window = Window()
    window.add_fresh([owed(1, 7), owed(2, 7), owed(3, 8)])
    first, second = window.next_head(), window.next_head()
    assert first is not None
    assert second is not None
    assert [first[1].seq, second[1].seq] == [1, 3]
    assert window.next_head() is None
    window.delivered(first[0])
    third = window.next_head()
    assert third is not None
    assert third[1].seq == 2


def test_a_waiting_lane_holds_no_rows_and_is_read_again_when_due() -> None:
    window = Window()
    window.add_fresh([owed(1, 7), owed(2, 7)])
    head = window.next_head()
    assert head is not None
    window.retry(head[0], due=50)
    assert len(window) == 0
    window.add_fresh([owed(3, 7)])
    assert window.hungry(50) == []  # its outcome is not durable
    window.durable([head[0]])
    assert window.hungry(49) == []
    assert window.next_due() == 50
    [(key, after, upto)] = window.hungry(50)
    assert (after, upto) == (0, 3)
    window.refill(key, [owed(1, 7, 1, 50), owed(2, 7), owed(3, 7)], ROWS_PER_LANE)
    again = window.next_head()
    assert again is not None
    assert again[1].seq == 1


def test_a_dead_head_holds_its_lane_until_it_is_durable() -> None:
    window = Window()
    window.add_fresh([owed(1, 7), owed(2, 7)])
    head = window.next_head()
    assert head is not None
    window.dead(head[0])
    assert window.next_head() is None
    window.durable([head[0]])
    after = window.next_head()
    assert after is not None
    assert after[1].seq == 2


def test_a_busy_lane_does_not_fill_the_window() -> None:
    window = Window()
    window.add_fresh([owed(seq, 7) for seq in range(1, 500)])
    assert len(window) == ROWS_PER_LANE
    window.add_fresh([owed(500, 8)])
    heads = [window.next_head(), window.next_head()]
    assert [head[1].seq for head in heads if head] == [1, 500]
    assert window.pos == 500


def test_at_most_ten_thousand_rows_are_passed_over() -> None:
    window = Window()
    window.add_fresh([owed(seq, 7) for seq in range(1, 10_100)])
    assert window.congested
    assert window.room == 0


class Model:
    """A store of owed rows in memory, and an endpoint's loop over it that can be killed."""

    def __init__(self, draw: st.DataObject) -> None:
        self.draw = draw
        self.rows: dict[int, Owed] = {}
        self.lane_of: dict[int, int] = {}
        self.dead: set[int] = set()
        self.received: list[int] = []
        self.now = 0
        self.next_seq = 1
        self.boot()

    def boot(self) -> None:
        blocked = [Blocked(r.lane, r.seq, r.due) for r in self.rows.values() if r.due is not None]
        self.window = Window(blocked)
        self.flying: list[tuple[tuple[int, int], Owed]] = []
        self.buffer: list[tuple[str, Owed]] = []
        self.dying: list[tuple[int, int]] = []

    def commit(self, lane: int) -> None:
        self.rows[self.next_seq] = owed(self.next_seq, lane)
        self.lane_of[self.next_seq] = lane
        self.next_seq += 1

    def read(self) -> None:
        fresh = [r for r in self.rows.values() if r.due is None and r.seq > self.window.pos]
        self.window.add_fresh(fresh[: min(5, self.window.room)])
        for key, after, upto in self.window.hungry(self.now):
            found = [r for r in self.rows.values() if r.lane == key[1] and after < r.seq <= upto]
            self.window.refill(key, found[:ROWS_PER_LANE], ROWS_PER_LANE)

    def start(self) -> None:
        if len(self.flying) < 3 and (head := self.window.next_head()) is not None:
            self.flying.append(head)

    def end(self, how: str) -> None:
        key, row = self.flying.pop(0)
        if how in ("delivered", "answer lost"):
            self.received.append(row.seq)
        match how:
            case "delivered":
                self.window.delivered(key)
                self.buffer.append(("done", row))
            case "dead":
                self.window.dead(key)
                self.dying.append(key)
                self.buffer.append(("dead", row))
            case "uncounted":
                self.window.uncounted(key)
            case _:
                due = self.now + 5
                self.window.retry(key, due)
                self.dying.append(key)
                self.buffer.append(("retry", owed(row.seq, row.lane, row.attempts + 1, due)))

    def settle(self) -> None:
        for what, row in self.buffer:
            if what == "retry":
                self.rows[row.seq] = row
            else:
                del self.rows[row.seq]
                if what == "dead":
                    self.dead.add(row.seq)
        self.buffer.clear()
        dying, self.dying = self.dying, []
        self.window.durable(dying)

    def step(self) -> None:
        actions = ["commit", "read", "read", "start", "start", "end", "end", "end", "settle", "wait", "kill"]
        match self.draw.draw(st.sampled_from(actions)):
            case "commit" if self.next_seq < 40:
                self.commit(self.draw.draw(st.integers(1, 3)))
            case "read":
                self.read()
            case "start":
                self.start()
            case "end" if self.flying:
                self.end(
                    self.draw.draw(
                        st.sampled_from(["delivered", "retry", "answer lost", "dead", "uncounted"])
                    )
                )
            case "settle":
                self.settle()
            case "wait":
                self.now += 3
            case "kill":
                self.boot()

    def drain(self) -> None:
        for _ in range(1000):
            if not self.rows:
                return
            self.now += 10
            self.read()
            self.start()
            while self.flying:
                self.end("delivered")
            self.settle()
        raise AssertionError(f"stuck with {self.rows}")

    def judge(self) -> None:
        first: dict[int, int] = {}
        for position, seq in enumerate(self.received):
            first.setdefault(seq, position)
        lanes = defaultdict(list)
        for seq, lane in self.lane_of.items():
            assert seq in first or seq in self.dead, f"lost {seq}"
            if seq in first:
                lanes[lane].append(first[seq])
        assert all(order == sorted(order) for order in lanes.values()), "order broken"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_model_nothing_lost_and_order_holds(data: st.DataObject) -> None:
    model = Model(data)
    for _ in range(120):
        model.step()
    model.settle()
    model.drain()
    model.judge()
