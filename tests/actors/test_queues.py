"""The queue of the roads: the messages of an account keep their order, and no account fills a batch alone."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actors.queues import MOST_OF_ONE, FairQueue

Item = tuple[str, int]


def queue_of(items: list[Item]) -> FairQueue[Item]:
    queue: FairQueue[Item] = FairQueue(lambda item: item[0])
    for item in items:
        queue.append(item)
    return queue


def test_accounts_take_turns() -> None:
    queue = queue_of([("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1), ("c", 2)])
    assert queue.take(4) == [("a", 1), ("b", 1), ("c", 1), ("a", 2)]
    assert queue.take(4) == [("c", 2), ("a", 3)]
    assert (len(queue), queue.take(4)) == (0, [])


def test_an_account_alone_gets_the_whole_batch_and_in_company_its_share() -> None:
    flood = [("flood", number) for number in range(300)]
    assert len(queue_of(flood).take(256)) == 256
    taken = Counter(key for key, _ in queue_of([*flood, *(("other", n) for n in range(300))]).take(256))
    assert taken == {"flood": MOST_OF_ONE, "other": MOST_OF_ONE}
    taken = Counter(key for key, _ in queue_of([*flood, ("quiet", 1)]).take(10))
    assert taken == {"flood": 9, "quiet": 1}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), max_size=200))
def test_each_account_is_first_in_first_out_and_nothing_is_lost(steps: list[tuple[str, int]]) -> None:
    """A step appends an item, and takes some when its number is even."""
    queue, given_, taken = queue_of([]), list[Item](), list[Item]()
    for number, (key, most) in enumerate(steps):
        queue.append((key, number))
        given_.append((key, number))
        if most % 2 == 0:
            taken += queue.take(most)
            assert len(queue) == len(given_) - len(taken)
    while len(queue):
        taken += queue.take(7)
    for key in "abc":
        assert [item for item in taken if item[0] == key] == [item for item in given_ if item[0] == key]
