import pytest

from unifyport.protocols.curve import KeyPair, verify
from unifyport.protocols.signal.errors import Malformed
from unifyport.protocols.signal.keys import Identity, SignedPreKey, next_key_id
from unifyport.protocols.signal.messages import decode_key, encode_key

# An identity key and what it has signed, of
# https://github.com/signalapp/libsignal-protocol-java (`Curve25519Test`)
PRIVATE = "c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865"
PUBLIC = "05ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64"
SIGNED = "05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a"
SIGNATURE = (
    "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb"
    "ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
)


def test_a_published_signature_is_valid_and_no_changed_byte_of_it() -> None:
    public, signature = decode_key(bytes.fromhex(PUBLIC)), bytes.fromhex(SIGNATURE)
    assert KeyPair.from_private(bytes.fromhex(PRIVATE)).public == public
    assert verify(public, bytes.fromhex(SIGNED), signature)
    for place in range(64):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not verify(public, bytes.fromhex(SIGNED), bytes(changed))


def test_a_signed_prekey_is_signed_with_its_type_byte() -> None:
    identity = Identity.create()
    key = SignedPreKey.create(7, identity)
    assert verify(identity.key_pair.public, encode_key(key.key_pair.public), key.signature)
    assert not verify(identity.key_pair.public, key.key_pair.public, key.signature)


def test_a_registration_id_has_14_bits() -> None:
    assert all(0 < Identity.create().registration_id < 2**14 for _ in range(50))


@pytest.mark.parametrize("data", [b"", bytes(32), b"\x06" + bytes(32), b"\x05" + bytes(33)])
def test_only_curve25519_keys_are_keys(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_key(data)


def test_key_ids_count_up_and_begin_again() -> None:
    assert next_key_id(0) == 1
    assert next_key_id(41) == 42
    assert next_key_id(2**24 - 1) == 1
