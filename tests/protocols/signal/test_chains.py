import pytest

from unifyport.protocols.signal.chains import MAX_AHEAD, MAX_SKIPPED, Chain
from unifyport.protocols.signal.ciphers import derive
from unifyport.protocols.signal.errors import Duplicate, KeyGone, TooFarAhead

START = Chain(bytes(range(32)))


def seeds(count: int) -> list[bytes]:
    chain, made = START, []
    for _ in range(count):
        seed, chain = chain.step()
        made.append(seed)
    return made


def test_both_ends_of_a_chain_have_the_same_seeds() -> None:
    sent, chain = seeds(6), START
    for counter in (2, 0, 5, 1, 4, 3):
        seed, chain = chain.take(counter)
        assert seed == sent[counter]
    assert chain.index == 6
    assert chain.skipped == ()


def test_no_seed_is_given_out_twice() -> None:
    _, chain = START.take(3)
    _, chain = chain.take(1)
    for counter in (3, 1):
        with pytest.raises(Duplicate) as refused:
            chain.take(counter)
        assert refused.value.counter == counter


def test_one_message_may_be_so_far_ahead_and_no_further() -> None:
    with pytest.raises(TooFarAhead) as refused:
        START.take(MAX_AHEAD + 1)
    assert refused.value.ahead == MAX_AHEAD + 1
    seed, chain = START.take(MAX_AHEAD)
    assert seed == seeds(MAX_AHEAD + 1)[-1]
    assert len(chain.skipped) == MAX_AHEAD


def test_the_oldest_skipped_keys_are_dropped_and_are_no_duplicates() -> None:
    _, chain = START.take(MAX_AHEAD)
    _, chain = chain.take(MAX_AHEAD + 11)
    assert len(chain.skipped) == MAX_SKIPPED
    with pytest.raises(KeyGone):
        chain.take(9)
    with pytest.raises(Duplicate):
        chain.take(MAX_AHEAD)
    chain.take(10)


def test_a_step_changes_nothing_in_place() -> None:
    _, chain = START.take(4)
    before = (chain.key, chain.index, chain.skipped, chain.kept)
    chain.take(2)
    chain.take(9)
    chain.step()
    assert (chain.key, chain.index, chain.skipped, chain.kept) == before
    assert START.key == bytes(range(32))


def test_a_repr_shows_no_key() -> None:
    _, chain = Chain(b"k" * 32).take(2)
    assert repr(chain) == "<Chain>"


@pytest.mark.parametrize(
    ("secret", "salt", "info", "derived"),
    [
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "0b" * 22,
            "00" * 32,  # RFC 5869: no salt is HashLen zeros
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
    ids=["A.1", "A.3"],
)
def test_keys_are_derived_as_in_rfc_5869(secret: str, salt: str, info: str, derived: str) -> None:
    expected = bytes.fromhex(derived)
    made = derive(bytes.fromhex(secret), bytes.fromhex(info), len(expected), bytes.fromhex(salt))
    assert made == expected
