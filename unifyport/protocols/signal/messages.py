"""The four messages on the wire: parsing with every check that needs no key, and building.

    SignalMessage                   version | protobuf | MAC (8)         <enc type="msg">
    PreKeyMessage                   version | protobuf                   <enc type="pkmsg">, around the first
    SenderKeyMessage                version | protobuf | signature (64)  <enc type="skmsg">
    SenderKeyDistribution           version | protobuf                   in a pairwise message

The version byte is 0x33: version of the message and newest version of its sender. A public key on the wire
has the type byte 5 before it; everywhere else in this package it is 32 bytes. Source:
https://github.com/signalapp/libsignal-protocol-java (package `org.whispersystems.libsignal.protocol`).
"""

from typing import TypeVar

import attrs
from google.protobuf.message import DecodeError, Message

from unifyport.protocols.signal import signal_pb2
from unifyport.protocols.signal.ciphers import MAC_BYTES
from unifyport.protocols.signal.errors import Malformed

KEY_TYPE = 5
SIGNATURE_BYTES = 64
_VERSION = b"\x33"

Wire = TypeVar("Wire", bound=Message)


def encode_key(public: bytes) -> bytes:
    """33 bytes: the type byte and the Curve25519 public key."""
    return bytes((KEY_TYPE,)) + public


def decode_key(data: bytes) -> bytes:
    """The 32 bytes of a public key on the wire. Raises `Malformed` for another type or length."""
    if len(data) != 33 or data[0] != KEY_TYPE:
        raise Malformed("not a Curve25519 public key")
    return data[1:]


@attrs.frozen
class SignalMessage:
    """`signed` is what the MAC covers: the version byte and the protobuf as they arrived."""

    ratchet_key: bytes
    counter: int
    ciphertext: bytes = attrs.field(repr=False)
    signed: bytes = attrs.field(repr=False)
    mac: bytes = attrs.field(repr=False)

    @classmethod
    def parse(cls, body: bytes) -> "SignalMessage":
        signed, mac = body[:-MAC_BYTES], body[-MAC_BYTES:]
        wire = _read(signal_pb2.SignalMessage(), signed)
        _require(wire, "ratchet_key", "ciphertext")
        return cls(decode_key(wire.ratchet_key), wire.counter, wire.ciphertext, signed, mac)


def signal_message(ratchet_key: bytes, counter: int, previous_counter: int, ciphertext: bytes) -> bytes:
    """A `SignalMessage` without its MAC."""
    wire = signal_pb2.SignalMessage(
        ratchet_key=encode_key(ratchet_key),
        counter=counter,
        previous_counter=previous_counter,
        ciphertext=ciphertext,
    )
    return _VERSION + wire.SerializeToString()


@attrs.frozen
class PreKeyMessage:
    """A message of a session whose peer has not answered: how to agree on it, and the message itself."""

    registration_id: int
    prekey_id: int | None
    signed_prekey_id: int
    base_key: bytes
    identity: bytes
    message: SignalMessage

    @classmethod
    def parse(cls, body: bytes) -> "PreKeyMessage":
        wire = _read(signal_pb2.PreKeySignalMessage(), body)
        _require(wire, "base_key", "identity_key", "message")
        return cls(
            registration_id=wire.registration_id,
            prekey_id=wire.prekey_id if wire.HasField("prekey_id") else None,
            signed_prekey_id=wire.signed_prekey_id,
            base_key=decode_key(wire.base_key),
            identity=decode_key(wire.identity_key),
            message=SignalMessage.parse(wire.message),
        )


def prekey_message(
    message: bytes,
    *,
    registration_id: int,
    prekey_id: int | None,
    signed_prekey_id: int,
    base_key: bytes,
    identity: bytes,
) -> bytes:
    """A whole `PreKeyMessage` around the bytes of a `SignalMessage`."""
    wire = signal_pb2.PreKeySignalMessage(
        registration_id=registration_id,
        prekey_id=prekey_id,
        signed_prekey_id=signed_prekey_id,
        base_key=encode_key(base_key),
        identity_key=encode_key(identity),
        message=message,
    )
    return _VERSION + wire.SerializeToString()


@attrs.frozen
class SenderKeyMessage:
    """`signed` is what the signature covers: the version byte and the protobuf as they arrived."""

    id: int
    iteration: int
    ciphertext: bytes = attrs.field(repr=False)
    signed: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)

    @classmethod
    def parse(cls, body: bytes) -> "SenderKeyMessage":
        signed, signature = body[:-SIGNATURE_BYTES], body[-SIGNATURE_BYTES:]
        wire = _read(signal_pb2.SenderKeyMessage(), signed)
        _require(wire, "ciphertext")
        return cls(wire.id, wire.iteration, wire.ciphertext, signed, signature)


def sender_key_message(key_id: int, iteration: int, ciphertext: bytes) -> bytes:
    """A `SenderKeyMessage` without its signature."""
    wire = signal_pb2.SenderKeyMessage(id=key_id, iteration=iteration, ciphertext=ciphertext)
    return _VERSION + wire.SerializeToString()


@attrs.frozen
class SenderKeyDistribution:
    """What a member of a group needs to read a sender's messages from `iteration` on."""

    id: int
    iteration: int
    chain_key: bytes = attrs.field(repr=False)
    signing_key: bytes

    @classmethod
    def parse(cls, body: bytes) -> "SenderKeyDistribution":
        wire = _read(signal_pb2.SenderKeyDistributionMessage(), body)
        _require(wire, "chain_key", "signing_key")
        if len(wire.chain_key) != 32:
            raise Malformed("a chain key has 32 bytes")
        return cls(wire.id, wire.iteration, wire.chain_key, decode_key(wire.signing_key))

    def encode(self) -> bytes:
        wire = signal_pb2.SenderKeyDistributionMessage(
            id=self.id,
            iteration=self.iteration,
            chain_key=self.chain_key,
            signing_key=encode_key(self.signing_key),
        )
        return _VERSION + wire.SerializeToString()


def _read(wire: Wire, data: bytes) -> Wire:
    """Parse `data` after its version byte into `wire`. Version 2 had no signed prekey and is refused."""
    if not data or data[0] >> 4 != 3:
        raise Malformed("not a message of version 3")
    try:
        wire.ParseFromString(data[1:])
    except DecodeError as exc:
        raise Malformed("not a protobuf message") from exc
    return wire


def _require(wire: Message, *names: str) -> None:
    """Keys and contents must be there; a number that is not there is 0, as some senders leave zeros out."""
    for name in names:
        if not wire.HasField(name):
            raise Malformed(f"{name} is missing")
