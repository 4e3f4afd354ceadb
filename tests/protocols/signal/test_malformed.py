"""Bytes from outside: whatever they are, the answer is a value or `Malformed`."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.signal.devices import Device, pair
from unifyport.protocols.signal.errors import Malformed, SignalError
from unifyport.protocols.signal.messages import (
    PreKeyMessage,
    SenderKeyDistribution,
    SenderKeyMessage,
    SignalMessage,
)
from unifyport.protocols.signal.record import Record
from unifyport.protocols.signal.sender_keys import SenderKeys, decrypt_group, encrypt_group
from unifyport.protocols.signal.sessions import Encrypted

PARSERS: list[Callable[[bytes], object]] = [
    PreKeyMessage.parse,
    SignalMessage.parse,
    SenderKeyMessage.parse,
    SenderKeyDistribution.parse,
]
DECODERS: list[Callable[[bytes], object]] = [Record.decode, SenderKeys.decode]


@pytest.mark.parametrize("parse", PARSERS + DECODERS, ids=lambda parse: parse.__qualname__)
@given(data=st.binary(max_size=300), prefix=st.sampled_from([b"", b"\x33", b"\x01", b"\x33\x12\x21\x05"]))
def test_any_bytes_are_a_value_or_malformed(
    parse: Callable[[bytes], object], data: bytes, prefix: bytes
) -> None:
    with contextlib.suppress(Malformed):
        parse(prefix + data)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__qualname__)
@pytest.mark.parametrize("body", [b"", b"\x33", b"\x22", b"\x43" + bytes(100), b"\x33" * 8])
def test_what_is_no_message_is_malformed(parse: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(Malformed):
        parse(body)


ALICE, BOB = pair()
STRANGER = Device()
STRANGER.start(BOB)
MESSAGES = [ALICE.send(b"x" * 40), STRANGER.send(b"x" * 40)]
OWN = SenderKeys().create()
MEMBER = SenderKeys().accept(OWN.distribution())
GROUP_MESSAGE = encrypt_group(OWN, b"x" * 40)[0]


@given(st.sampled_from(MESSAGES), st.data())
def test_no_changed_byte_of_a_message_passes(message: Encrypted, data: st.DataObject) -> None:
    """Bytes outside the MAC are those of the wrapping: which of our keys the first message was made for."""
    place = data.draw(st.integers(0, len(message.body) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(message.body)
    changed[place] ^= 1 << bit
    reader = Device(0)
    reader.identity, reader.signed_prekey, reader.prekeys = BOB.identity, BOB.signed_prekey, BOB.prekeys
    reader.record = BOB.record if message.type == "msg" else Record()
    try:
        plaintext = reader.read(Encrypted(message.type, bytes(changed), message.record)).plaintext
    except SignalError:
        return
    assert message.type == "pkmsg"  # the registration id, an unknown field, the low bits of the version
    assert plaintext == b"x" * 40


@given(st.integers(0, len(GROUP_MESSAGE) * 8 - 1))
def test_no_changed_byte_of_a_group_message_passes(place: int) -> None:
    changed = bytearray(GROUP_MESSAGE)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(SignalError):
        decrypt_group(MEMBER, bytes(changed))


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_record_is_malformed_or_another_record(place: int, value: int) -> None:
    data = bytearray(BOB.record.encode())
    data[place % len(data)] = value
    with contextlib.suppress(Malformed):
        assert isinstance(Record.decode(bytes(data)), Record)
