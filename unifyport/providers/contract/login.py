"""Logging in with a human or with an exported session: the part of a connector that makes a session.

A connection that has a token presents it (`Connector.login`) and needs none of this. A device session is made
once, by a *login*: a connector is constructed only for it, with an empty `session`, and closed at its end. It
talks to the human through a `Dialog`, whose every step is durable and announced before it returns. It ends by
returning an `Authorization`: the identity of the account. Identity, and what the connector has committed to
its session, become durable in one transaction, in place of an older session. Only then is another connector
constructed, which gets that session in its `ConnectorContext` and connects as usual.

    authorize(dialog)        dialog                            what callers see (`auth_status`)
    ---------------------    ------------------------------    --------------------------------------------
    a QR code is there    -> show_qr(code, lifetime)           awaiting_qr_scan, `qr_code` and `url`
    the platform made
      a new one           -> show_qr(code, lifetime)           the same, higher `sequence`; the old is void
    a PIN to compare      -> show_pin(pin, lifetime)           awaiting_qr_scan, `pin` beside the QR code
    a tap in the app      -> confirm_on_phone(name, picture)   awaiting_qr_scan, `confirm_on_phone`
    a code to be typed
      on the phone        -> show_code(code, lifetime)         awaiting_code, `verify_code`
    the platform has sent
      a code              -> await ask_code(...)               awaiting_code, asks for `code`
    it wants a passkey    -> await ask_passkey(...)            awaiting_code, `passkey` and `page_url`
    it wants consent      -> await ask_consent(...)            awaiting_code, `consent` and `page_url`
    it wants a password   -> await ask_password(...)           awaiting_password, asks for `password`
    it counts guesses     -> await ask_passcode(guesses)       awaiting_password, `ask_passcode`
    return Authorization(...)                                  authorized, and the account starts
    raise Rejected(reason)                                     failed, `last_error: reason`

`url` is only ever the picture of the QR code; a page for the human is `page_url`.

`actors/account/dialog.py` bounds every wait: five minutes in all for QR codes, for codes that are shown and
for a tap in the app, ten minutes for an answer, one minute for the first step and for what follows an answer.
The connector must show each code only while it is valid, and must tell the platform's refusals apart: a wrong
code is asked for again (`ask_code(refused="invalid_code")`), a wrong password ends the login
(`Rejected("invalid_password")`), and so does a wrong passcode (`WrongPasscode(guesses_left)`); a lost network
is `Transient`. There is no other state to keep.

An exported session is hostile input. A connector ignores hosts, ports and URLs in it: the address comes from
its own table. An error never quotes what is in it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import attrs

from unifyport.model.account import Identity

from .errors import Rejected


@attrs.frozen(kw_only=True)
class CodeDelivery:
    """How the platform has sent a code; what it does not say is None.

    `type` and `next_type`: its words (`app`, `sms`, `call`), next_type for the way after this one. `length`:
    characters of the code. `timeout`: seconds until the next way may be used.
    """

    type: str
    length: int | None = None
    next_type: str | None = None
    timeout: int | None = None


@attrs.frozen(kw_only=True)
class ConsentRequest:
    """What an authorization URL must carry (RFC 6749 section 4.1.1, RFC 7636 section 4.3).

    `challenge` is S256 of a verifier that the gateway keeps; a platform without PKCE is not given it.
    """

    state: str
    challenge: str
    redirect_uri: str


@attrs.frozen(kw_only=True)
class Consent:
    """What the platform sent to our callback: `code`, or `error` where the human refused.

    `parameters` holds it all but `state`, which the gateway has checked. `verifier` and `redirect_uri` belong
    into the request that exchanges the code.
    """

    parameters: Mapping[str, str]
    verifier: str
    redirect_uri: str

    def code(self) -> str:
        """The authorization code. Raises `Rejected("consent_denied")` where there is none."""
        code = self.parameters.get("code", "")
        if not code or "error" in self.parameters:
            raise Rejected("consent_denied")
        return code


class WrongPasscode(Rejected):
    """The passcode was wrong. `guesses_left`: how many the platform still takes; callers see it."""

    def __init__(self, guesses_left: int) -> None:
        super().__init__("invalid_passcode")
        self.guesses_left = guesses_left


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

    async def confirm_on_phone(self, display_name: str, picture_url: str | None = None) -> None:
        """Say that the human must confirm the login in the app, as the user of this name and picture."""

    async def ask_code(self, refused: str | None = None, delivery: CodeDelivery | None = None) -> str:
        """Ask for the code that the platform sent to the human. `refused`: why the last code was refused."""

    async def ask_password(self, hint: str | None = None) -> str:
        """Ask for the password of the second factor. `hint`: what the human has written down of it."""

    async def ask_passcode(self, guesses_left: int) -> str:
        """Ask for a passcode of which the platform counts the wrong guesses. A wrong one ends the login:
        raise `WrongPasscode`.
        """

    async def ask_passkey(self, origin: str, public_key: Mapping[str, Any]) -> str:
        """Ask for a passkey of the platform's web site `origin` (https).

        `public_key`: the options of `navigator.credentials.get`, as JSON (WebAuthn Level 3, section 5.1.10).
        Returns a `PublicKeyCredential` as JSON text of at most 16 KiB, which is not checked.
        """

    async def ask_consent(self, url: Callable[[ConsentRequest], str], scopes: Sequence[str]) -> Consent:
        """Send the human to the platform's page and wait for our callback.

        `url` makes the address of that page. Raises `Rejected("public_url_missing")`, before anything is
        shown, where the gateway has no public URL that the platform could send the human back to.
        """


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
    takes_pin: ClassVar[bool] = False  # a session may be exported with a PIN, which opens it

    @abstractmethod
    async def import_session(self, exported: ExportedSession) -> Authorization:
        """Check the session by using it.

        Raises a failure class; `Rejected("invalid_session")` if it cannot be read or the platform refuses it,
        with a detail that is shown to the human. No error quotes the session, and no address in it is
        connected to.
        """


class ExportsSession(ABC):
    @abstractmethod
    async def export_session(self) -> str:
        """The session, in a format of the platform's tools that `import_session` of this connection reads.

        Called on a connector that is constructed for it, with the session in memory, while no connection of
        the account is up. Reads records only. Raises `Rejected` where there is nothing to export.
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
