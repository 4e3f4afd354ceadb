"""The session of a device that is logged in.

record                     holds
-----------------------    -----------------------------------------------------------------------------
("me", b"")                `Me`: the account's mid, the certificate of its login
("tokens", b"")            the newest pair of tokens (`token_keeper.py`)
("revisions", b"")         where the list of operations is read on (`revisions.py`)
("own_key", key id)        a private key of the account; former ones are kept to read with
("newest_key", b"")        the id of the one that is registered now
("peer", mid)              `PeerState`: the current key of a user, or that they take plain text
("group", mid)             `GroupState`: the current key of a group
("counter", b"")           the number of the last call that changed something (`req_seq`)
("sent", number)           `SentCall`: a message of ours whose echo has not come
"""

import secrets

import msgspec

from unifyport.model.unit import SessionChange
from unifyport.protocols.letter_sealing.keys import KeyPair
from unifyport.providers import records
from unifyport.providers.contract.session import Session

ME = ("me", b"")
TOKENS = ("tokens", b"")
REVISIONS = ("revisions", b"")
OWN_KEY = "own_key"
NEWEST_KEY = ("newest_key", b"")
PEER = "peer"
GROUP = "group"
COUNTER = ("counter", b"")
SENT = "sent"


class Me(msgspec.Struct, array_like=True, frozen=True):
    """The account. `login` is random, and another one for each login: it is part of the ids of its sends, and
    names the tokens that incarnations of the account share (`token_keeper.py`).
    """

    mid: str
    certificate: str = ""
    login: str = ""

    @classmethod
    def new(cls, mid: str, certificate: str) -> "Me":
        return cls(mid, certificate, secrets.token_hex(6))

    def client_ref(self, number: int) -> str:
        """The id of the send with this number."""
        return f"{self.login}-{number}"

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, data: bytes) -> "Me":
        """Raises `msgspec.DecodeError`."""
        return msgspec.msgpack.decode(data, type=cls)


class PeerState(msgspec.Struct, array_like=True, frozen=True):
    """The current public key of a user. `plain_until`: unix ms until which they are sent plain text, as the
    server has said that they do not seal; 0: never.
    """

    key_id: int = -1
    key: bytes = b""
    plain_until: int = 0


class GroupState(msgspec.Struct, array_like=True, frozen=True):
    """The current key of a group."""

    key_id: int
    private: bytes


class SentCall(msgspec.Struct, array_like=True, frozen=True):
    """A message that was handed over: the mid of its chat, and when, in unix ms. `first`: the number by which
    the store knows its command, where it is another one than that of the call.
    """

    chat: str
    at: int
    first: int = 0


class Records(records.Records):
    """The records of a device."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, unique=(SENT,))


def number_key(number: int) -> bytes:
    """A key that sorts as the number does."""
    return number.to_bytes(4)


def own_key_changes(pairs: list[KeyPair], newest: int) -> list[SessionChange]:
    """What makes these pairs the account's, `newest` being the id of the one that is registered."""
    kept = [SessionChange(OWN_KEY, number_key(pair.key_id), pair.private) for pair in pairs]
    return [*kept, SessionChange(*NEWEST_KEY, number_key(newest))]
