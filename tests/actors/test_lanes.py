"""The lanes of an outbox: the order of its commands."""

from actors.account.lanes import Lanes, Wanted


def message(conversation: str) -> Wanted:
    return Wanted(conversation, True)


def test_a_lane_is_forgotten_when_it_is_empty() -> None:
    queue = Lanes(4)
    place = queue.reserve(message("a"))
    queue.leave(place)
    assert (queue.queued, queue.places()) == (0, [])
    assert queue.reserve(message("a")).lane is not place.lane


def test_a_lane_is_ready_when_its_first_place_is_decided() -> None:
    queue = Lanes(4)
    first, second = queue.reserve(message("a")), queue.reserve(message("a"))
    second.decided = True
    assert not first.lane.ready
    first.decided = True
    assert first.lane.ready
    first.lane.working = True
    assert not first.lane.ready
