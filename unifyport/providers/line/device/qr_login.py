"""A login by QR code, in the form that current applications use (`…ForSecure`). Pure: calls out, answers in.

    step           call                      answer                        next
    -----------    ----------------------    --------------------------    -----------------------------------
    SESSION        createSession             session id                    QR_CODE
    QR_CODE        createQrCodeForSecure     URL, polls, seconds, nonce    SCAN; the URL with our key is shown
    SCAN           checkQrCodeVerified       empty                         CERTIFICATE; without one: PIN
                   none, 408 or 410                                        SCAN, as often as QR_CODE said
    CERTIFICATE    verifyCertificate         empty                         LOGIN, without a PIN
                   refused                                                 PIN
    PIN            createPinCode             PIN                           PIN_CHECK; the PIN is shown
    PIN_CHECK      checkPinCodeVerified      empty                         LOGIN
    LOGIN          qrCodeLoginV2ForSecure    certificate, tokens, mid,     DONE
                                             key chain

A step is a row of `STEPS`; `advance` takes the answer, `refuse` an exception, `silent` a poll without an
answer. The nonce is that of the QR code and goes back with the login. Polls have a path and headers of their
own: the session id is their access token, `x-lst` the milliseconds for which the server holds them.

Source: `requestSQR2` in `base/login/mod.ts` of https://github.com/evex-dev/linejs (July 2026). CHRLINE has
this form as `requestSQR3`, and two older ones (`createQrCode`, then `qrCodeLogin` or `qrCodeLoginV2`), whose
codes current servers are said to refuse.
"""

from collections.abc import Mapping
from enum import Enum

import msgspec
from attrs import evolve, field, frozen

from unifyport.protocols.letter_sealing import key_chain
from unifyport.protocols.letter_sealing.keys import KeyPair

from .login_structures import (
    Arguments,
    CertificateArguments,
    CertificateRequest,
    Empty,
    EmptyResult,
    LoginAnswer,
    LoginArguments,
    LoginRequest,
    LoginResult,
    PinAnswer,
    PinResult,
    QrCodeAnswer,
    QrCodeResult,
    SecondaryQrCodeException,
    SessionAnswer,
    SessionRequest,
    SessionResult,
)
from .tokens import IssuedToken

LOGIN_PATH = "/acct/lgn/sq/v1"
POLL_PATH = "/acct/lp/lgn/sq/v1"
# Where the server does not say how often and how long it is polled.
DEFAULT_POLLS, DEFAULT_POLL_SECONDS = 12, 30
MOST_POLLS, LONGEST_POLL = 60, 120
LONGEST_URL, LONGEST_PIN = 2048, 16


class Step(Enum):
    """Where a login is."""

    SESSION = "session"
    QR_CODE = "qr_code"
    SCAN = "scan"
    CERTIFICATE = "certificate"
    PIN = "pin"
    PIN_CHECK = "pin_check"
    LOGIN = "login"
    DONE = "done"


@frozen
class StepCall:
    """The call of a step. `poll`: the server holds it until the human has done something."""

    name: str
    result: type
    poll: bool = False


STEPS: Mapping[Step, StepCall] = {
    Step.SESSION: StepCall("createSession", SessionResult),
    Step.QR_CODE: StepCall("createQrCodeForSecure", QrCodeResult),
    Step.SCAN: StepCall("checkQrCodeVerified", EmptyResult, poll=True),
    Step.CERTIFICATE: StepCall("verifyCertificate", EmptyResult),
    Step.PIN: StepCall("createPinCode", PinResult),
    Step.PIN_CHECK: StepCall("checkPinCodeVerified", EmptyResult, poll=True),
    Step.LOGIN: StepCall("qrCodeLoginV2ForSecure", LoginResult),
}


