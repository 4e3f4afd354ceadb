"""Logging in with a human, or with what he exported elsewhere: the part of a connector that makes a session.

A connection that has a token presents it (`Connector.login`) and needs none of this. A device session is made once, by
a *login*: a connector that is constructed for this alone, with an empty `session`, and closed when it is over. It talks
to the human through a `Dialog`, whose every step is durable and announced before it returns, and ends by returning an
`Authorization`: who the account is, and the session. Identity and session are committed in one transaction; only then
is another connector constructed, which finds that session in its `ConnectorContext` and connects as usual.

    authorize(dialog)          dialog                          what callers see (`auth_status`)
    ----------------------     --------------------------      ---------------------------------------------------
    a QR code is there     ->  show_qr(code, lifetime)         awaiting_qr_scan, `qr_code` and `url` (a picture of it)
    the platform made
      a new one            ->  show_qr(code, lifetime)         the same with a higher `sequence`; the old one is void
    a PIN to compare       ->  show_pin(pin, lifetime)         awaiting_qr_scan, `pin` beside the QR code
    a code to be typed
      on the phone         ->  show_code(code, lifetime)       awaiting_code, `verify_code`
    the platform has sent
      a code               ->  await ask_code()                awaiting_code, asks for `code`
    it wants a password    ->  await ask_password()            awaiting_password, asks for `password`
    return Authorization(...)                                  authorized, and the account starts
    raise Rejected(reason)                                     failed, `last_error: reason`

The machine (`actors/account/login.py`) bounds all of it: a QR code or a code that is shown is waited for five minutes in all, a
question ten, the first step and what follows an answer one. What a connector must see to is only that each code is shown while it is good, and that what the platform
says is told apart: a wrong code is asked for again (`ask_code(refused="invalid_code")`), a wrong password ends the login
(`Rejected("invalid_password")`), a network that is away is `Transient`. There is no other state to keep.
"""

from abc import ABC, abstractmethod
from typing import Protocol

import attrs

from unifyport.model.account import Identity
from unifyport.model.unit import SessionChange


class Dialog(Protocol):
    """The human at the other end of a login. `lifetime` is in seconds.

    Every method returns once what it says is durable. Cancelled: when the login is given up, begun anew or has waited
    for too long; a connector lets that pass.
    """

    async def show_qr(self, qr_code: str, lifetime: float) -> None:
        """Show what is to be rendered as a QR code, in place of any that was shown before."""

    async def show_pin(self, pin: str, lifetime: float) -> None:
        """Show digits that must be compared with, or typed into, the app, beside the QR code."""

    async def show_code(self, verify_code: str, lifetime: float) -> None:
        """Show a code that the human types into the app; it does not come back to us."""

    async def ask_code(self, refused: str | None = None) -> str:
        """The code that the platform has sent to the human. `refused`: why the last one was not taken."""

    async def ask_password(self) -> str:
        """The password of the second factor."""


@attrs.frozen
class Authorization:
    """What a login came to. `session`: the rows that the connection is to be constructed from."""

    identity: Identity
    session: list[SessionChange] = attrs.field(factory=list)


@attrs.frozen
class ExportedSession:
    """A session that was exported elsewhere, as its platform's tools write it: `data` is at most 1 MiB."""

    data: bytes
    pin: str | None = None


class Authorizes(ABC):
    @abstractmethod
    async def authorize(self, dialog: Dialog) -> Authorization:
        """Log in with a human. Raises a failure class; see above for which."""


class ImportsSession(ABC):
    @abstractmethod
    async def import_session(self, exported: ExportedSession) -> Authorization:
        """Prove that the session is good by using it. Raises a failure class; `Rejected("invalid_session")` for what
        cannot be read or is not taken."""


class LogsOut(ABC):
    @abstractmethod
    async def log_out(self) -> None:
        """Tell the platform that the login is let go of: unlink the device, take a webhook away.

        Called without `login`, while no other connection of the account is up: on a new connector that has the session, when
        the account is deleted or its login dropped; on the one that has just authorized, whose `context.session` is empty,
        when another account is that identity already. Cancelled after 10 s. Raises a failure class, which is logged and
        changes nothing.
        """
