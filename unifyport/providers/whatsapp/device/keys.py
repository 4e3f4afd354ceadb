"""The keys of a linked device and what it knows of itself: one record of the session."""

import functools
import os
from typing import Self

import msgspec

from unifyport.protocols.binary_node import Jid
from unifyport.protocols.curve import KeyPair, sign

RECORD = ("device", b"")
SIGNED_KEY_PREFIX = b"\x05"  # before a public key in what is signed (Signal's type byte of Curve25519)


class SignedKey(msgspec.Struct, array_like=True, frozen=True):
    """A signed prekey: replaced now and then, and kept for those who use an old one. `at`: unix seconds."""

    id: int
    private: bytes
    signature: bytes
    at: int

    @property
    def pair(self) -> KeyPair:
        return KeyPair.from_private(self.private)


class DeviceKeys(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`account`: the device identity that the phone has signed, as messages carry it. `jid` and `lid` are
    those of this device; both are empty until it is linked. `logins`: how often it has logged in.
    """

    version: int = 1
    noise: bytes
    identity: bytes
    registration_id: int
    adv_secret: bytes
    signed_keys: list[SignedKey] = []
    next_prekey: int = 1
    uploaded_prekey: int = 0  # the last prekey that is at the platform; 0: none has been uploaded yet
    uploaded_signed: int = (
        1  # the signed prekey that is at the platform; the first one is given with the link
    )
    uploading: list[int] = []  # first and last prekey of an upload that was not answered yet
    account: bytes = b""
    jid: str = ""
    lid: str = ""
    lid_migrated: bool = False
    logins: int = 0

    @classmethod
    def generate(cls, now: int) -> Self:
        """Keys of a new device. `now`: unix seconds."""
        identity = KeyPair.generate()
        made = cls(
            noise=KeyPair.generate().private,
            identity=identity.private,
            registration_id=int.from_bytes(os.urandom(2)) & 0x3FFF or 1,
            adv_secret=os.urandom(32),
        )
        made.signed_keys = [new_signed_key(1, identity, now)]
        return made

    @classmethod
    def load(cls, stored: bytes) -> Self:
        return msgspec.msgpack.decode(stored, type=cls)

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @property
    def noise_pair(self) -> KeyPair:
        return KeyPair.from_private(self.noise)

    @property
    def identity_pair(self) -> KeyPair:
        return KeyPair.from_private(self.identity)

    @property
    def me(self) -> Jid:
        """This device, by the phone number."""
        return _read(self.jid)

    @property
    def my_lid(self) -> Jid | None:
        """This device, by the LID."""
        return _read(self.lid) if self.lid else None

    def is_mine(self, jid: Jid) -> bool:
        """Whether it is the account itself, or one of its devices."""
        mine = self.my_lid
        return jid.bare == self.me.bare or (mine is not None and jid.bare == mine.bare)


_read = functools.lru_cache(maxsize=4096)(Jid.parse)


def new_signed_key(id_: int, identity: KeyPair, now: int) -> SignedKey:
    pair = KeyPair.generate()
    return SignedKey(id_, pair.private, sign(identity.private, SIGNED_KEY_PREFIX + pair.public), now)
