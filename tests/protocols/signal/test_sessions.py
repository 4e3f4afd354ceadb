import attrs
import pytest

from tests.protocols.signal.devices import Device, pair
from unifyport.protocols.signal import signal_pb2
from unifyport.protocols.signal.chains import MAX_AHEAD, MAX_RECORD_SKIPPED
from unifyport.protocols.signal.errors import (
    BadMac,
    BadSignature,
    Duplicate,
    IdentityChanged,
    KeyGone,
    Malformed,
    NoSession,
    TooFarAhead,
    UnknownPreKey,
    UnknownSignedPreKey,
)
from unifyport.protocols.signal.keys import Identity, SignedPreKey
from unifyport.protocols.signal.messages import PreKeyMessage, encode_key
from unifyport.protocols.signal.record import MAX_ARCHIVED, MAX_RECEIVING, Record
from unifyport.protocols.signal.sessions import Encrypted, encrypt, start_session


def test_messages_are_prekey_messages_until_the_peer_answers() -> None:
    alice, bob = Device(), Device()
    assert not alice.record.has_session
    alice.start(bob)
    first, second = alice.send(b"1"), alice.send(b"2")
    assert (first.type, second.type) == ("pkmsg", "pkmsg")
    assert bob.receive(first) == b"1"
    assert bob.record.knows(PreKeyMessage.parse(second.body))
    assert bob.read(second).prekey_id is None
    assert bob.receive(second) == b"2"
    alice.receive(bob.send(b"answer"))
    assert alice.send(b"3").type == "msg"
    assert bob.record.registration_id == alice.identity.registration_id
    assert bob.record.identity == alice.identity.key_pair.public


def test_a_one_time_prekey_is_used_once() -> None:
    alice, bob, carol = Device(), Device(), Device()
    bundle = bob.bundle()
    for other in (alice, carol):
        other.record = start_session(other.record, bundle, other.identity)
    decrypted = bob.read(alice.send(b""))
    assert decrypted.prekey_id == 1
    bob.receive(alice.send(b""))
    bob.record = Record()
    with pytest.raises(UnknownPreKey) as refused:
        bob.receive(carol.send(b""))
    assert refused.value.prekey_id == 1


def test_a_prekey_stays_when_its_message_is_forged() -> None:
    alice, bob = Device(), Device()
    alice.start(bob)
    sent = alice.send(b"real")
    wire = signal_pb2.PreKeySignalMessage.FromString(sent.body[1:])
    wire.message = wire.message[:-1] + bytes([wire.message[-1] ^ 1])
    with pytest.raises(BadMac):
        bob.receive(Encrypted("pkmsg", b"\x33" + wire.SerializeToString(), sent.record))
    assert bob.record == Record()
    assert bob.receive(sent) == b"real"


def test_a_stale_signed_prekey_is_named() -> None:
    alice, bob = Device(), Device()
    alice.start(bob)
    bob.signed_prekey = SignedPreKey.create(2, bob.identity)
    with pytest.raises(UnknownSignedPreKey) as refused:
        bob.receive(alice.send(b""))
    assert refused.value.signed_prekey_id == 1


def test_a_forged_signed_prekey_begins_no_session() -> None:
    alice, bob = Device(), Device()
    stranger = Identity.create().key_pair.public
    for forged in (
        attrs.evolve(bob.bundle(), signed_prekey=stranger),
        attrs.evolve(bob.bundle(), identity=stranger),
        attrs.evolve(bob.bundle(), signature=bytes(64)),
        attrs.evolve(bob.bundle(), signature=b"short"),
    ):
        with pytest.raises(BadSignature):
            start_session(alice.record, forged, alice.identity)


def test_a_bundle_with_a_point_of_low_order_is_malformed() -> None:
    alice, bob = Device(), Device()
    with pytest.raises(Malformed):
        start_session(alice.record, attrs.evolve(bob.bundle(), prekey=bytes(32)), alice.identity)


def test_a_changed_identity_is_told_and_can_be_trusted() -> None:
    alice, _ = pair()
    reinstalled = Device()
    with pytest.raises(IdentityChanged) as refused:
        alice.start(reinstalled)
    assert refused.value.identity == reinstalled.identity.key_pair.public
    reinstalled.start(alice)
    sent = reinstalled.send(b"me again")
    with pytest.raises(IdentityChanged):
        alice.receive(sent)
    assert not alice.record.knows(PreKeyMessage.parse(sent.body))
    alice.record = alice.record.forget_identity()
    assert alice.receive(sent) == b"me again"


