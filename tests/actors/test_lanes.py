"""The lanes of an outbox: the order of its commands, and the answer to one that cannot be done in time."""

import pytest

from actors.account.lanes import ALPHA, BUSY, MAX_LANE, MAX_QUEUED, RATE_LIMITED, Lanes, Wanted
from unifyport.model.message import CommandState
from unifyport.model.send_pace import Pace, Pacer
from unifyport.model.token_bucket import Limit

LEFT = 25.0


def lanes(pace: Pace | None = None, slots: int = 4) -> Lanes:
    return Lanes(Pacer(pace or Pace()), slots)


def message(conversation: str) -> Wanted:
    return Wanted(conversation, True)


def test_an_idle_account_begins_at_once() -> None:
    assert lanes().begins_in(message("a"), 0.0) == (0.0, False)


def test_a_command_waits_for_those_ahead_in_its_lane_and_for_its_share_of_the_slots() -> None:
    queue = lanes(slots=4)
    for _ in range(3):
        queue.reserve(message("a"))
    assert queue.begins_in(message("a"), 0.0) == (3.0, False)  # one second each, to begin with
    assert queue.begins_in(message("b"), 0.0) == (0.75, False)
    assert queue.begins_in(Wanted(None), 0.0) == (0.75, False)


def test_the_service_time_is_a_moving_average() -> None:
    queue = lanes()
    queue.observe_service(9.0)
    assert queue.service_seconds == 1.0 + ALPHA * 8.0
    assert queue.needs == 4.0
    for _ in range(100):
        queue.observe_service(60.0)
    assert queue.needs == 10.0
    for _ in range(100):
        queue.observe_service(0.01)
    assert queue.needs == 2.0


def test_what_does_not_fit_into_its_time_is_refused_and_told_when_it_would() -> None:
    queue = lanes(slots=1)
    for _ in range(30):
        queue.reserve(message("a"))
    refused = queue.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert (refused.state, refused.code, refused.retry_after) == (CommandState.NOT_SENT, BUSY, 7.0)
    assert queue.refusal(message("a"), 0.0, LEFT + 7) is None


def test_the_pace_is_named_where_it_is_the_longest_wait() -> None:
    queue = lanes(Pace(user=Limit(0.1, 1)))
    for _ in range(3):
        queue.reserve(message("a"))
    refused = queue.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert (refused.code, refused.retry_after) == (RATE_LIMITED, 7.0)  # 30 s of pace, 2 s of work, 25 s left
    assert queue.refusal(message("b"), 0.0, LEFT) is None
    assert queue.refusal(Wanted("a"), 0.0, LEFT) is None  # no message: the pace does not count


def test_messages_that_wait_for_the_account_are_ahead_of_a_new_one() -> None:
    queue = lanes(Pace(account=Limit(1, 1)), slots=32)
    places = [queue.reserve(message(f"c{n}")) for n in range(10)]
    assert queue.begins_in(message("new"), 0.0)[0] == pytest.approx(10.0)
    queue.take_tokens(places[0])
    assert queue.begins_in(message("new"), 0.0)[0] == pytest.approx(9.0)


def test_a_conversation_and_an_account_hold_so_many_commands() -> None:
    queue = lanes(slots=100_000)
    queue.service_seconds = 0.0
    for _ in range(MAX_LANE):
        queue.reserve(message("a"))
    refused = queue.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert (refused.code, refused.retry_after) == (BUSY, 1.0)
    assert queue.refusal(message("b"), 0.0, LEFT) is None
    for n in range(MAX_QUEUED - MAX_LANE):
        queue.reserve(message(f"c{n}"))
    assert queue.refusal(message("b"), 0.0, LEFT) is not None


def test_the_longest_retry_is_an_hour() -> None:
    queue = lanes(Pace(account=Limit(1 / 3600, 1)))
    for _ in range(5):
        queue.reserve(message("a"))
    refused = queue.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert refused.retry_after == 3600.0


def test_a_lane_is_forgotten_when_it_is_empty() -> None:
    queue = lanes()
    place = queue.reserve(message("a"))
    queue.leave(place)
    assert (queue.queued, queue.places()) == (0, [])
    assert queue.reserve(message("a")).lane is not place.lane


def test_a_lane_is_ready_when_its_first_place_is_decided() -> None:
    queue = lanes()
    first, second = queue.reserve(message("a")), queue.reserve(message("a"))
    second.decided = True
    assert not first.lane.ready
    first.decided = True
    assert first.lane.ready
    first.lane.working = True
    assert not first.lane.ready
