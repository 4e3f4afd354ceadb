"""Logins by QR code: sessions, the phone that scans and types the PIN, and what a login brings.

Three forms are served: that of current applications (`…ForSecure`), and two of older clients, of which
`qrCodeLogin` brings one access token without a refresh token.
"""

import base64
import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import attrs
import trio

from unifyport.protocols.letter_sealing.key_chain import seal_key_chain
from unifyport.protocols.letter_sealing.keys import generate
from unifyport.providers.line.device import login_structures as of
from unifyport.providers.line.device.tokens import IssuedToken

from .world import TOKEN_SECONDS, Account, World

POLLS, POLL_SECONDS = 12, 30
EXPIRED, REFUSED = 100, 2
PREFIX = "https://line.me/R/au/lgn/sq/"


@attrs.frozen
class OldLoginAnswer:
    """The answer of `qrCodeLogin`, as CHRLINE reads it."""

    certificate: Annotated[str | None, 1] = None
    access: Annotated[str | None, 2] = None
    metadata: Annotated[Mapping[str, str] | None, 4] = None
    mid: Annotated[str | None, 5] = None


@attrs.frozen
class OldLoginResult:
    success: Annotated[OldLoginAnswer | None, 0] = None
    error: Annotated[of.SecondaryQrCodeException | None, 1] = None


class Refused(Exception):
    """`SecondaryQrCodeException`."""

    def __init__(self, code: int, alert: str = "") -> None:
        super().__init__(alert)
        self.error = of.SecondaryQrCodeException(code, alert)


@attrs.define(eq=False)
class Session:
    """A login under way. `account`: who has scanned the code."""

    id: str
    nonce: str = ""
    secret: bytes = b""  # the device's public key, of the code that was scanned
    account: Account | None = None
    pin: str = ""
    trusted: bool = False  # the PIN was typed, or the certificate is known
    confirms: bool = False  # the owner types the PIN as soon as there is one
    expired: bool = False
    news: trio.Event = attrs.field(factory=trio.Event)

    def changed(self) -> None:
        self.news.set()
        self.news = trio.Event()


class Logins:
    """All logins that are under way. `carry_out` returns what stands in the field `success`; None: the poll
    ended without an answer.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.sessions: dict[str, Session] = {}

    async def carry_out(self, name: str, arguments: Any, poll_seconds: float) -> Any:
        """Raises `Refused`."""
        if name == "createSession":
            session = Session(f"SQ{secrets.token_hex(16)}")
            self.sessions[session.id] = session
            return of.SessionAnswer(session.id)
        request = arguments.request
        session = self._session(request.session if request is not None else "")
        match name:
            case "createQrCodeForSecure":
                session.nonce = secrets.token_hex(16)
                return of.QrCodeAnswer(PREFIX + session.id, POLLS, POLL_SECONDS, session.nonce)
            case "createQrCode":
                return of.QrCodeAnswer(PREFIX + session.id)
            case "checkQrCodeVerified":
                return await self._wait(session, lambda: session.account is not None, poll_seconds)
            case "verifyCertificate":
                return self._verify(session, request.certificate)
            case "createPinCode":
                session.pin = f"{secrets.randbelow(10_000):04}"
                session.trusted = session.confirms
                return of.PinAnswer(session.pin)
            case "checkPinCodeVerified":
                return await self._wait(session, lambda: session.trusted, poll_seconds)
            case "qrCodeLoginV2ForSecure":
                if request.nonce != session.nonce or not session.nonce:
                    raise Refused(REFUSED, "nonce")
                return self._log_in(session, old=False)
            case "qrCodeLoginV2":
                return self._log_in(session, old=False)
            case "qrCodeLogin":
                return self._log_in(session, old=True)
        raise Refused(REFUSED, name)

    def _session(self, id_: str) -> Session:
        session = self.sessions.get(id_)
        if session is None or session.expired:
            raise Refused(EXPIRED, "session")
        return session

    async def _wait(self, session: Session, done: Any, seconds: float) -> of.Empty | None:
        with trio.move_on_after(seconds):
            while not done():
                await session.news.wait()
                self._session(session.id)
        return of.Empty() if done() else None

    def _verify(self, session: Session, certificate: str) -> of.Empty:
        if session.account is None or certificate not in session.account.certificates:
            raise Refused(REFUSED, "certificate")
        session.trusted = True
        return of.Empty()

    def _log_in(self, session: Session, *, old: bool) -> of.LoginAnswer | OldLoginAnswer:
        account = session.account
        if account is None or not session.trusted:
            raise Refused(REFUSED, "not verified")
        del self.sessions[session.id]
        device = self._world.log_in(account)
        certificate = secrets.token_hex(32)
        account.certificates.add(certificate)
        metadata = self._key_chain(session, account)
        if old:
            return OldLoginAnswer(certificate, device.access, metadata, account.mid)
        tokens = IssuedToken(device.access, device.refresh, TOKEN_SECONDS)
        return of.LoginAnswer(certificate, tokens, account.mid, metadata=metadata, key_chain=metadata)

    def _key_chain(self, session: Session, account: Account) -> dict[str, str]:
        """The phone's keys for the device, if its code has a key and the account seals."""
        if not session.secret or not account.seals:
            return {}
        sender = generate()
        chain = seal_key_chain(list(reversed(account.pairs)), sender, session.secret)
        return {
            "encryptedKeyChain": base64.b64encode(chain).decode(),
            "publicKey": base64.b64encode(sender.public.data).decode(),
            "keyId": str(account.pairs[-1].key_id),
            "e2eeVersion": "1",
        }

    # -- the phone ------------------------------------------------------------------------------------------

    def scan(self, qr: str, account: Account, *, confirms: bool = False) -> None:
        """The phone scans a code; `confirms`: its owner will type the PIN at once. Raises `ValueError` for a
        code that is not, or no longer, valid.
        """
        parts = urlsplit(qr)
        session = self.sessions.get(parts.path.rpartition("/")[2])
        if session is None or session.expired:
            raise ValueError("qr: it is not the code of a login, or has expired")
        secret = parse_qs(parts.query).get("secret", [""])[0]
        session.secret = base64.b64decode(secret)
        session.account, session.confirms = account, confirms
        session.changed()

    def type_pin(self, pin: str, account: Account) -> None:
        """The phone's owner types the PIN. Raises `ValueError` for a wrong one."""
        for session in self.sessions.values():
            if session.account is account and session.pin and session.pin == pin:
                session.trusted = True
                session.changed()
                return
        raise ValueError("pin: no login waits for it")

    def expire(self) -> None:
        """All logins that are under way are over."""
        for session in self.sessions.values():
            session.expired = True
            session.changed()
