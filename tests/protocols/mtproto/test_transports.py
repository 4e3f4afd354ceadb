"""Packets on a stream: each framing, obfuscated and not, cut anywhere; errors."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.mtproto.encryption import AuthKey, Envelope, Role, seal, seal_plain
from unifyport.protocols.mtproto.errors import Malformed, MTProtoError, TransportFailure
from unifyport.protocols.mtproto.obfuscation import accept, initiate
from unifyport.protocols.mtproto.transports import (
    ClientTransport,
    FrameReader,
    Framing,
    ServerTransport,
    to_frame,
)

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "mtproto.json").read_text())["obfuscated"]
SECRET = bytes.fromhex(VECTOR["secret"])
KEY = AuthKey(bytes(256))
PACKETS = [seal_plain(4, b"body" * size) for size in (1, 200)]
PACKETS += [seal(KEY, Envelope(1, 2, 3, 1, b"body" * size), Role.SERVER) for size in (1, 126, 1000)]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@pytest.mark.parametrize("secret", [b"", SECRET], ids=["open", "secret"])
@pytest.mark.parametrize("obfuscated", [False, True], ids=["plain", "obfuscated"])
@pytest.mark.parametrize("framing", Framing)
@given(st.lists(st.integers(0, 20000), max_size=8))
@settings(max_examples=15, deadline=None)
def test_packets_arrive_however_the_stream_is_cut(
    framing: Framing, obfuscated: bool, secret: bytes, cuts: list[int]
) -> None:
    client = ClientTransport(framing, obfuscated=obfuscated, secret=secret, dc=-2)
    server = ServerTransport(secret=secret)
    sent = b"".join(client.send(packet) for packet in PACKETS)
    received = [packet for piece in pieces(sent, cuts) for packet in server.receive(piece)]
    assert received == PACKETS
    assert server.framing is framing
    assert server.dc == (-2 if obfuscated or secret else 0)
    back = b"".join(server.send(packet) for packet in PACKETS)
    assert [packet for piece in pieces(back, cuts) for packet in client.receive(piece)] == PACKETS


@pytest.mark.parametrize("framing", Framing)
def test_a_transport_error_is_told_by_its_code(framing: Framing) -> None:
    client, server = ClientTransport(framing, obfuscated=True), ServerTransport()
    server.receive(client.send(PACKETS[0]))
    with pytest.raises(TransportFailure) as failure:
        client.receive(server.fail(404))
    assert failure.value.code == 404


@pytest.mark.parametrize("framing", Framing)
def test_a_packet_beyond_the_limit_is_refused_before_it_is_there(framing: Framing) -> None:
    reader = FrameReader(framing, from_server=True, limit=1024)
    assert len(reader.feed(to_frame(bytes(1000), framing))) == 1
    with pytest.raises(Malformed):
        reader.feed(to_frame(bytes(4096), framing)[:8])


def test_a_request_for_a_quick_acknowledgement_is_read_as_a_packet() -> None:
    packet = PACKETS[0]
    assert FrameReader(Framing.ABRIDGED, from_server=False).feed(
        bytes((len(packet) // 4 | 0x80,)) + packet
    ) == [packet]
    head = (len(packet) | 1 << 31).to_bytes(4, "little")
    assert FrameReader(Framing.INTERMEDIATE, from_server=False).feed(head + packet) == [packet]
    with pytest.raises(Malformed):
        FrameReader(Framing.ABRIDGED, from_server=True).feed(bytes((len(packet) // 4 | 0x80,)) + packet)


def test_a_packet_is_a_multiple_of_four_bytes() -> None:
    for packet in (b"", b"abcde"):
        with pytest.raises(ValueError):
            to_frame(packet, Framing.ABRIDGED)


def test_the_obfuscated_header_is_as_published() -> None:
    random = bytes.fromhex(VECTOR["random"])
    header, client = initiate(
        Framing.PADDED.value, secret=SECRET, dc=VECTOR["dc"], random=lambda size: random[:size]
    )
    assert header.hex() == VECTOR["header"]
    assert client.encrypt(b"abcd").hex() == VECTOR["client"]
    assert client.decrypt(b"abcd").hex() == VECTOR["server"]
    tag, dc, server = accept(header, secret=SECRET)
    assert (tag, dc) == (Framing.PADDED.value, 2)
    assert server.decrypt(bytes.fromhex(VECTOR["client"])) == b"abcd"


@pytest.mark.parametrize(
    "reserved", [b"\xef123", b"HEAD", b"POST", b"GET ", b"\x16\x03\x01\x02", b"\xdd" * 4]
)
def test_a_header_never_begins_like_another_protocol(reserved: bytes) -> None:
    draws = iter([reserved + b"x" * 60, b"abcd" + bytes(4) + b"x" * 56, b"abcdefgh" + b"x" * 56])
    header, _ = initiate(Framing.ABRIDGED.value, random=lambda size: next(draws))
    assert header[:8] == b"abcdefgh"


def test_a_wrong_secret_is_no_framing() -> None:
    client = ClientTransport(Framing.PADDED, secret=SECRET)
    with pytest.raises(Malformed):
        ServerTransport(secret=bytes(16)).receive(client.send(PACKETS[0]))


@given(st.lists(st.binary(max_size=100), max_size=5))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_packets_or_an_error_of_this_package(stream: list[bytes]) -> None:
    for receiver in (ServerTransport(), ClientTransport(), ClientTransport(Framing.PADDED, obfuscated=True)):
        try:
            for data in stream:
                receiver.receive(data)
        except MTProtoError:
            pass
