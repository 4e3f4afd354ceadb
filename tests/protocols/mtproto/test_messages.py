"""Service messages: written and read, bounded, unpacked; errors of calls."""

import contextlib
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.mtproto import messages, tl
from unifyport.protocols.mtproto.errors import Malformed
from unifyport.protocols.mtproto.messages import Container, Message, RpcResult, parse
from unifyport.protocols.mtproto.rpc_errors import (
    MAX_WAIT,
    RPC_ERROR,
    ErrorClass,
    classify,
    parse_rpc_error,
    rpc_error,
)
from unifyport.protocols.mtproto.salts import FutureSalts, GetFutureSalts, Salt
from unifyport.protocols.mtproto.unpacking import Unpacker

UPDATE = b"\x01\x02\x03\x04" + bytes(8)
SERVICE = [
    messages.Acks((1, 2**64 - 1)),
    messages.BadMessage(4, 1, 16),
    messages.BadMessage(4, 1, 48, 2**63),
    messages.NewSessionCreated(1, 2, 3),
    messages.Ping(5),
    messages.Ping(5, 75),
    messages.Pong(4, 5),
    messages.StateRequest((4, 8)),
    messages.StateInfo(4, b"\x01\x04"),
    messages.ResendRequest((4,)),
    messages.DetailedInfo(4, 5, 100),
    messages.DetailedInfo(0, 5, 100),
    FutureSalts(4, 1000, (Salt(1, 2, 3),)),
    GetFutureSalts(4),
    RpcResult(4, UPDATE),
    Container((Message(4, 1, UPDATE), Message(8, 3, UPDATE))),
]


def gzipped(data: bytes) -> bytes:
    return tl.constructor(messages.GZIP_PACKED) + tl.string(gzip.compress(data))


def message(body: bytes) -> Message:
    return Message(5, 1, body)


@pytest.mark.parametrize("service", SERVICE, ids=lambda service: type(service).__name__)
def test_what_is_written_is_read(service: messages.ServiceMessage) -> None:
    assert not isinstance(service, messages.Gzipped | messages.Unknown)
    body = service.to_bytes()
    assert parse(body) == service
    for end in range(4, len(body), 4):
        if not isinstance(service, RpcResult) or end < 12:
            with pytest.raises(Malformed):
                parse(body[:end])
    if not isinstance(service, RpcResult):
        with pytest.raises(Malformed):
            parse(body + bytes(4))


def test_other_objects_are_handed_on() -> None:
    assert parse(UPDATE) == messages.Unknown(UPDATE)
    with pytest.raises(Malformed):
        parse(b"abc")


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 70000])
def test_strings_of_all_lengths(size: int) -> None:
    data = tl.string(b"x" * size)
    assert len(data) % 4 == 0
    reader = tl.Reader(data)
    assert reader.string() == b"x" * size
    reader.finish()


def test_counts_are_bounded_by_limit_and_bytes() -> None:
    for count in (-1, 3, 2**31 - 1):
        body = tl.constructor(messages.CONTAINER) + tl.int32(count) + bytes(40)
        with pytest.raises(Malformed):
            parse(body)
    many = Container(tuple(Message(4, 1, UPDATE) for _ in range(messages.MAX_CONTAINER + 1)))
    with pytest.raises(Malformed):
        parse(many.to_bytes())
    with pytest.raises(Malformed):
        parse(messages.Acks(tuple(range(messages.MAX_IDS + 1))).to_bytes())


def test_a_message_and_a_container_are_unpacked() -> None:
    assert [item.message for item in Unpacker().unpack(message(UPDATE))] == [messages.Unknown(UPDATE)]
    inner = Container((Message(1, 1, UPDATE), Message(3, 2, messages.Pong(4, 5).to_bytes())))
    items = Unpacker().unpack(message(inner.to_bytes()))
    assert [(item.msg_id, item.seq_no) for item in items] == [(1, 1), (3, 2)]
    assert items[1].message == messages.Pong(4, 5)
    assert Unpacker().unpack(message(gzipped(inner.to_bytes()))) == items


def test_compressed_objects_are_unpacked() -> None:
    for body, expected in [
        (gzipped(UPDATE), messages.Unknown(UPDATE)),
        (RpcResult(4, gzipped(UPDATE)).to_bytes(), RpcResult(4, UPDATE)),
        (gzipped(RpcResult(4, UPDATE).to_bytes()), RpcResult(4, UPDATE)),
    ]:
        assert [item.message for item in Unpacker().unpack(message(body))] == [expected]


def test_a_container_in_a_container_is_refused_however_it_is_hidden() -> None:
    inner = Container((Message(1, 1, UPDATE),)).to_bytes()
    for hidden in (inner, gzipped(inner)):
        with pytest.raises(Malformed, match="container"):
            Unpacker().unpack(message(Container((Message(1, 1, hidden),)).to_bytes()))


