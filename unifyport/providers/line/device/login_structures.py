"""Thrift structures of the login by QR code, as `base/login/mod.ts` of linejs and its `line.thrift` tell
them.
"""

from collections.abc import Mapping
from typing import Annotated

from attrs import field, frozen

from unifyport.protocols.thrift import I32

from .tokens import IssuedToken


@frozen
class SecondaryQrCodeException:
    """A refusal of the login service; its codes: `qr_login.REASONS`."""

    code: Annotated[I32 | None, 1] = None
    alert: Annotated[str | None, 2] = None


@frozen
class SessionRequest:
    """The request of most steps."""

    session: Annotated[str, 1] = field(default="", repr=False)


@frozen
class CertificateRequest:
    session: Annotated[str, 1] = field(default="", repr=False)
    certificate: Annotated[str, 2] = field(default="", repr=False)


@frozen
class LoginRequest:
    """`system` and `model`: what the phone's list of devices shows."""

    session: Annotated[str, 1] = field(default="", repr=False)
    system: Annotated[str, 2] = ""
    model: Annotated[str, 3] = ""
    auto_login: Annotated[bool, 4] = True
    nonce: Annotated[str, 5] = field(default="", repr=False)


@frozen
class Empty:
    """`createSession` has no request; some answers hold nothing."""


@frozen
class Arguments:
    request: Annotated[SessionRequest | None, 1] = None


@frozen
class CertificateArguments:
    request: Annotated[CertificateRequest | None, 1] = None


@frozen
class LoginArguments:
    request: Annotated[LoginRequest | None, 1] = None


@frozen
class SessionAnswer:
    session: Annotated[str | None, 1] = field(default=None, repr=False)


@frozen
class QrCodeAnswer:
    url: Annotated[str | None, 1] = field(default=None, repr=False)
    polls: Annotated[I32 | None, 2] = None
    poll_seconds: Annotated[I32 | None, 3] = None
    nonce: Annotated[str | None, 4] = field(default=None, repr=False)


@frozen
class PinAnswer:
    pin: Annotated[str | None, 1] = field(default=None, repr=False)


@frozen
class LoginAnswer:
    """`metadata` or `key_chain` has the key chain: `encryptedKeyChain`, `publicKey` (base64), `keyId`."""

    certificate: Annotated[str | None, 1] = field(default=None, repr=False)
    tokens: Annotated[IssuedToken | None, 3] = None
    mid: Annotated[str | None, 4] = None
    metadata: Annotated[Mapping[str, str] | None, 6] = field(default=None, repr=False)
    key_chain: Annotated[Mapping[str, str] | None, 10] = field(default=None, repr=False)


@frozen
class SessionResult:
    success: Annotated[SessionAnswer | None, 0] = None
    error: Annotated[SecondaryQrCodeException | None, 1] = None


@frozen
class QrCodeResult:
    success: Annotated[QrCodeAnswer | None, 0] = None
    error: Annotated[SecondaryQrCodeException | None, 1] = None


@frozen
class EmptyResult:
    success: Annotated[Empty | None, 0] = None
    error: Annotated[SecondaryQrCodeException | None, 1] = None


@frozen
class PinResult:
    success: Annotated[PinAnswer | None, 0] = None
    error: Annotated[SecondaryQrCodeException | None, 1] = None


@frozen
class LoginResult:
    success: Annotated[LoginAnswer | None, 0] = None
    error: Annotated[SecondaryQrCodeException | None, 1] = None