class LoginFailed(Exception):
    """The login is over. `reason` is machine-readable; `code` is the service's, where it gave one."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


REASONS = {
    3: "qr_login_not_allowed",
    5: "retry_later",
    100: "login_expired",
    101: "app_upgrade_required",
}


@frozen
class Login:
    """A login under way. `device` is the key pair that opens the key chain; `certificate` is that of a former
    login.
    """

    device: KeyPair
    certificate: str = field(default="", repr=False)
    step: Step = Step.SESSION
    session: str = field(default="", repr=False)
    url: str = field(default="", repr=False)
    pin: str = field(default="", repr=False)
    nonce: str = field(default="", repr=False)
    polls_left: int = 0
    polls: int = 0
    poll_seconds: int = DEFAULT_POLL_SECONDS
    answer: LoginAnswer | None = None

    @property
    def lifetime(self) -> int:
        """Seconds for which the QR code, or the PIN, is valid from the moment it came."""
        return self.polls * self.poll_seconds


def arguments(login: Login, system: str, model: str) -> object:
    """The arguments of the step's call."""
    match login.step:
        case Step.SESSION:
            return Empty()
        case Step.CERTIFICATE:
            return CertificateArguments(CertificateRequest(login.session, login.certificate))
        case Step.LOGIN:
            return LoginArguments(LoginRequest(login.session, system, model, True, login.nonce))
    return Arguments(SessionRequest(login.session))


def advance(login: Login, success: object) -> Login:
    """The login after the answer of its step. Raises `LoginFailed` for an incomplete one."""
    match login.step, success:
        case Step.SESSION, SessionAnswer(session=str(session)) if session:
            return evolve(login, step=Step.QR_CODE, session=session)
        case Step.QR_CODE, QrCodeAnswer(url=str(url)) if url and len(url) < LONGEST_URL:
            return _with_qr_code(login, success, url)
        case Step.SCAN, _:
            known = Step.CERTIFICATE if login.certificate else Step.PIN
            return evolve(login, step=known, polls_left=login.polls)
        case Step.CERTIFICATE | Step.PIN_CHECK, _:
            return evolve(login, step=Step.LOGIN)
        case Step.PIN, PinAnswer(pin=str(pin)) if pin and len(pin) <= LONGEST_PIN:
            return evolve(login, step=Step.PIN_CHECK, pin=pin, polls_left=login.polls)
        case Step.LOGIN, LoginAnswer(mid=str(mid), tokens=IssuedToken(access=str(access))) if mid and access:
            return evolve(login, step=Step.DONE, answer=success)
    raise LoginFailed("unreadable_answer")


def refuse(login: Login, error: SecondaryQrCodeException) -> Login:
    """The login after a refusal: a certificate that is not known any more asks for a PIN. Raises
    `LoginFailed`.
    """
    if login.step is Step.CERTIFICATE and error.code != 100:
        return evolve(login, step=Step.PIN, certificate="")
    raise LoginFailed(REASONS.get(error.code or 0, "login_refused"), error.code)


def silent(login: Login) -> Login:
    """The login after a poll that the server ended, or that timed out. Raises `LoginFailed` after the last
    one.
    """
    if not STEPS[login.step].poll or login.polls_left <= 1:
        raise LoginFailed("login_expired")
    return evolve(login, polls_left=login.polls_left - 1)


def sealed_keys(answer: LoginAnswer) -> Mapping[str, str] | None:
    """The members of the key chain, None where there is none: then a new key pair is registered.

    They are a map of its own, members of the metadata, or JSON in its member `e2eeInfo`.
    """
    metadata = answer.metadata or {}
    for found in (answer.key_chain, _decoded(metadata.get("e2eeInfo", "")), metadata):
        if found and found.get("encryptedKeyChain") and found.get("publicKey"):
            return found
    return None


def _decoded(text: str) -> Mapping[str, str]:
    try:
        found = msgspec.json.decode(text, type=dict[str, str | int])
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return {name: str(value) for name, value in found.items()}


def _with_qr_code(login: Login, answer: QrCodeAnswer, url: str) -> Login:
    polls = min(max(answer.polls or DEFAULT_POLLS, 1), MOST_POLLS)
    seconds = min(max(answer.poll_seconds or DEFAULT_POLL_SECONDS, 1), LONGEST_POLL)
    return evolve(
        login,
        step=Step.SCAN,
        url=url + key_chain.qr_suffix(login.device),
        nonce=answer.nonce or "",
        polls=polls,
        polls_left=polls,
        poll_seconds=seconds,
    )