def test_a_compressed_object_in_a_compressed_object_is_refused() -> None:
    twice = gzipped(gzipped(UPDATE))
    for body in (twice, RpcResult(4, twice).to_bytes(), Container((Message(1, 1, twice),)).to_bytes()):
        with pytest.raises(Malformed, match="compressed"):
            Unpacker().unpack(message(body))


def test_a_bomb_is_refused_and_many_small_ones_too() -> None:
    bomb = gzipped(bytes(1 << 20))
    with pytest.raises(Malformed, match="too large"):
        Unpacker(limit=1 << 19).unpack(message(bomb))
    part = gzipped(UPDATE + bytes(400 << 10))
    assert len(Unpacker(limit=1 << 20).unpack(message(Container((Message(1, 1, part),) * 2).to_bytes()))) == 2
    with pytest.raises(Malformed, match="too large"):
        Unpacker(limit=1 << 20).unpack(message(Container((Message(1, 1, part),) * 3).to_bytes()))


def test_damaged_compression_is_refused() -> None:
    good = gzip.compress(UPDATE)
    for bad in (b"", b"abcd", good[:-1], good[:5] + b"\xff" + good[6:-3]):
        with pytest.raises(Malformed):
            Unpacker().unpack(message(tl.constructor(messages.GZIP_PACKED) + tl.string(bad)))


def test_an_error_that_cannot_be_read_is_noticed_when_the_packet_is_unpacked() -> None:
    bad = RpcResult(4, tl.constructor(RPC_ERROR) + bytes(2)).to_bytes()
    with pytest.raises(Malformed):
        Unpacker().unpack(message(bad))
    assert parse_rpc_error(rpc_error(420, "FLOOD_WAIT_3")) == (420, "FLOOD_WAIT_3")
    assert parse_rpc_error(UPDATE) is None


@given(st.sampled_from(SERVICE), st.binary(max_size=60), st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(service: messages.ServiceMessage, tail: bytes, keep: int) -> None:
    assert not isinstance(service, messages.Gzipped | messages.Unknown)
    for body in (service.to_bytes()[: 4 + keep] + tail, gzipped(service.to_bytes()[: 4 + keep] + tail)):
        with contextlib.suppress(Malformed):
            Unpacker().unpack(message(body))


@pytest.mark.parametrize(
    ("code", "name", "kind", "subject", "number"),
    [
        (303, "PHONE_MIGRATE_2", ErrorClass.MIGRATE, "PHONE", 2),
        (303, "FILE_MIGRATE_4", ErrorClass.MIGRATE, "FILE", 4),
        (303, "NETWORK_MIGRATE_1", ErrorClass.MIGRATE, "NETWORK", 1),
        (303, "USER_MIGRATE_5", ErrorClass.MIGRATE, "USER", 5),
        (420, "FLOOD_WAIT_30", ErrorClass.WAIT, "FLOOD", 30),
        (420, "FLOOD_PREMIUM_WAIT_3", ErrorClass.WAIT, "FLOOD_PREMIUM", 3),
        (420, "SLOWMODE_WAIT_5", ErrorClass.WAIT, "SLOWMODE", 5),
        (420, "TAKEOUT_INIT_DELAY_86400", ErrorClass.WAIT, "TAKEOUT_INIT_DELAY", 86400),
        (420, "FLOOD_WAIT_99999999", ErrorClass.WAIT, "FLOOD", MAX_WAIT),
        (401, "SESSION_PASSWORD_NEEDED", ErrorClass.PASSWORD, "", 0),
        (401, "AUTH_KEY_UNREGISTERED", ErrorClass.UNAUTHORIZED, "", 0),
        (401, "USER_DEACTIVATED_BAN", ErrorClass.UNAUTHORIZED, "", 0),
        (406, "AUTH_KEY_DUPLICATED", ErrorClass.DUPLICATED, "", 0),
        (500, "RPC_CALL_FAIL", ErrorClass.SERVER, "", 0),
        (-503, "Timeout", ErrorClass.SERVER, "", 0),
        (400, "PEER_FLOOD", ErrorClass.REFUSED, "", 0),
        (400, "PEER_ID_INVALID", ErrorClass.REFUSED, "", 0),
        (400, "XFLOOD_WAIT_30", ErrorClass.REFUSED, "", 0),
        (400, "FLOOD_WAIT_30 ", ErrorClass.REFUSED, "", 0),
        (400, "FLOOD_WAIT_٣", ErrorClass.REFUSED, "", 0),
    ],
)
def test_errors_are_classified(code: int, name: str, kind: ErrorClass, subject: str, number: int) -> None:
    error = classify(code, name)
    assert (error.kind, error.subject, error.dc or error.seconds, error.name) == (kind, subject, number, name)
