"""Curve25519 keys: agreement as in RFC 7748, and signatures that no change survives."""

import pytest
import xeddsa
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.curve import InvalidKey, KeyPair, agree, sign, verify

KEYS = KeyPair.from_private(bytes(range(32)))


def test_agreement_is_that_of_rfc_7748() -> None:
    # The first vector of section 5.2 of https://www.rfc-editor.org/rfc/rfc7748
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    result = bytes.fromhex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    assert agree(scalar, point) == result
    assert agree(KeyPair.from_private(scalar).private, point) == result


def test_both_sides_agree() -> None:
    alice, bob = KeyPair.generate(), KeyPair.generate()
    assert alice != bob
    assert agree(alice.private, bob.public) == agree(bob.private, alice.public)


@pytest.mark.parametrize("public", [bytes(32), b"\x01" + bytes(31), b"short", b""])
def test_a_key_of_low_order_or_wrong_length_is_refused(public: bytes) -> None:
    with pytest.raises(InvalidKey):
        agree(KEYS.private, public)


@pytest.mark.parametrize("private", [b"", bytes(31), bytes(33)])
def test_a_private_key_has_32_bytes(private: bytes) -> None:
    with pytest.raises(InvalidKey):
        KeyPair.from_private(private)


def test_a_private_key_is_not_shown() -> None:
    assert str(KEYS.private) not in repr(KEYS)
    assert KEYS.private.hex() not in repr(KEYS)


@given(message=st.binary(max_size=100))
@settings(deadline=None)
def test_a_signature_is_valid_for_its_message_and_key(message: bytes) -> None:
    signature = sign(KEYS.private, message)
    assert verify(KEYS.public, message, signature)
    assert signature[-1] & 0x80 == 0
    assert not verify(KEYS.public, message + b"!", signature)
    assert not verify(KeyPair.generate().public, message, signature)


def test_a_signature_with_the_sign_of_the_point_is_valid() -> None:
    # As older Signal libraries write it: made for the Edwards point whose sign bit is set.
    body = xeddsa.ed25519_priv_sign(xeddsa.priv_force_sign(KEYS.private, True), b"message")
    signature = body[:-1] + bytes((body[-1] | 0x80,))
    assert verify(KEYS.public, b"message", signature)
    assert not verify(KEYS.public, b"message", body)


@given(at=st.integers(0, 63), bit=st.integers(0, 7))
@settings(deadline=None)
def test_no_changed_signature_is_valid(at: int, bit: int) -> None:
    signature = bytearray(sign(KEYS.private, b"message"))
    signature[at] ^= 1 << bit
    assert not verify(KEYS.public, b"message", bytes(signature))


@given(public=st.binary(max_size=40), signature=st.binary(max_size=80))
@settings(deadline=None)
def test_malformed_input_is_not_valid(public: bytes, signature: bytes) -> None:
    assert not verify(public, b"message", signature)
    assert not verify(public.ljust(32, b"\0")[:32], b"message", signature.ljust(64, b"\xff")[:64])
