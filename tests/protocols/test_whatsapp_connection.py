"""Frames, certificate chain and handshake: both sides against each other, and a platform that is not the
platform.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.curve import KeyPair, sign
from unifyport.protocols.noise import NoiseError
from unifyport.protocols.whatsapp.certificates import UntrustedServer, issue_chain, verify_chain
from unifyport.protocols.whatsapp.connection import ClientHandshake, ServerHandshake
from unifyport.protocols.whatsapp.frames import (
    MAX_FRAME,
    PROLOGUE,
    FrameReader,
    MalformedFrame,
    intro,
    to_frame,
)
from unifyport.protocols.whatsapp.login_pb2 import CertChain, HandshakeMessage

ROOT = KeyPair.from_private(b"r" * 32)
STATIC = KeyPair.from_private(b"s" * 32)
DEVICE = KeyPair.from_private(b"d" * 32)
NOW = 1_790_000_000


def chain(static: bytes = STATIC.public, root: KeyPair = ROOT, not_after: int = NOW + 10) -> bytes:
    return issue_chain(root, static, not_before=NOW - 10, not_after=not_after)


def changed(name: str, **fields: object) -> bytes:
    """The chain with fields of one certificate changed and signed again by its issuer."""
    middle = KeyPair.generate()
    details = CertChain.NoiseCertificate.Details
    usual = {"notBefore": NOW - 10, "notAfter": NOW + 10}
    intermediate = details(serial=1, issuerSerial=0, key=middle.public, **usual)
    leaf = details(serial=2, issuerSerial=1, key=STATIC.public, **usual)
    for field, value in fields.items():
        setattr({"leaf": leaf, "intermediate": intermediate}[name], field, value)
    whole = CertChain()
    whole.intermediate.details = intermediate.SerializeToString()
    whole.intermediate.signature = sign(ROOT.private, whole.intermediate.details)
    whole.leaf.details = leaf.SerializeToString()
    whole.leaf.signature = sign(middle.private, whole.leaf.details)
    return whole.SerializeToString()


# -- frames


@given(frames=st.lists(st.binary(max_size=300), max_size=5), data=st.data(), routing=st.binary(max_size=20))
@settings(deadline=None)
def test_frames_arrive_whole_in_whatever_pieces(
    frames: list[bytes], data: st.DataObject, routing: bytes
) -> None:
    stream = intro(routing) + b"".join(map(to_frame, frames))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader(reads_prologue=True)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end])
    assert found == frames


@given(data=st.binary(max_size=50))
def test_whatever_comes_first_is_the_prologue_or_an_error(data: bytes) -> None:
    reader = FrameReader(reads_prologue=True)
    try:
        assert reader.feed(data) == []
    except MalformedFrame:
        with pytest.raises(MalformedFrame):
            FrameReader(reads_prologue=True).feed(data + PROLOGUE)


def test_a_frame_beyond_the_limit_is_refused_at_its_length() -> None:
    reader = FrameReader(limit=100)
    assert reader.feed(to_frame(b"x" * 100)) == [b"x" * 100]
    with pytest.raises(MalformedFrame, match="101 bytes"):
        reader.feed((101).to_bytes(3, "big"))
    with pytest.raises(MalformedFrame, match="Routing"):
        FrameReader(reads_prologue=True).feed(b"ED\0\1\xff\xff\xff")


def test_the_length_of_a_frame_has_three_bytes() -> None:
    assert to_frame(bytes(MAX_FRAME))[:3] == b"\xff\xff\xff"
    with pytest.raises(ValueError, match="at most"):
        to_frame(bytes(MAX_FRAME + 1))


# -- certificates


def test_a_chain_from_the_root_to_the_static_key_is_trusted() -> None:
    verify_chain(chain(), STATIC.public, root=ROOT.public, now=NOW)
    verify_chain(changed("leaf"), STATIC.public, root=ROOT.public, now=NOW)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (chain(static=DEVICE.public), "another key"),  # a chain that was seen elsewhere, replayed
        (chain(root=DEVICE), "signature of the intermediate"),
        (chain(not_after=NOW - 1), "valid from"),
        (changed("intermediate", notBefore=NOW + 1), "valid from"),
        (changed("leaf", notAfter=NOW - 1), "valid from"),
        (changed("intermediate", issuerSerial=1), "issued by 1"),
        (changed("leaf", issuerSerial=7), "another intermediate"),
        (changed("intermediate", key=b"k" * 31), "31 bytes"),
        (changed("leaf", key=b""), "0 bytes"),
        (changed("intermediate", key=DEVICE.public), "signature of the leaf"),
        (b"", "signature"),
        (b"\xff", "cannot be read"),
    ],
)
def test_any_other_chain_is_refused(wrong: bytes, why: str) -> None:
    with pytest.raises(UntrustedServer, match=why):
        verify_chain(wrong, STATIC.public, root=ROOT.public, now=NOW)


@given(data=st.data())
@settings(deadline=None)
def test_no_changed_byte_of_a_chain_is_trusted(data: st.DataObject) -> None:
    whole = bytearray(chain())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UntrustedServer):
        verify_chain(bytes(whole), DEVICE.public, root=ROOT.public, now=NOW)
    with pytest.raises(UntrustedServer):
        verify_chain(bytes(whole), STATIC.public, root=ROOT.public, now=NOW)


# -- handshake


def test_both_sides_reach_a_channel() -> None:
    client, server = ClientHandshake(DEVICE, ROOT.public, routing=b"edge"), ServerHandshake(STATIC, chain())
    to_server, to_client = FrameReader(reads_prologue=True), FrameReader()
    [hello] = to_server.feed(client.hello())
    [answer] = to_client.feed(server.reply(hello))
    [finish] = to_server.feed(client.respond(answer, b"payload", now=NOW))
    assert server.finish(finish) == b"payload"
    assert server.client_static == DEVICE.public
    for number in range(3):
        [frame] = to_server.feed(client.channel.seal(b"up %d" % number))
        assert server.channel.open(frame) == b"up %d" % number
        [frame] = to_client.feed(server.channel.seal(b"down %d" % number))
        assert client.channel.open(frame) == b"down %d" % number
    with pytest.raises(NoiseError):
        client.channel.open(frame)


def test_a_platform_without_the_certificate_of_its_key_learns_nothing_of_the_client() -> None:
    client, server = ClientHandshake(DEVICE, ROOT.public), ServerHandshake(STATIC, chain(static=ROOT.public))
    [hello] = FrameReader(reads_prologue=True).feed(client.hello())
    [answer] = FrameReader().feed(server.reply(hello))
    with pytest.raises(UntrustedServer):
        client.respond(answer, b"payload", now=NOW)
    assert not hasattr(client, "channel")


@given(frame=st.binary(max_size=200))
@settings(deadline=None)
def test_whatever_answers_is_an_error(frame: bytes) -> None:
    client = ClientHandshake(DEVICE, ROOT.public)
    client.hello()
    with pytest.raises(NoiseError):
        client.respond(frame, b"payload", now=NOW)
    with pytest.raises(NoiseError):
        ServerHandshake(STATIC, chain()).reply(frame)


@pytest.mark.parametrize("part", ["ephemeral", "static", "payload"])
def test_a_hello_that_lacks_a_part_is_an_error(part: str) -> None:
    client, server = ClientHandshake(DEVICE, ROOT.public), ServerHandshake(STATIC, chain())
    [hello] = FrameReader(reads_prologue=True).feed(client.hello())
    [answer] = FrameReader().feed(server.reply(hello))
    message = HandshakeMessage.FromString(answer)
    message.serverHello.ClearField(part)
    with pytest.raises(NoiseError):
        client.respond(message.SerializeToString(), b"payload", now=NOW)
