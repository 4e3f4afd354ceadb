"""Logging in with a human or with an exported session: the part of a connector that makes a session.

A connection that has a token presents it (`Connector.login`) and needs none of this. A device session is made
once, by a *login*: a connector is constructed only for it, with an empty `session`, and closed at its end. It
talks to the human through a `Dialog`, whose every step is durable and announced before it returns. It ends by
returning an `Authorization`: the identity of the account. Identity, and what the connector has committed to
its session, become durable in one transaction, in place of an older session. Only then is another connector
constructed, which gets that session in its `ConnectorContext` and connects as usual.

    authorize(dialog)        dialog                      what callers see (`auth_status`)
    ---------------------    -----------------------     -------------------------------------------------
    a QR code is there    -> show_qr(code, lifetime)     awaiting_qr_scan, `qr_code` and `url` (its picture)
    the platform made
      a new one           -> show_qr(code, lifetime)     the same, higher `sequence`; the old code is void
    a PIN to compare      -> show_pin(pin, lifetime)     awaiting_qr_scan, `pin` beside the QR code
    a code to be typed
      on the phone        -> show_code(code, lifetime)   awaiting_code, `verify_code`
    the platform has sent
      a code              -> await ask_code()            awaiting_code, asks for `code`
    it wants a password   -> await ask_password()        awaiting_password, asks for `password`
    return Authorization(...)                            authorized, and the account starts
    raise Rejected(reason)                               failed, `last_error: reason`

`actors/account/dialog.py` bounds every wait: five minutes in all for QR codes and codes that are shown, ten
minutes for an answer, one minute for the first step and for what follows an answer. The connector must show
each code only while it is valid, and must tell the platform's refusals apart: a wrong code is asked for again
(`ask_code(refused="invalid_code")`), a wrong password ends the login (`Rejected("invalid_password")`), a lost
network is `Transient`. There is no other state to keep.
"""

from abc import ABC, abstractmethod
from typing import Protocol

import attrs

from unifyport.model.account import Identity


class Dialog(Protocol):
    """The human at the other end of a login. `lifetime` is in seconds.

    Every method returns once its step is durable. It is cancelled when the login is given up, begun anew, or
    has waited for too long; a connector lets `Cancelled` pass.
    """

    async def show_qr(self, qr_code: str, lifetime: float) -> None:
        """Show a QR code with this text, in place of any that was shown before."""

    async def show_pin(self, pin: str, lifetime: float) -> None:
        """Show digits beside the QR code, which the human compares with, or types into, the app."""

    async def show_code(self, verify_code: str, lifetime: float) -> None:
        """Show a code that the human types into the app; the gateway does not get it back."""

    async def ask_code(self, refused: str | None = None) -> str:
        """Ask for the code that the platform sent to the human. `refused`: why the last code was refused."""

    async def ask_password(self) -> str:
        """Ask for the password of the second factor."""


@attrs.frozen
class Authorization:
    """The result of a login. What its connector has committed becomes the account's session."""

    identity: Identity


@attrs.frozen
class ExportedSession:
    """A session exported by another program, in the format of the platform's tools. `data`: at most 1 MiB."""

    data: bytes
    pin: str | None = None


class Authorizes(ABC):
    @abstractmethod
    async def authorize(self, dialog: Dialog) -> Authorization:
        """Log in with a human. Raises a failure class; the module's docstring says which."""


class ImportsSession(ABC):
    @abstractmethod
    async def import_session(self, exported: ExportedSession) -> Authorization:
        """Check the session by using it.

        Raises a failure class; `Rejected("invalid_session")` if it cannot be read or the platform refuses it.
        """


class LogsOut(ABC):
    @abstractmethod
    async def log_out(self) -> None:
        """End the login at the platform: unlink the device, remove a webhook.

        Called without `login`, while no other connection of the account is up: when the account is deleted or
        its login dropped, on a new connector that has the session; when another account already has the
        identity, on the connector that has just authorized. Cancelled after
        10 s. Raises a failure class, which is logged and has no other effect.
        """
