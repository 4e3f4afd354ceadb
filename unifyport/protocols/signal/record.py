"""The record of one peer device: its identity, the session in use, and earlier ones that may still be used.

Records are immutable values. A step returns a new record, so that a step that fails, or whose result is not
committed, has changed nothing. The stored form is one byte for its version and MessagePack; its bounds:

    earlier sessions          40    receiving chains of a session    5
    skipped keys of a chain   2,000    of a record, the newest first    4,000    together less than 200 KiB
"""

from collections.abc import Iterator

import msgspec

from unifyport.protocols.signal.chains import MAX_RECORD_SKIPPED, Chain, Counter, Kept, Key
from unifyport.protocols.signal.errors import Malformed
from unifyport.protocols.signal.messages import PreKeyMessage

MAX_ARCHIVED = 40
MAX_RECEIVING = 5
_VERSION = b"\x01"


class Receiving(Kept, frozen=True, array_like=True):
    """The chain of what the peer sends under one of its ratchet keys."""

    ratchet_key: Key
    chain: Chain


class Pending(Kept, frozen=True, array_like=True):
    """The peer's prekeys that a session of ours began with; kept until the peer answers."""

    prekey_id: Counter | None
    signed_prekey_id: Counter


class SessionState(Kept, frozen=True, array_like=True):
    """One session. `base_key`: public key that its initiator made for it; it names the session.

    `receiving`: newest first. `previous_counter`: counter of the last message of our sending chain before
    this one.
    """

    base_key: Key
    registration_id: Counter
    root_key: Key
    ratchet_private: Key
    ratchet_public: Key
    sending: Chain
    receiving: tuple[Receiving, ...] = ()
    previous_counter: Counter = 0
    pending: Pending | None = None

    def chain_of(self, ratchet_key: bytes) -> Chain | None:
        return next((item.chain for item in self.receiving if item.ratchet_key == ratchet_key), None)

    def with_chain(self, ratchet_key: bytes, chain: Chain) -> "SessionState":
        """The chain of this ratchet key has moved on, or is new."""
        if self.chain_of(ratchet_key) is None:
            receiving = (Receiving(ratchet_key, chain), *self.receiving)[:MAX_RECEIVING]
        else:
            receiving = tuple(
                Receiving(ratchet_key, chain) if item.ratchet_key == ratchet_key else item
                for item in self.receiving
            )
        return msgspec.structs.replace(self, receiving=receiving)


class Record(Kept, frozen=True, array_like=True):
    """What is kept of one peer device. `Record()` knows nothing. `identity`: its key, of all its sessions."""

    identity: Key | None = None
    current: SessionState | None = None
    archived: tuple[SessionState, ...] = ()

    @property
    def has_session(self) -> bool:
        """Whether a message can be encrypted without a bundle."""
        return self.current is not None

    @property
    def base_key(self) -> bytes | None:
        """The name of the session in use: unchanged after a retry receipt, it has to be replaced."""
        return self.current.base_key if self.current else None

    @property
    def registration_id(self) -> int | None:
        """The peer's registration id: another one means that it was installed anew."""
        return self.current.registration_id if self.current else None

    def knows(self, message: PreKeyMessage) -> bool:
        """Whether the session of `message` exists, so that none of our prekeys is needed to read it."""
        return message.identity == self.identity and self.session_of(message.base_key) is not None

    def session_of(self, base_key: bytes) -> SessionState | None:
        return next((session for session in self.sessions() if session.base_key == base_key), None)

    def sessions(self) -> Iterator[SessionState]:
        """All sessions, the one in use first."""
        if self.current is not None:
            yield self.current
        yield from self.archived

    def archive(self) -> "Record":
        """Begin no more messages in the session in use: the next one needs a bundle. It can still be read."""
        return Record(self.identity, None, tuple(self.sessions())[:MAX_ARCHIVED])

    def forget_identity(self) -> "Record":
        """The peer has a new identity that is to be trusted. Sessions under the former one end."""
        return Record()

    def promote(self, session: SessionState) -> "Record":
        """`session`, new or moved on, is the one in use; the one that was is archived."""
        others = tuple(other for other in self.sessions() if other.base_key != session.base_key)
        return _bounded(Record(self.identity, session, others[:MAX_ARCHIVED]))

    def encode(self) -> bytes:
        """Less than 200 KiB."""
        return _VERSION + msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> "Record":
        """Raises `Malformed` for what `encode` of this version did not make."""
        if data[:1] != _VERSION:
            raise Malformed("a record of an unknown version")
        try:
            return msgspec.msgpack.decode(data[1:], type=cls)
        except msgspec.MsgspecError as exc:
            raise Malformed("a record that cannot be read") from exc


def _bounded(record: Record) -> Record:
    """Drop the oldest skipped keys beyond what a record may hold."""
    chains = [item.chain for session in record.sessions() for item in session.receiving]
    if sum(len(chain.skipped) for chain in chains) <= MAX_RECORD_SKIPPED:
        return record
    left = MAX_RECORD_SKIPPED
    sessions = []
    for session in record.sessions():
        receiving = []
        for item in session.receiving:
            chain = item.chain.keep(left)
            left -= len(chain.skipped)
            receiving.append(Receiving(item.ratchet_key, chain))
        sessions.append(msgspec.structs.replace(session, receiving=tuple(receiving)))
    return Record(record.identity, sessions[0], tuple(sessions[1:]))
