import msgspec
import pytest

from unifyport.protocols.signal.chains import MAX_AHEAD, MAX_RECORD_SKIPPED
from unifyport.protocols.signal.errors import (
    BadSignature,
    Duplicate,
    KeyGone,
    Malformed,
    NoSession,
    TooFarAhead,
)
from unifyport.protocols.signal.messages import SenderKeyDistribution, SenderKeyMessage
from unifyport.protocols.signal.sender_keys import MAX_STATES, SenderKeys, decrypt_group, encrypt_group


def sent(keys: SenderKeys, count: int) -> tuple[list[bytes], SenderKeys]:
    bodies = []
    for number in range(count):
        body, keys = encrypt_group(keys, b"%d" % number)
        bodies.append(body)
    return bodies, keys


def lost(keys: SenderKeys, count: int) -> SenderKeys:
    """The keys after `count` messages that no member receives."""
    key = keys.states[0]
    _, chain = key.chain.take(key.chain.index + count - 1)
    return keys.moved(msgspec.structs.replace(key, chain=chain.keep(0)))


def read(keys: SenderKeys, body: bytes) -> tuple[bytes, SenderKeys]:
    plaintext, keys = decrypt_group(keys, body)
    return plaintext, SenderKeys.decode(keys.encode())


def test_members_read_in_any_order_and_nothing_twice() -> None:
    own = SenderKeys().create()
    member = SenderKeys().accept(own.distribution())
    bodies, own = sent(own, 5)
    for number in (3, 0, 4, 1, 2):
        plaintext, member = read(member, bodies[number])
        assert plaintext == b"%d" % number
    with pytest.raises(Duplicate):
        decrypt_group(member, bodies[3])


def test_a_member_who_joins_late_reads_from_there_on() -> None:
    own = SenderKeys().create()
    before, own = sent(own, 3)
    member = SenderKeys().accept(own.distribution())
    after, own = sent(own, 1)
    assert read(member, after[0])[0] == b"0"
    with pytest.raises(KeyGone):
        decrypt_group(member, before[2])


def test_messages_under_the_former_key_are_read_after_a_rotation() -> None:
    own = SenderKeys().create()
    member = SenderKeys().accept(own.distribution())
    late, own = sent(own, 2)
    own = own.create()
    member = member.accept(own.distribution())
    new, own = sent(own, 1)
    assert read(member, new[0])[0] == b"0"
    assert read(member, late[1])[0] == b"1"
    for _ in range(MAX_STATES):
        member = member.accept(SenderKeys().create().distribution())
    assert len(member.states) == MAX_STATES
    with pytest.raises(NoSession):
        decrypt_group(member, late[0])


def test_a_repeated_distribution_opens_no_message_twice() -> None:
    own = SenderKeys().create()
    first = own.distribution()
    member = SenderKeys().accept(first)
    bodies, own = sent(own, 2)
    _, member = read(member, bodies[0])
    member = member.accept(first)
    with pytest.raises(Duplicate):
        decrypt_group(member, bodies[0])
    assert read(member, bodies[1])[0] == b"1"


def test_a_later_distribution_of_the_same_key_bridges_what_is_too_far() -> None:
    own = SenderKeys().create()
    member = SenderKeys().accept(own.distribution())
    early, own = sent(own, 2)
    _, member = read(member, early[1])
    gone, own = sent(own, 1)
    own = lost(own, MAX_AHEAD)
    given = own.distribution()
    body, own = encrypt_group(own, b"now")
    with pytest.raises(TooFarAhead):
        decrypt_group(member, body)
    member = member.accept(given)
    assert read(member, body)[0] == b"now"
    assert read(member, early[0])[0] == b"0"  # skipped before, and kept
    with pytest.raises(KeyGone):
        decrypt_group(member, gone[0])


def test_only_the_sender_can_sign() -> None:
    own = SenderKeys().create()
    member = SenderKeys().accept(own.distribution())
    with pytest.raises(NoSession):
        encrypt_group(member, b"forged")
    body, _ = encrypt_group(own, b"real")
    for forged in (body[:-1] + bytes([body[-1] ^ 1]), body[:10] + bytes([body[10] ^ 1]) + body[11:]):
        with pytest.raises((BadSignature, Malformed, NoSession)):
            decrypt_group(member, forged)
    with pytest.raises(NoSession):
        decrypt_group(SenderKeys(), body)
    with pytest.raises(NoSession):
        SenderKeys().distribution()


def test_the_key_of_another_signer_replaces_that_of_the_same_id() -> None:
    own, other = SenderKeys().create(), SenderKeys().create()
    given = SenderKeyDistribution.parse(other.distribution())
    clash = SenderKeyDistribution(own.states[0].id, 0, given.chain_key, given.signing_key)
    member = SenderKeys().accept(own.distribution()).accept(clash.encode())
    assert len(member.states) == 1
    assert member.states[0].signing_public == given.signing_key


def test_the_largest_record_is_below_200_kib() -> None:
    own, member = SenderKeys(), SenderKeys()
    for _ in range(MAX_STATES):
        own = own.create()
        member = member.accept(own.distribution())
        for _ in range(2):
            own = lost(own, MAX_AHEAD)
            body, own = encrypt_group(own, b"")
            _, member = read(member, body)
    assert sum(len(state.chain.skipped) for state in member.states) == MAX_RECORD_SKIPPED
    assert len(member.encode()) < 200 * 1024


def test_what_is_parsed_is_what_was_sent() -> None:
    own = SenderKeys().create()
    given = SenderKeyDistribution.parse(own.distribution())
    message = SenderKeyMessage.parse(encrypt_group(own, b"x")[0])
    assert (message.id, message.iteration) == (given.id, given.iteration)
    assert "chain_key" not in repr(given)
    assert repr(own) == "<SenderKeys>"
