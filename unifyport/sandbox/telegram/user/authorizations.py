"""Authorization keys and the sessions of clients under them.

https://core.telegram.org/api/auth: a key belongs to one data centre; a login belongs to a key. A client may
have several sessions under one key, each on a connection of its own. A session outlives its connection: what
was not acknowledged is sent again when it comes back.
"""

import os
import time
from typing import TYPE_CHECKING, Final

import attrs

from unifyport.protocols.mtproto.encryption import AuthKey, Role, open_packet
from unifyport.protocols.mtproto.server_session import ServerSession

if TYPE_CHECKING:
    from .directory import Person
    from .link import Link
    from .password import Challenge

_MAX_SESSIONS: Final = 8


@attrs.define(eq=False)
class Session:
    """`silent`: it wants no updates (`invokeWithoutUpdates`)."""

    authorization: "Authorization"
    protocol: ServerSession
    link: "Link | None" = None
    silent: bool = False

    def push(self, body: bytes) -> None:
        """Send now, or when the session comes back."""
        self.protocol.push(body, time.time() if self.link is None else self.link.now)
        self.wake()

    def wake(self) -> None:
        if self.link is not None:
            self.link.wake()


@attrs.define(eq=False)
class Authorization:
    """One key. `person`: who is logged in. `refusal`: the answer to every call. `home`: False for an imported
    authorization, which serves for files only.
    """

    key: AuthKey = attrs.field(repr=False)
    dc: int
    salt: int = attrs.field(repr=False)
    person: "Person | None" = None
    waiting: "Person | None" = None  # its password is asked for
    challenge: "Challenge | None" = None
    token: bytes | None = None  # shown as a QR code
    refusal: tuple[int, str] | None = None
    home: bool = True
    initialised: bool = False
    device: str = ""
    hash: int = attrs.field(factory=lambda: int.from_bytes(os.urandom(7), "little"))
    created: int = attrs.field(factory=lambda: int(time.time()))
    sessions: dict[int, Session] = attrs.field(factory=dict, repr=False)

    def session_of(self, packet: bytes) -> Session:
        """The session that a packet is for, a new one if need be. Raises `MTProtoError`."""
        number = open_packet(self.key, packet, Role.CLIENT).session_id
        session = self.sessions.get(number)
        if session is None:
            self._make_room()
            session = Session(self, ServerSession(self.key, salt=self.salt))
            self.sessions[number] = session
        return session

    def _make_room(self) -> None:
        idle = [number for number, each in self.sessions.items() if each.link is None]
        for number in idle[: max(0, len(self.sessions) - _MAX_SESSIONS + 1)]:
            del self.sessions[number]

    def change_salt(self) -> None:
        self.salt = int.from_bytes(os.urandom(8), "little")
        for session in self.sessions.values():
            session.protocol.salt = self.salt

    def close(self) -> None:
        """End its connections."""
        for session in self.sessions.values():
            if session.link is not None:
                session.link.close()

    def log_out(self) -> None:
        """The key remains, without a login."""
        if self.person is not None and self in self.person.authorizations:
            self.person.authorizations.remove(self)
        self.person = self.waiting = self.challenge = self.token = None


def sessions_of(person: "Person") -> list[Session]:
    """The sessions of the person's devices that take updates."""
    return [
        session
        for authorization in person.authorizations
        if authorization.home
        for session in authorization.sessions.values()
        if not session.silent
    ]