def test_sending_and_reading_without_a_session() -> None:
    alice, bob = pair()
    with pytest.raises(NoSession):
        encrypt(Record(), b"", alice.identity)
    bob.record = Record()
    with pytest.raises(NoSession):
        bob.receive(alice.send(b""))


def test_an_archived_session_is_read_and_not_written_to() -> None:
    alice, bob = pair()
    name = alice.record.base_key
    late = bob.send(b"late")
    alice.record = alice.record.archive()
    with pytest.raises(NoSession):
        alice.send(b"")
    alice.start(bob)
    assert alice.record.base_key not in (None, name)
    assert bob.receive(alice.send(b"anew")) == b"anew"
    assert alice.receive(late) == b"late"
    assert alice.record.base_key == name  # the session that the peer writes to is the one in use


def test_the_same_message_twice_is_a_duplicate() -> None:
    alice, bob = Device(), Device()
    alice.start(bob)
    first = alice.send(b"first")
    bob.receive(first)
    with pytest.raises(Duplicate):
        bob.receive(first)
    alice.receive(bob.send(b"answer"))
    second = alice.send(b"second")
    bob.receive(second)
    with pytest.raises(Duplicate):
        bob.receive(second)


def test_a_message_of_a_chain_that_is_not_kept_any_more_is_not_authentic() -> None:
    alice, bob = pair()
    old = alice.send(b"old")
    for _ in range(MAX_RECEIVING + 1):
        bob.receive(alice.send(b""))
        alice.receive(bob.send(b""))
    assert len(bob.record.current.receiving) == MAX_RECEIVING  # type: ignore[union-attr]
    with pytest.raises(BadMac):
        bob.receive(old)


def test_a_message_too_far_ahead_changes_nothing() -> None:
    alice, bob = pair()
    near = alice.send(b"near")
    for _ in range(MAX_AHEAD):
        alice.send(b"lost")
    far = alice.send(b"far")
    with pytest.raises(TooFarAhead):
        bob.receive(far)
    assert bob.receive(near) == b"near"
    assert bob.receive(far) == b"far"


def test_the_largest_record_is_below_200_kib() -> None:
    """Many sessions, in each of which nearly all messages were lost."""
    alice, bob = Device(prekeys=60), Device(prekeys=60)
    kept = None
    for _ in range(MAX_ARCHIVED + 4):
        alice.record = alice.record.archive()
        alice.start(bob)
        for turn in range(MAX_RECEIVING):
            lost = [alice.send(b"") for _ in range(250)]
            bob.receive(alice.send(b""))
            alice.receive(bob.send(b""))
            kept = kept or (lost[0] if turn else None)
    sessions = list(bob.record.sessions())
    assert len(sessions) == MAX_ARCHIVED + 1
    skipped = sum(len(item.chain.skipped) for session in sessions for item in session.receiving)
    assert skipped == MAX_RECORD_SKIPPED
    assert len(bob.record.encode()) < 200 * 1024
    assert Record.decode(bob.record.encode()) == bob.record
    assert kept is not None
    with pytest.raises((KeyGone, BadMac)):
        bob.receive(kept)


def test_a_forged_message_costs_a_bounded_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = Device(prekeys=60), Device(prekeys=60)
    for _ in range(MAX_ARCHIVED):
        alice.record = alice.record.archive()
        alice.start(bob)
        bob.receive(alice.send(b""))
    steps = 0

    def counted(key: bytes) -> bytes:
        nonlocal steps
        steps += 1
        return key

    monkeypatch.setattr("unifyport.protocols.signal.chains.next_chain_key", counted)
    wire = signal_pb2.SignalMessage(
        ratchet_key=encode_key(Identity.create().key_pair.public), counter=MAX_AHEAD, ciphertext=bytes(16)
    )
    with pytest.raises(BadMac):
        bob.receive(Encrypted("msg", b"\x33" + wire.SerializeToString() + bytes(8), bob.record))
    assert steps < 2 * MAX_AHEAD + 100


def test_a_repr_shows_no_key() -> None:
    alice, bob = pair()
    decrypted = bob.read(alice.send(b"the plaintext"))
    shown = f"{alice.record!r} {alice.identity!r} {alice.signed_prekey!r} {decrypted!r}"
    assert "<Record>" in shown
    assert repr(alice.identity.key_pair.private)[2:-1] not in shown
    assert repr(alice.signed_prekey.key_pair.private)[2:-1] not in shown
    assert "plaintext" not in shown
