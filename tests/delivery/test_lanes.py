"""The window, alone: who may be attempted next, and what is read again.

`test_loop_model.py` has the loop around it.
"""

from unifyport.delivery.lanes import ROWS, ROWS_PER_GROUP, ROWS_PER_LANE, Window
from unifyport.model.owed import Blocked, Owed
from unifyport.model.webhook import Ordering


def owed(seq: int, lane: int, attempts: int = 0, due: int | None = None, account_no: int = 1) -> Owed:
    return Owed(seq, 0, lane, attempts, due, f"evt_{seq}", None, b"x", account_no)


def hungry_lanes(window: Window) -> list[int]:
    """The lanes that are to be read again, in their order; they stay so."""
    found = []
    while (hungry := window.next_hungry()) is not None:
        found.append(hungry[0])
    for key in reversed(found):
        window.still_hungry(key)
    return [lane for _, lane in found]


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
    assert len(window) == ROWS_PER_GROUP
    window.add_fresh([owed(2001, 777, account_no=2)])
    window.next_head()
    second = window.next_head()
    assert second is not None
    assert second[1].account_no == 2
    waiting = {row.lane for row in flood[ROWS_PER_GROUP:]}
    assert window.next_hungry() is None  # nothing is read again while the account has its share
    while (head := window.next_head()) is not None:
        window.delivered(head[0])
    hungry = hungry_lanes(window)
    assert hungry
    assert set(hungry) <= waiting


def test_lanes_that_wait_to_be_read_again_take_turns() -> None:
    window = Window()
    window.add_fresh([owed(seq, lane=seq % 40) for seq in range(1, 2001)])
    while (head := window.next_head()) is not None:
        window.delivered(head[0])
    hungry = window.next_hungry()
    assert hungry is not None
    key, _, _ = hungry
    window.refill(key, [owed(3000 + n, key[1]) for n in range(ROWS_PER_LANE)], ROWS_PER_LANE)
    while (head := window.next_head()) is not None:
        window.delivered(head[0])
    assert hungry_lanes(window)[-1] == key[1]


def test_a_window_that_begins_with_blocked_lanes_is_bounded_too() -> None:
    window = Window([Blocked(lane, lane, due=0, account_no=1 + lane % 40) for lane in range(1, 3001)])
    seq = 10_000
    window.wake(1)
    while (hungry := window.next_hungry()) is not None:
        key, _, _ = hungry
        window.refill(key, [owed(seq + n, key[1], account_no=1 + key[1] % 40) for n in range(16)], 16)
        seq += 16
    assert ROWS <= len(window) <= ROWS + ROWS_PER_LANE
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
    window.wake(50)
    assert window.next_hungry() is None  # its outcome is not durable
    window.durable([head[0]])
    window.wake(49)
    assert window.next_hungry() is None
    assert window.next_due() == 50
    window.wake(50)
    hungry = window.next_hungry()
    assert hungry is not None
    key, after, upto = hungry
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


def replayed(seq: int, lane: int, round_: int = 1, account_no: int = 1) -> Owed:
    return Owed(seq, round_, lane, 0, seq, f"evt_{seq}", None, b"x", account_no)


def heads(window: Window, count: int) -> list[tuple[int, int]]:
    """(seq, round) of the next heads."""
    found = [window.next_head() for _ in range(count)]
    return [(head[1].seq, head[1].round) for head in found if head is not None]


def test_a_replay_is_a_lane_of_its_own_and_takes_turns_with_what_is_new() -> None:
    window = Window()
    window.add_fresh([owed(10, 7), owed(11, 8)])
    window.add_replays([replayed(1, 7), replayed(2, 7), replayed(3, 8)])
    assert heads(window, 9) == [(10, 0), (1, 1), (11, 0), (3, 1)]


def test_replays_fill_a_quarter_of_the_window_at_most() -> None:
    window = Window()
    seq = 0
    while window.room_for_replays:
        window.add_replays(replayed(seq + n, seq + n) for n in range(1, window.room_for_replays + 1))
        seq = window.replay_pos
    assert len(window) == ROWS // 4
    assert window.room == ROWS - ROWS // 4


def test_without_order_nothing_waits_for_anything() -> None:
    window = Window(ordering=Ordering.NONE)
    window.add_fresh([owed(1, 7), owed(2, 7), owed(3, 7)])
    assert heads(window, 9) == [(1, 0), (2, 0), (3, 0)]
    window.retry((0, 1), due=50)
    window.durable([(0, 1)])
    window.delivered((0, 2))
    window.wake(50)
    assert window.next_hungry() == ((0, 1), 0, 3)
    window.refill((0, 1), [owed(1, 7, attempts=1, due=50)], 2)
    assert heads(window, 9) == [(1, 0)]


def test_an_extra_attempt_takes_a_waiting_head_and_nothing_else() -> None:
    window = Window([Blocked(7, 1, due=50, account_no=1)])
    head = owed(1, 7, attempts=1, due=50)
    assert window.take_waiting(owed(9, 9)) is None
    key = window.take_waiting(head)
    assert key == (0, 7)
    assert window.take_waiting(head) is None  # it is under way
    window.wake(60)
    assert window.next_hungry() is None
    window.extra_failed(key)
    window.wake(60)
    assert window.next_hungry() == ((0, 7), 0, 1)


def test_after_an_extra_attempt_that_succeeds_the_lane_goes_on_behind_it() -> None:
    window = Window([Blocked(7, 1, due=50, account_no=1)])
    window.add_fresh([owed(2, 7)])
    key = window.take_waiting(owed(1, 7, attempts=1, due=50))
    assert key is not None
    window.extra_delivered(key, owed(1, 7))
    assert window.next_hungry() == ((0, 7), 1, 2)
    window.refill(key, [owed(2, 7)], ROWS_PER_LANE)
    assert heads(window, 9) == [(2, 0)]
    window.delivered(key)
    window.wake(60)
    assert window.next_hungry() is None
    assert window.next_due() == float("inf")
    assert len(window) == 0
