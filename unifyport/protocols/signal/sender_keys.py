"""Sender keys: one device encrypts a group message once, for all members to whom it has given its key before.

A sender makes a key (`create`), sends its `distribution` in a pairwise message to each device, and encrypts.
A receiver keeps the last keys of each sender of each group. A key is replaced when a member leaves; messages
under the former one may still be on their way, so that several are kept. Values are immutable, as records
are.

Source: https://github.com/signalapp/libsignal-protocol-java (package `org.whispersystems.libsignal.groups`).
"""

import secrets

import msgspec

from unifyport.protocols.curve import KeyPair, sign, verify
from unifyport.protocols.signal.chains import MAX_AHEAD, MAX_RECORD_SKIPPED, Chain, Counter, Kept, Key
from unifyport.protocols.signal.ciphers import decrypt_cbc, encrypt_cbc, group_keys
from unifyport.protocols.signal.errors import BadSignature, Malformed, NoSession
from unifyport.protocols.signal.messages import SenderKeyDistribution, SenderKeyMessage, sender_key_message

MAX_STATES = 5
_VERSION = b"\x01"


class SenderKey(Kept, frozen=True, array_like=True):
    """One key of a sender. `signing_private` only where the sender is this device."""

    id: Counter
    chain: Chain
    signing_public: Key
    signing_private: Key | None = None


class SenderKeys(Kept, frozen=True, array_like=True):
    """The keys of one sender in one group, the newest first. `SenderKeys()` has none."""

    states: tuple[SenderKey, ...] = ()

    def create(self) -> "SenderKeys":
        """Make a new key of this device: each member needs its distribution."""
        pair = KeyPair.generate()
        key = SenderKey(secrets.randbits(31), Chain(secrets.token_bytes(32)), pair.public, pair.private)
        return self._in_front(key)

    def distribution(self) -> bytes:
        """The newest key from its next message on, `axolotlSenderKeyDistributionMessage`. Or `NoSession`."""
        if not self.states:
            raise NoSession("no sender key to distribute")
        key = self.states[0]
        return SenderKeyDistribution(key.id, key.chain.index, key.chain.key, key.signing_public).encode()

    def accept(self, distribution: bytes) -> "SenderKeys":
        """Take a sender's key. One that is known is never set back: a repeat opens no message twice.

        Raises `Malformed`.
        """
        new = SenderKeyDistribution.parse(distribution)
        chain = Chain(new.chain_key, new.iteration, kept=new.iteration)
        known = self.state_of(new.id)
        if known is None or known.signing_public != new.signing_key:
            return self._in_front(SenderKey(new.id, chain, new.signing_key))
        if new.iteration - known.chain.index > MAX_AHEAD:  # what lies between cannot be reached any more
            chain = Chain(new.chain_key, new.iteration, known.chain.skipped, new.iteration)
            return self._in_front(msgspec.structs.replace(known, chain=chain))
        return self._in_front(known)

    def state_of(self, key_id: int) -> SenderKey | None:
        return next((state for state in self.states if state.id == key_id), None)

    def moved(self, key: SenderKey) -> "SenderKeys":
        """The key of this id has moved on, in its place."""
        return _bounded(tuple(key if state.id == key.id else state for state in self.states))

    def _in_front(self, key: SenderKey) -> "SenderKeys":
        others = tuple(state for state in self.states if state.id != key.id)
        return _bounded((key, *others)[:MAX_STATES])

    def encode(self) -> bytes:
        """Less than 200 KiB."""
        return _VERSION + msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> "SenderKeys":
        """Raises `Malformed` for what `encode` of this version did not make."""
        if data[:1] != _VERSION:
            raise Malformed("sender keys of an unknown version")
        try:
            return msgspec.msgpack.decode(data[1:], type=cls)
        except msgspec.MsgspecError as exc:
            raise Malformed("sender keys that cannot be read") from exc


def encrypt_group(keys: SenderKeys, plaintext: bytes) -> tuple[bytes, SenderKeys]:
    """The content of `<enc type="skmsg">`, and the keys to commit before it is sent. Raises `NoSession`."""
    key = keys.states[0] if keys.states else None
    if key is None or key.signing_private is None:
        raise NoSession("no sender key of this device")
    iteration = key.chain.index
    seed, chain = key.chain.step()
    cipher_key, iv = group_keys(seed)
    signed = sender_key_message(key.id, iteration, encrypt_cbc(cipher_key, iv, plaintext))
    body = signed + sign(key.signing_private, signed)
    return body, keys.moved(msgspec.structs.replace(key, chain=chain))


def decrypt_group(keys: SenderKeys, body: bytes) -> tuple[bytes, SenderKeys]:
    """The plaintext of a `skmsg`, and the keys to commit before it is acknowledged.

    Raises `NoSession` where the sender's distribution is missing, `BadSignature`, `Duplicate`, `KeyGone`
    (also for messages before the distribution), `TooFarAhead`, `Malformed`.
    """
    message = SenderKeyMessage.parse(body)
    key = keys.state_of(message.id)
    if key is None:
        raise NoSession(f"no sender key {message.id}")
    if not verify(key.signing_public, message.signed, message.signature):
        raise BadSignature("the message is not signed by its sender key")
    seed, chain = key.chain.take(message.iteration)
    cipher_key, iv = group_keys(seed)
    plaintext = decrypt_cbc(cipher_key, iv, message.ciphertext)
    return plaintext, keys.moved(msgspec.structs.replace(key, chain=chain))


def _bounded(states: tuple[SenderKey, ...]) -> SenderKeys:
    """Drop the oldest skipped keys beyond what a record may hold."""
    left, kept = MAX_RECORD_SKIPPED, []
    for state in states:
        chain = state.chain.keep(left)
        left -= len(chain.skipped)
        kept.append(msgspec.structs.replace(state, chain=chain))
    return SenderKeys(tuple(kept))
