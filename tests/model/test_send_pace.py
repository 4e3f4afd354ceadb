"""The pace of sends: an account and its conversations, each with a bucket."""

import pytest

from unifyport.model.send_pace import MAX_BUCKETS, Pace, Pacer
from unifyport.model.token_bucket import Limit


def test_conversations_wait_for_their_own_bucket_only() -> None:
    pacer = Pacer(Pace(account=Limit(10, 10), user=Limit(1, 1), group=None))
    pacer.take("a", "user", 0.0)
    assert pacer.conversation_wait("a", "user", 0.0) == 1.0
    assert pacer.conversation_wait("b", "user", 0.0) == 0.0
    assert pacer.conversation_wait("c", "group", 0.0) == 0.0
    pacer.close_conversation("c", 7.0, 0.0)
    assert pacer.conversation_wait("c", "group", 0.0) == 7.0
    assert pacer.account_wait(0.0, ahead=9) == pytest.approx(0.1)


def test_idle_buckets_are_forgotten_and_their_number_is_bounded() -> None:
    pacer = Pacer(Pace(user=Limit(1, 1)))
    for n in range(100):
        pacer.take(f"c{n}", "user", float(n * 2))
    assert len(pacer) == 1  # each was full again when the next one came
    for n in range(MAX_BUCKETS + 100):
        pacer.close_conversation(f"x{n}", 10_000.0, 300.0)
    assert len(pacer) == MAX_BUCKETS
