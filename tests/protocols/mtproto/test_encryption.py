"""Packets: published vectors, both roles, and every way in which a packet can be wrong."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.mtproto import ige, tl
from unifyport.protocols.mtproto.encryption import (
    AuthKey,
    Envelope,
    Role,
    is_plain,
    open_data,
    open_packet,
    open_plain,
    seal,
    seal_data,
    seal_plain,
    without_transport_padding,
)
from unifyport.protocols.mtproto.errors import Malformed, SecurityError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "mtproto.json").read_text())
KEY = AuthKey(bytes(range(256)))
ENVELOPE = Envelope(1, 2, 3 << 32, 1, b"bodybody")


def zeros(size: int) -> bytes:
    return bytes(size)


def crafted(length: int, padded: bytes) -> bytes:
    """A packet that authenticates, with a length and padding of our choice."""
    header = tl.int64(1) + tl.int64(2) + tl.int64(4) + tl.int32(1) + tl.int32(length)
    data = header + padded
    return seal_data(KEY, data[:-12], Role.SERVER, random=lambda size: data[-12:][:size])


def test_a_message_is_encrypted_as_published() -> None:
    vector = VECTORS["encrypt"]
    key, data = AuthKey(bytes.fromhex(vector["key"])), bytes.fromhex(vector["data"])
    packet = seal_data(key, data, Role.CLIENT, random=zeros)
    assert packet.hex() == vector["packet"]
    assert open_data(key, packet, Role.CLIENT).startswith(data)


def test_a_published_packet_is_decrypted() -> None:
    vector = VECTORS["decrypt"]
    key = AuthKey(bytes.fromhex(vector["key"]))
    packet = bytes.fromhex(vector["packet"])
    assert open_data(key, packet, Role.SERVER).hex() == vector["data"]
    assert open_packet(key, packet, Role.SERVER).body[:4] == bytes.fromhex("dcf8f173")


@pytest.mark.parametrize("sender", Role)
def test_what_one_side_seals_the_other_opens(sender: Role) -> None:
    assert open_packet(KEY, seal(KEY, ENVELOPE, sender), sender) == ENVELOPE


def test_a_packet_of_the_wrong_direction_is_refused() -> None:
    with pytest.raises(SecurityError):
        open_packet(KEY, seal(KEY, ENVELOPE, Role.CLIENT), Role.SERVER)


def test_a_packet_under_another_key_is_refused() -> None:
    with pytest.raises(SecurityError, match="another authorization key"):
        open_packet(AuthKey(bytes(256)), seal(KEY, ENVELOPE, Role.SERVER), Role.SERVER)


@given(st.integers(0), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_every_changed_byte_is_noticed(place: int, change: int) -> None:
    packet = bytearray(seal(KEY, ENVELOPE, Role.SERVER))
    packet[place % len(packet)] ^= change
    with pytest.raises(SecurityError):
        open_packet(KEY, bytes(packet), Role.SERVER)


@pytest.mark.parametrize("length", [-4, 0, 2, 5, 8, 24, 1 << 30], ids=str)
def test_an_authentic_packet_with_a_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(SecurityError, match="padding"):
        open_packet(KEY, crafted(length, bytes(16)), Role.SERVER)


def test_more_padding_than_the_specification_allows_is_refused() -> None:
    assert open_packet(KEY, crafted(16, bytes(16 + 1024)), Role.SERVER).body == bytes(16)
    with pytest.raises(SecurityError, match="padding"):
        open_packet(KEY, crafted(16, bytes(16 + 1040)), Role.SERVER)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_refused_with_an_error_of_this_package(data: bytes) -> None:
    for packet in (data, KEY.id + data):
        with pytest.raises((SecurityError, Malformed)):
            open_packet(KEY, packet, Role.SERVER)
    with pytest.raises(Malformed):
        open_plain(b"\x01" + data)


@given(st.binary(min_size=1, max_size=64).map(lambda data: data * 4), st.integers(0, 15))
@settings(deadline=None)
def test_padding_of_the_transport_is_removed(body: bytes, padding: int) -> None:
    plain = seal_plain(12, body)
    assert is_plain(plain)
    assert open_plain(without_transport_padding(plain + bytes(padding))) == (12, body)
    packet = seal(KEY, Envelope(1, 2, 3, 1, body), Role.CLIENT)
    assert without_transport_padding(packet + bytes(padding)) == packet


@given(st.binary(max_size=20).map(lambda data: data * 16), st.binary(min_size=64, max_size=64))
@settings(deadline=None)
def test_ige_agrees_with_its_definition(data: bytes, keys: bytes) -> None:
    key, iv = keys[:32], keys[32:]
    ciphertext = ige.encrypt(data, key, iv)
    block_cipher = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()
    encrypted, plain = iv[:16], iv[16:]
    for at in range(0, len(data), 16):
        block = data[at : at + 16]
        masked = bytes(a ^ b for a, b in zip(block, encrypted, strict=True))
        encrypted = bytes(a ^ b for a, b in zip(block_cipher.update(masked), plain, strict=True))
        plain = block
        assert ciphertext[at : at + 16] == encrypted
    assert ige.decrypt(ciphertext, key, iv) == data


def test_ige_takes_whole_blocks_only() -> None:
    with pytest.raises(ValueError):
        ige.encrypt(bytes(15), bytes(32), bytes(32))
    with pytest.raises(ValueError):
        ige.decrypt(bytes(16), bytes(32), bytes(16))


def test_a_key_has_256_bytes() -> None:
    with pytest.raises(ValueError):
        AuthKey(bytes(255))
    assert KEY.id == bytes((50, 209, 88, 110, 164, 87, 223, 200))
    assert KEY.aux_hash == bytes((73, 22, 214, 189, 183, 247, 142, 104))
    assert "value" not in repr(KEY)
