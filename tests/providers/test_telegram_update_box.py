"""The update box against a model: updates come in any order, some never, some twice; nothing is lost, and
nothing is applied out of order or twice.
"""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.providers.telegram.user.update_box import (
    ACCOUNT,
    GAP_SECONDS,
    LONGEST_PAUSE,
    MAX_HELD,
    MOST_ASKED,
    UpdateBox,
)

CHANNEL = 10**10


def test_what_is_in_order_is_applied_and_what_came_before_is_dropped() -> None:
    box = UpdateBox[str]()
    box.load([(ACCOUNT, 10)])
    assert box.offer(ACCOUNT, 11, 1, "a", 0) == ["a"]
    assert box.offer(ACCOUNT, 11, 1, "a again", 0) == []
    assert box.position(ACCOUNT) == 11
    assert box.due() == math.inf


def test_a_gap_that_closes_by_itself_asks_for_nothing() -> None:
    box = UpdateBox[str]()
    box.load([(ACCOUNT, 10)])
    assert box.offer(ACCOUNT, 12, 1, "b", 0) == []
    assert box.due() == GAP_SECONDS
    assert box.offer(ACCOUNT, 11, 1, "a", 0.1) == ["a", "b"]
    assert box.due() == math.inf


def test_a_gap_asks_for_the_difference_which_may_contain_what_is_held() -> None:
    box = UpdateBox[str]()
    box.load([(ACCOUNT, 10)])
    box.offer(ACCOUNT, 12, 1, "b", 0)
    assert box.begin(0.4, 4) == []
    assert box.begin(0.5, 4) == [ACCOUNT]
    assert box.begin(0.5, 4) == []  # it is being fetched
    assert box.offer(ACCOUNT, 13, 1, "c", 0.6) == []  # may be part of the answer
    box.move(ACCOUNT, 11)
    assert box.end(ACCOUNT, 12, 0.7) == ["c"]
    assert (box.position(ACCOUNT), box.due()) == (13, math.inf)


def test_a_message_behind_a_read_mark_with_the_same_position_is_not_lost() -> None:
    box = UpdateBox[str]()
    assert box.offer(CHANNEL, 7, 0, "read", 0) == ["read"]
    assert box.offer(CHANNEL, 7, 1, "message", 0) == ["message"]
    box.load([(CHANNEL + 1, 6)])
    assert box.offer(CHANNEL + 1, 7, 0, "read", 0) == []
    assert box.offer(CHANNEL + 1, 7, 1, "message", 0) == ["message", "read"]


def test_a_position_of_zero_moves_nothing() -> None:
    box = UpdateBox[str]()
    box.load([(ACCOUNT, 10), (CHANNEL, 0)])
    assert box.offer(ACCOUNT, 0, 0, "unset", 0) == ["unset"]
    box.want(ACCOUNT, 0)
    assert box.begin(0, 1) == [ACCOUNT]
    box.move(ACCOUNT, 0)
    box.end(ACCOUNT, 0, 0)
    assert box.position(ACCOUNT) == 10
    assert box.known() == [ACCOUNT]


def test_one_channel_that_cannot_be_fetched_holds_up_no_other() -> None:
    box = UpdateBox[str]()
    box.load([(ACCOUNT, 1), (CHANNEL, 5), (CHANNEL + 1, 5)])
    box.want(CHANNEL, 0)
    assert box.begin(0, 4) == [CHANNEL]
    box.fail(CHANNEL, 0)
    assert box.begin(0, 4) == []
    assert box.offer(CHANNEL + 1, 6, 1, "other", 0) == ["other"]
    assert box.position(CHANNEL) == 5
    now = 0.0
    for _ in range(20):
        now = box.due()
        assert box.begin(now, 4) == [CHANNEL]
        box.fail(CHANNEL, now)
    assert box.due() - now == LONGEST_PAUSE


def test_the_account_goes_first_and_the_rest_up_to_a_limit() -> None:
    box = UpdateBox[str]()
    for each in range(5):
        box.want(CHANNEL + each, 0)
    box.want(ACCOUNT, 0)
    assert box.begin(0, 3) == [ACCOUNT, CHANNEL, CHANNEL + 1]


def test_what_is_held_is_bounded_and_the_rest_is_fetched() -> None:
    box = UpdateBox[int]()
    box.load([(ACCOUNT, 1)])
    box.want(ACCOUNT, 0)
    box.begin(0, 1)
    for number in range(3, 3 + 2 * MAX_HELD):
        box.offer(ACCOUNT, number, 1, number, 0)
    assert len(box.end(ACCOUNT, 2, 0)) == MAX_HELD
    assert box.begin(0, 1) == [ACCOUNT]


def test_a_position_that_no_difference_reaches_is_not_asked_for_without_an_end() -> None:
    box = UpdateBox[str]()
    box.load([(ACCOUNT, 10)])
    found: list[str] = []
    for pts, count, item in ((2**31 - 1, 1, "far ahead"), (5, -(2**31), "backwards")):
        found += box.offer(ACCOUNT, pts, count, item, 0)
    for _ in range(MOST_ASKED):
        assert box.begin(box.due(), 1) == [ACCOUNT]
        found += box.end(ACCOUNT, 10, 0)
    assert (found, box.due(), box.position(ACCOUNT)) == (["far ahead"], math.inf, 10)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[int], list[bool]]:
    """(pts, count) of each update of a sequence; the order in which they come; whether a fetch succeeds."""
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=30))
    pts, updates = 1, []
    for count in counts:
        pts += count
        updates.append((pts, count))
    arrivals = draw(st.lists(st.integers(0, len(updates) - 1), max_size=60))
    return updates, arrivals, draw(st.lists(st.booleans(), max_size=5))


@settings(max_examples=300, deadline=None)
@given(histories())
def test_every_update_is_applied_once_and_in_order(
    history: tuple[list[tuple[int, int]], list[int], list[bool]],
) -> None:
    updates, arrivals, fetches = history
    box = UpdateBox[int]()
    box.load([(ACCOUNT, 1)])
    applied: list[int] = []
    now, outcomes = 0.0, list(fetches)

    def note(items: list[int]) -> None:
        applied.extend(item for item in items if updates[item][1])  # what moves nothing may come again

    def fetch(in_between: list[int]) -> None:
        nonlocal now
        now = max(now, box.due())
        if not box.begin(now, 1):
            return
        for index in in_between:
            note(box.offer(ACCOUNT, *updates[index], index, now))
        if outcomes and not outcomes.pop():
            box.fail(ACCOUNT, now)
            return
        missing = [i for i, (pts, count) in enumerate(updates) if count and pts > box.position(ACCOUNT)]
        half = len(missing) // 2
        note(missing[:half])
        if half:
            box.move(ACCOUNT, updates[missing[half - 1]][0])
        note(missing[half:])
        note(box.end(ACCOUNT, updates[-1][0], now))

    for place, index in enumerate(arrivals):
        note(box.offer(ACCOUNT, *updates[index], index, now))
        now += 0.2
        if box.due() <= now:
            fetch(arrivals[place : place + 3])
    box.want(ACCOUNT, now)
    for _ in range(8):
        fetch([])
        box.want(ACCOUNT, now)
    assert applied == [index for index, (_, count) in enumerate(updates) if count]
