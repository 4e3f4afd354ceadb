"""The keys of a device: identity, signed prekeys, one-time prekeys; and those of another, as a bundle.

Ids are 24 bits, as WhatsApp writes them; a registration id is 32 bits in a stanza, of which 14 are used.
"""

import secrets

import attrs

from unifyport.protocols.curve import KeyPair, sign, verify
from unifyport.protocols.signal.errors import BadSignature
from unifyport.protocols.signal.messages import encode_key

MAX_KEY_ID = 2**24 - 1


@attrs.frozen
class Identity:
    """This device, as its peers know it. The key pair never changes while the device is linked."""

    key_pair: KeyPair
    registration_id: int

    @classmethod
    def create(cls) -> "Identity":
        return cls(KeyPair.generate(), secrets.randbelow(16380) + 1)


@attrs.frozen
class PreKey:
    """A one-time prekey: deleted in the unit that commits the first message of its session."""

    id: int
    key_pair: KeyPair

    @classmethod
    def create(cls, prekey_id: int) -> "PreKey":
        return cls(prekey_id, KeyPair.generate())


@attrs.frozen
class SignedPreKey:
    """A prekey for many sessions, signed with the identity key. Former ones are kept for late messages."""

    id: int
    key_pair: KeyPair
    signature: bytes

    @classmethod
    def create(cls, signed_prekey_id: int, identity: Identity) -> "SignedPreKey":
        pair = KeyPair.generate()
        return cls(signed_prekey_id, pair, sign(identity.key_pair.private, encode_key(pair.public)))


@attrs.frozen
class Bundle:
    """The keys of another device, from the platform or a retry receipt. Public keys are 32 bytes."""

    registration_id: int
    identity: bytes
    signed_prekey_id: int
    signed_prekey: bytes
    signature: bytes = attrs.field(repr=False)
    prekey_id: int | None = None
    prekey: bytes | None = None

    def check(self) -> None:
        """Raise `BadSignature` unless the signed prekey is signed by the identity key."""
        if not verify(self.identity, encode_key(self.signed_prekey), self.signature):
            raise BadSignature("the signed prekey is not signed by the identity key")


def next_key_id(key_id: int) -> int:
    """Ids count up from 1 and begin again after the last: 0 is no id."""
    return key_id % MAX_KEY_ID + 1
