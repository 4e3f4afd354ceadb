"""What the session holds of XChat; `api/chat_marks.py` has how far it was read. All names begin with `xchat`.

record                                   holds
-------------------------------------    ----------------------------------------------------------------
("xchat", b"")                           `vault.OwnKeys`: the private keys, sealed as the whole session is
("xchat_began", b"")                     unix ms of the first login or connection; what was before is history
("xchat_public", user)                   the bound public keys of a user, the newest versions
("xchat_key", conversation, version)     `ConversationKey`; the newest version sorts first
("xchat_message", conversation, id)      `Message`, by its signed id
("xchat_sequence", conversation, seq)    the id of that message
("xchat_sent", id)                       `Sent`: what was handed to X and has not been reported back
("xchat_reaction", conversation, id)     the account's reaction to a message
"""

from collections.abc import Iterable

import msgspec

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.session import Session

OWN = ("xchat", b"")
BEGAN = ("xchat_began", b"")
PUBLIC = "xchat_public"
KEY = "xchat_key"
MESSAGE = "xchat_message"
SEQUENCE = "xchat_sequence"
SENT = "xchat_sent"
REACTION = "xchat_reaction"
_HIGHEST = 2**64 - 1


class ConversationKey(msgspec.Struct, array_like=True, frozen=True):
    """`trusted`: a verified member has signed it; else it opens messages and never encrypts one."""

    raw: bytes
    trusted: bool

    def __repr__(self) -> str:
        return f"ConversationKey(trusted={self.trusted})"


class Message(msgspec.Struct, array_like=True, frozen=True):
    """A message as later events and commands name it. `at`: unix ms.

    `event`: the encoded event, to quote it; empty if it is large. `text`: its beginning.
    """

    sequence: int
    sender: str
    at: int
    version: int = 0
    text: str = ""
    event: str = ""


class Sent(msgspec.Struct, array_like=True, frozen=True):
    """What was handed to X. `client_ref`: of the send whose message it is; empty: an edit or its like."""

    conversation: str
    at: int
    client_ref: str = ""


class Draft:
    """Changes that are not handed over yet, on top of the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._changes: dict[tuple[str, bytes], bytes | None] = {}

    async def get(self, name: str, key: bytes = b"") -> bytes | None:
        if (name, key) in self._changes:
            return self._changes[name, key]
        return await self._session.get(name, key)

    def has(self, name: str, key: bytes) -> bool:
        """Whether it changes this record."""
        return (name, key) in self._changes

    def put(self, name: str, key: bytes, value: bytes | None) -> None:
        self._changes[name, key] = value

    def take(self, changes: Iterable[SessionChange]) -> None:
        for change in changes:
            self.put(change.name, change.key, change.value)

    @property
    def changes(self) -> list[SessionChange]:
        return [SessionChange(name, key, value) for (name, key), value in self._changes.items()]


def key_place(conversation: str, version: int) -> bytes:
    """A key by which the newest version comes first."""
    return of_conversation(conversation) + (_HIGHEST - version).to_bytes(8)


def version_at(place: bytes) -> int:
    return _HIGHEST - int.from_bytes(place[-8:])


def message_place(conversation: str, message_id: str) -> bytes:
    return of_conversation(conversation) + message_id.encode()


def sequence_place(conversation: str, sequence: int) -> bytes:
    return of_conversation(conversation) + sequence.to_bytes(8)


def of_conversation(conversation: str) -> bytes:
    """The beginning of the keys of a conversation."""
    return conversation.encode() + b"\0"
