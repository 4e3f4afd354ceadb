"""The Noise handshake: published vectors, both sides against each other, and every kind of wrong message."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.curve import KeyPair
from unifyport.protocols.noise import Initiator, NoiseError, Responder, Transport
from unifyport.protocols.noise.handshake import Part
from unifyport.protocols.noise.state import MAX_NONCE

VECTORS = json.loads((Path(__file__).parent / "vectors" / "noise_xx.json").read_text())["vectors"]
CLIENT = KeyPair.from_private(b"c" * 32)
SERVER = KeyPair.from_private(b"s" * 32)


def handshake() -> tuple[Transport, Transport]:
    client, server = Initiator(CLIENT, b"prologue"), Responder(SERVER, b"prologue")
    assert server.read(client.write(None)) == b""
    assert client.read(server.write(b"certificates")) == b"certificates"
    assert server.read(client.write(b"payload")) == b"payload"
    assert client.remote_static == SERVER.public
    assert server.remote_static == CLIENT.public
    return client.finish(), server.finish()


def keys(private: str) -> KeyPair:
    return KeyPair.from_private(bytes.fromhex(private))


@pytest.mark.parametrize("vector", VECTORS, ids=["cacophony", "snow"])
def test_both_roles_write_and_read_the_published_messages(vector: dict) -> None:
    client = Initiator(
        keys(vector["init_static"]),
        bytes.fromhex(vector["init_prologue"]),
        ephemeral=keys(vector["init_ephemeral"]),
    )
    server = Responder(
        keys(vector["resp_static"]),
        bytes.fromhex(vector["resp_prologue"]),
        ephemeral=keys(vector["resp_ephemeral"]),
    )
    messages = [(bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]]
    sides = [client, server]
    for number, (payload, expected) in enumerate(messages[:3]):
        writer, reader = sides[number % 2], sides[1 - number % 2]
        assert writer.write_message(payload) == expected
        assert reader.read_message(expected) == payload
    ciphers = [client.finish(), server.finish()]
    if "handshake_hash" in vector:
        assert ciphers[0].handshake_hash.hex() == vector["handshake_hash"]
    assert ciphers[0].handshake_hash == ciphers[1].handshake_hash
    for number, (payload, expected) in enumerate(messages[3:], 3):
        assert ciphers[number % 2].encrypt(payload) == expected
        assert ciphers[1 - number % 2].decrypt(expected) == payload


def test_a_first_message_without_payload_has_another_hash_than_an_empty_one() -> None:
    client, server = Initiator(CLIENT), Responder(SERVER)
    server.read(Part(client.write(None).ephemeral, payload=b""))
    with pytest.raises(NoiseError):
        client.read(server.write())


def test_sides_with_different_prologues_do_not_understand_each_other() -> None:
    client, server = Initiator(CLIENT, b"one"), Responder(SERVER, b"two")
    server.read(client.write())
    with pytest.raises(NoiseError):
        client.read(server.write())


@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_every_changed_byte_of_the_second_message_is_noticed(data: st.DataObject) -> None:
    client, server = Initiator(CLIENT), Responder(SERVER)
    server.read(client.write())
    message = bytearray(server.write_message(b"payload"))
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NoiseError):
        client.read_message(bytes(message))
        client.write()


@given(message=st.binary(max_size=200))
@settings(deadline=None)
def test_whatever_comes_is_a_handshake_or_an_error(message: bytes) -> None:
    client = Initiator(CLIENT)
    client.write()
    with pytest.raises(NoiseError):
        client.read_message(message)


def test_an_ephemeral_key_of_low_order_is_refused() -> None:
    server = Responder(SERVER)
    server.read(Part(bytes(32)))
    with pytest.raises(NoiseError, match="low order"):
        server.write()


def test_messages_have_their_order() -> None:
    client, server = Initiator(CLIENT), Responder(SERVER)
    with pytest.raises(RuntimeError):
        server.write()
    with pytest.raises(RuntimeError):
        client.read(Part())
    with pytest.raises(RuntimeError):
        client.finish()
    server.read(client.write())
    client.read(server.write())
    server.read(client.write())
    with pytest.raises(RuntimeError):
        client.write()
    with pytest.raises(RuntimeError):
        server.read_message(b"")


@pytest.mark.parametrize("change", ["replayed", "reordered", "changed", "truncated"])
def test_a_transport_message_counts_once_and_whole(change: str) -> None:
    client, server = handshake()
    first, second = client.encrypt(b"first"), client.encrypt(b"second")
    if change == "replayed":
        assert server.decrypt(first) == b"first"
        wrong = first
    else:
        wrong = {"reordered": second, "changed": b"x" + first[1:], "truncated": first[:-1]}[change]
    with pytest.raises(NoiseError):
        server.decrypt(wrong)


def test_the_directions_have_different_keys() -> None:
    client, server = handshake()
    with pytest.raises(NoiseError):
        client.decrypt(client.encrypt(b"mine"))
    assert server.encrypt(b"x") != client.encrypt(b"x")


def test_a_key_is_not_used_beyond_its_last_nonce() -> None:
    client, _ = handshake()
    client._outgoing._nonce = MAX_NONCE
    client.encrypt(b"the last one")
    with pytest.raises(NoiseError, match="used up"):
        client.encrypt(b"one too many")
