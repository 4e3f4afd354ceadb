"""Token buckets: what a limit means, and that no bucket ever gives more than it allows."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.token_bucket import Bucket, Limit


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("30/s", Limit(30, 30)),
        ("20/m", Limit(20 / 60, 1)),
        ({"rate": "10/m", "burst": 45}, Limit(10 / 60, 45)),
        ({"rate": "1/h"}, Limit(1 / 3600, 1)),
        ("off", None),
    ],
)
def test_a_limit_is_read(value: object, limit: Limit | None) -> None:
    assert Limit.parse(value) == limit


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (30, "must be a rate"),
        ("30", "must be a rate"),
        ("0/s", "must be a rate"),
        ("0.5/h", "from 1/h to 10000/s"),
        ("10001/s", "from 1/h to 10000/s"),
        ({"rate": "1/s", "brust": 2}, "'brust'"),
        ({"burst": 2}, "must be a rate"),
        ({"rate": "1/s", "burst": 0}, "burst must be a whole number from 1"),
        ({"rate": "1/s", "burst": True}, "burst must be a whole number"),
        ({"rate": "1/s", "burst": 2.5}, "burst must be a whole number"),
        (None, "must be a rate"),
    ],
)
def test_what_is_no_limit_is_refused_with_a_reason(value: object, says: str) -> None:
    with pytest.raises(ValueError, match=r"rate|burst|key") as error:
        Limit.parse(value)
    assert says in str(error.value)


@given(
    rate=st.floats(0.01, 50),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_no_window_sees_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    """Each message begins as soon as the bucket allows it."""
    limit, bucket, now, begun = Limit(rate, burst), Bucket(), 0.0, []
    for pause in pauses:
        now += pause
        now += bucket.wait(limit, now)
        bucket.take(limit, now)
        begun.append(now)
    for first, last in itertools.combinations(range(len(begun)), 2):
        allowed = burst + rate * (begun[last] - begun[first])
        assert last - first + 1 <= allowed + 1e-6


@given(rate=st.floats(0.01, 50), burst=st.integers(1, 20), ahead=st.integers(0, 40))
def test_the_wait_behind_others_is_what_it_turns_out_to_be(rate: float, burst: int, ahead: int) -> None:
    limit, bucket, now = Limit(rate, burst), Bucket(), 5.0
    foretold = bucket.wait(limit, now, ahead)
    for _ in range(ahead):
        now += bucket.wait(limit, now)
        bucket.take(limit, now)
    assert now + bucket.wait(limit, now) - 5.0 == pytest.approx(foretold, abs=1e-6)


def test_a_closed_bucket_gives_nothing_even_without_a_limit() -> None:
    bucket = Bucket()
    bucket.close(12.0)
    bucket.close(3.0)  # an earlier time changes nothing
    assert bucket.wait(None, 10.0) == 2.0
    assert bucket.wait(None, 12.0) == 0.0


@pytest.mark.parametrize(
    ("rate", "limit"),
    [(0.0, None), (50.0, Limit(50.0, 50)), (2.5, Limit(2.5, 2)), (1 / 60, Limit(1 / 60, 1))],
)
def test_a_rate_allows_at_once_what_it_allows_in_a_second(rate: float, limit: Limit | None) -> None:
    assert Limit.per_second(rate) == limit
