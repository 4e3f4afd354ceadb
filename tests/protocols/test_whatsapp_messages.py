"""Plaintexts of messages, additions under a message's secret, and tokens of trusted contacts."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.binary_node import Jid
from unifyport.protocols.binary_node.tokens import CODES
from unifyport.protocols.whatsapp import trusted_contacts
from unifyport.protocols.whatsapp.message_secrets import (
    Addition,
    Purpose,
    Target,
    WrongSecret,
    new_secret,
    open_addition,
    option_hash,
    seal_addition,
)
from unifyport.protocols.whatsapp.messages import (
    MAX_MESSAGE,
    MalformedMessage,
    pad,
    participant_hash,
    read_message,
    unknown_fields,
    unpad,
)
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message, PollVoteMessage, ProtocolMessage

VECTORS = json.loads((Path(__file__).parent / "vectors" / "whatsapp.json").read_text())
PN, LID = Jid("15550001", "s.whatsapp.net"), Jid("104", "lid")
TARGET = Target("3EB0ID", bytes(range(32)))


@given(plaintext=st.binary(max_size=100))
def test_padding_comes_off_again(plaintext: bytes) -> None:
    padded = pad(plaintext)
    assert 1 <= len(padded) - len(plaintext) <= 16
    assert unpad(padded) == plaintext
    assert unpad(padded, version=3) == padded


@pytest.mark.parametrize("padded", [b"", b"\0", b"text\x02", b"\x02", b"text\x01\x02"])
def test_wrong_padding_is_an_error(padded: bytes) -> None:
    with pytest.raises(MalformedMessage):
        unpad(padded)


def test_an_unknown_kind_is_told_by_its_number() -> None:
    # Field 122 is an event's invitation, which this project does not read.
    message = read_message(
        b"\xd2\x07\x03\x12\x01x" + Message(conversation="hi").SerializeToString() + b"\xf8\x3e\x01"
    )
    assert message.conversation == "hi"
    assert unknown_fields(message) == (122, 1007)
    assert unknown_fields(Message(conversation="hi")) == ()


def test_an_unknown_type_keeps_its_number() -> None:
    message = read_message(b"\x62\x02\x10\x63")  # protocolMessage, type 99
    assert message.protocolMessage.type == 99
    assert message.protocolMessage.HasField("type")
    assert 99 not in ProtocolMessage.Type.values()


@pytest.mark.parametrize(
    "plaintext",
    [
        b"\x0a\x02\xff\xfe",  # text that is not UTF-8
        b"\x0a\x7fshort",
        b"\xff",
        b"\xfa\x01\x80" * 200,
        bytes(MAX_MESSAGE + 1),
    ],
)
def test_what_is_no_message_is_an_error(plaintext: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_message(plaintext)


def test_messages_nested_without_end_are_an_error() -> None:
    inner = b""
    for _ in range(200):  # deviceSentMessage, message
        body = b"\x12" + _varint(len(inner)) + inner
        inner = b"\xfa\x01" + _varint(len(body)) + body
    with pytest.raises(MalformedMessage):
        read_message(inner)


def _varint(number: int) -> bytes:
    return bytes((number,)) if number < 128 else bytes((number & 127 | 128,)) + _varint(number >> 7)


@given(plaintext=st.binary(max_size=200))
@settings(max_examples=500)
def test_whatever_was_encrypted_is_a_message_or_an_error(plaintext: bytes) -> None:
    try:
        message = read_message(plaintext)
    except MalformedMessage:
        return
    str(message)
    unknown_fields(message)


def test_the_hash_of_no_participants_is_the_platforms_own() -> None:
    assert participant_hash([]) == "2:47DEQpj8"
    assert "2:47DEQpj8" in CODES


def test_the_hash_of_participants_knows_no_order() -> None:
    devices = [PN, PN.on_device(2), LID.on_device(11)]
    assert participant_hash(devices) == participant_hash(reversed(devices))
    assert participant_hash(devices) != participant_hash(devices[:2])


# -- additions


def test_a_vote_that_baileys_opens_opens_here() -> None:
    vector = VECTORS["vote"]
    target = Target(vector["message_id"], bytes.fromhex(vector["secret"]))
    addition = Addition(bytes.fromhex(vector["payload"]), bytes.fromhex(vector["iv"]))
    opened = open_addition(
        addition,
        target,
        Purpose.POLL_VOTE,
        senders=[Jid.parse(vector["sender"])],
        users=[Jid.parse(vector["user"])],
    )
    assert PollVoteMessage.FromString(opened.plaintext).selectedOptions == [option_hash("Tea")]


@pytest.mark.parametrize("sender", [PN, LID])
@pytest.mark.parametrize("user", [Jid("15550002", "s.whatsapp.net", 3), Jid("205", "lid")])
@pytest.mark.parametrize("purpose", [Purpose.POLL_VOTE, Purpose.REACTION, Purpose.MESSAGE_EDIT])
def test_an_addition_opens_under_whichever_addresses_were_used(
    sender: Jid, user: Jid, purpose: Purpose
) -> None:
    addition = seal_addition(b"plain", TARGET, purpose, sender=sender, user=user)
    opened = open_addition(
        addition,
        TARGET,
        purpose,
        senders=[LID.on_device(5), PN],
        users=[Jid("205", "lid"), Jid("15550002", "s.whatsapp.net")],
    )
    assert (opened.plaintext, opened.sender, opened.user) == (b"plain", sender.bare, user.bare)


def test_an_addition_opens_with_nothing_else() -> None:
    addition = seal_addition(b"plain", TARGET, Purpose.REACTION, sender=PN, user=LID)
    others = [
        (Target("OTHER", TARGET.secret), Purpose.REACTION, PN, LID),
        (Target(TARGET.message_id, new_secret()), Purpose.REACTION, PN, LID),
        (TARGET, Purpose.MESSAGE_EDIT, PN, LID),
        (TARGET, Purpose.REACTION, LID, PN),
    ]
    for target, purpose, sender, user in others:
        with pytest.raises(WrongSecret):
            open_addition(addition, target, purpose, senders=[sender], users=[user])
    with pytest.raises(WrongSecret):
        open_addition(addition, TARGET, Purpose.REACTION, senders=[], users=[LID])


def test_few_addresses_are_tried() -> None:
    many = [Jid(str(number), "lid") for number in range(4)] + [PN]
    addition = seal_addition(b"plain", TARGET, Purpose.REACTION, sender=PN, user=LID)
    with pytest.raises(WrongSecret):
        open_addition(addition, TARGET, Purpose.REACTION, senders=many, users=[LID])


@given(payload=st.binary(max_size=60), iv=st.binary(max_size=20))
@settings(deadline=None)
def test_whatever_was_added_is_an_error(payload: bytes, iv: bytes) -> None:
    with pytest.raises(WrongSecret):
        open_addition(Addition(payload, iv), TARGET, Purpose.POLL_VOTE, senders=[PN], users=[LID])


# -- trusted contacts

WEEK = trusted_contacts.BUCKET


@pytest.mark.parametrize(
    ("given_at", "valid"),
    [(0, False), (100 * WEEK, True), (97 * WEEK, True), (97 * WEEK - 1, False), (101 * WEEK, True)],
)
def test_a_token_is_valid_for_four_buckets(given_at: int, valid: bool) -> None:
    assert trusted_contacts.is_valid(given_at, 100 * WEEK + 5) is valid


@pytest.mark.parametrize(
    ("issued_at", "due"), [(0, True), (99 * WEEK, True), (100 * WEEK, False), (157 * WEEK, True)]
)
def test_a_token_is_issued_once_a_bucket(issued_at: int, due: bool) -> None:
    assert trusted_contacts.is_due(issued_at, 100 * WEEK + 5) is due


def test_a_cstoken_names_the_user_not_the_device() -> None:
    token = trusted_contacts.cs_token(b"salt", LID)
    assert token == trusted_contacts.cs_token(b"salt", LID.on_device(9))
    assert len(token) == 32
