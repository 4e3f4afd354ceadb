"""Whether a command can be done in time, and when the callers of those that cannot are to come again."""

import pytest

from actors.account.admission import BUSY, MAX_APPOINTED, RATE_LIMITED, Admission
from actors.account.lanes import ALPHA, MAX_LANE, MAX_QUEUED, Lanes, Wanted
from unifyport.model.message import CommandState
from unifyport.model.send_pace import Pace, Pacer
from unifyport.model.token_bucket import Limit

LEFT = 25.0


def lanes(pace: Pace | None = None, slots: int = 4) -> tuple[Lanes, Admission]:
    queue = Lanes(slots)
    return queue, Admission(queue, Pacer(pace or Pace()))


def message(conversation: str) -> Wanted:
    return Wanted(conversation, True)


def test_an_idle_account_begins_at_once() -> None:
    assert lanes()[1].begins_in(message("a"), 0.0) == (0.0, False)


def test_a_command_waits_for_those_ahead_in_its_lane_and_for_its_share_of_the_slots() -> None:
    queue, admission = lanes(slots=4)
    for _ in range(3):
        queue.reserve(message("a"))
    assert admission.begins_in(message("a"), 0.0) == (3.0, False)  # one second each, to begin with
    assert admission.begins_in(message("b"), 0.0) == (0.75, False)
    assert admission.begins_in(Wanted(None), 0.0) == (0.75, False)


def test_the_service_time_is_a_moving_average() -> None:
    queue, admission = lanes()
    queue.observe_service(9.0)
    assert queue.service_seconds == 1.0 + ALPHA * 8.0
    assert admission.needs == 4.0
    for _ in range(100):
        queue.observe_service(60.0)
    assert admission.needs == 10.0
    for _ in range(100):
        queue.observe_service(0.01)
    assert admission.needs == 2.0


def test_what_does_not_fit_into_its_time_is_refused_and_told_when_it_would() -> None:
    queue, admission = lanes(slots=1)
    for _ in range(30):
        queue.reserve(message("a"))
    refused = admission.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert (refused.state, refused.code, refused.retry_after) == (CommandState.NOT_SENT, BUSY, 7.0)
    assert admission.refusal(message("a"), 0.0, LEFT + 7) is None


def test_the_pace_is_named_where_it_is_the_longest_wait() -> None:
    queue, admission = lanes(Pace(user=Limit(0.1, 1)))
    for _ in range(3):
        queue.reserve(message("a"))
    refused = admission.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert (refused.code, refused.retry_after) == (RATE_LIMITED, 7.0)  # 30 s of pace, 2 s of work, 25 s left
    assert admission.refusal(message("b"), 0.0, LEFT) is None
    assert admission.refusal(Wanted("a"), 0.0, LEFT) is None  # no message: the pace does not count


def test_messages_that_wait_for_the_account_are_ahead_of_a_new_one() -> None:
    queue, admission = lanes(Pace(account=Limit(1, 1)), slots=32)
    places = [queue.reserve(message(f"c{n}")) for n in range(10)]
    assert admission.begins_in(message("new"), 0.0)[0] == pytest.approx(10.0)
    queue.take_tokens(places[0])
    assert admission.begins_in(message("new"), 0.0)[0] == pytest.approx(9.0)


def test_a_conversation_and_an_account_hold_so_many_commands() -> None:
    queue, admission = lanes(slots=100_000)
    queue.service_seconds = 0.0
    for _ in range(MAX_LANE):
        queue.reserve(message("a"))
    refused = admission.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert (refused.code, refused.retry_after) == (BUSY, 1.0)
    assert admission.refusal(message("b"), 0.0, LEFT) is None
    for n in range(MAX_QUEUED - MAX_LANE):
        queue.reserve(message(f"c{n}"))
    assert admission.refusal(message("b"), 0.0, LEFT) is not None


def test_the_longest_retry_is_an_hour() -> None:
    queue, admission = lanes(Pace(account=Limit(1 / 3600, 1)))
    for _ in range(5):
        queue.reserve(message("a"))
    refused = admission.refusal(message("a"), 0.0, LEFT)
    assert refused is not None
    assert refused.retry_after == 3600.0


def waits(admission: Admission, count: int, now: float = 0.0) -> list[float]:
    """What callers who come at the same time are told."""
    refusals = [admission.refusal(message(f"new{n}"), now, LEFT) for n in range(count)]
    return [refusal.retry_after or 0.0 for refusal in refusals if refusal is not None]


def test_callers_who_are_refused_together_come_again_one_after_another() -> None:
    queue, admission = lanes(slots=10)
    for n in range(MAX_QUEUED):
        queue.reserve(message(f"c{n}"))
    told = waits(admission, 200)
    assert told == sorted(told)
    assert told[-1] - told[0] == pytest.approx(20.0, abs=1.0)  # ten commands end in a second
    assert waits(admission, 1, now=told[-1]) == [told[0]], "an appointment that has passed holds up nobody"


def test_callers_who_come_early_do_not_push_the_others_away() -> None:
    queue, admission = lanes(slots=32)
    for n in range(MAX_QUEUED):
        queue.reserve(message(f"c{n}"))
    told = waits(admission, 20_000)
    assert max(told) <= MAX_APPOINTED
    assert len(set(told[10_000:])) > 20, "the callers for whom the time is too short share it"


def test_the_pace_of_the_account_spreads_callers_too() -> None:
    queue, admission = lanes(Pace(account=Limit(2, 1)), slots=32)
    for n in range(60):
        queue.reserve(message(f"c{n}"))
    told = waits(admission, 20)
    assert told[-1] - told[0] == pytest.approx(10.0, abs=1.0)


def test_a_full_conversation_holds_up_no_other() -> None:
    queue, admission = lanes(slots=32)
    for _ in range(MAX_LANE):
        queue.reserve(message("a"))
    told = {refused.retry_after for _ in range(50) if (refused := admission.refusal(message("a"), 0.0, LEFT))}
    assert len(told) == 1
    assert admission.refusal(message("b"), 0.0, LEFT) is None
