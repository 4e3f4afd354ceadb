"""`auth_status`: the state of an account's login, as two tables.

`STEPS` says of each step of a login which status it leads to, how it is answered, and what it asks for.
`TRANSITIONS` says which step or outcome is allowed in which status:

    pending_auth --qr, pin, confirm_on_phone----------> awaiting_qr_scan
                 --show_code, ask_code, passkey, consent--> awaiting_code
                 --ask_password, ask_passcode---------> awaiting_password
    a waiting status --any step--> its status    --AUTHORIZED--> authorized --LOGIN_LOST--> failed
                                                 --FAILED--> failed    --CANCELLED--> pending_auth

After `failed`, a new login has the same transitions as from `pending_auth`. An account that presents
credentials and needs no human, and an account with an exported session, go from `pending_auth` to
`authorized` directly. A pair that is not in the table is a bug of the calling code and raises `UnknownStep`.
"""

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from .account import AuthStatus

MAX_ANSWER = 256  # characters of a code, a PIN or a password
MAX_PASSKEY_ANSWER = 16 * 1024  # characters of a `PublicKeyCredential` as JSON
LAST_GUESSES = 3  # with so many guesses left, or fewer, a passcode must come with a confirmation


class LoginStep(enum.Enum):
    """What a login shows to the human, or asks."""

    QR = "qr"
    PIN = "pin"  # digits beside the QR code
    CONFIRM_ON_PHONE = "confirm_on_phone"
    SHOW_CODE = "show_code"  # the human types it into the app
    ASK_CODE = "ask_code"  # the platform has sent it to the human
    PASSKEY = "passkey"
    CONSENT = "consent"  # OAuth, on a page of the platform
    ASK_PASSWORD = "ask_password"  # noqa: S105 (a step, not a secret)
    ASK_PASSCODE = "ask_passcode"  # the platform counts wrong guesses, and locks after the last one


class LoginOutcome(enum.Enum):
    """What else happens to a login."""

    AUTHORIZED = "authorized"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOGIN_LOST = "login_lost"  # the platform no longer accepts it


class Wanted(enum.Enum):
    """How a step is answered; the values are the fields of `auth/code` and `auth/password`."""

    CODE = "code"
    PASSWORD = "password"  # noqa: S105 (a question, not a secret)
    CALLBACK = "callback"  # the platform sends the human's browser to our callback


class UnknownStep(Exception):
    """A step or an outcome that is not allowed in the status."""


@attrs.frozen
class Field:
    """A value that the human must provide: a field in the body of the step's request."""

    type: str
    required: bool
    label: str


CODE = Field("code", True, "The code that the platform has sent")
PASSWORD = Field("password", True, "The password of the second factor")
PASSCODE = Field("password", True, "The passcode of the account at the platform")
SESSION_URL = Field("session_url", True, "Where the exported session can be fetched, by https")
PIN = Field("pin", False, "The PIN that the session was exported with")


@attrs.frozen
class StepRule:
    """A row of `STEPS`.

    `key`: the key of `auth_payload` that only this step has; None: the step of its status when no other
    step's key is there. `wanted`: None where the answer goes to the platform. `fields`: what the caller is
    told to ask the human for.
    """

    status: AuthStatus
    key: str | None
    wanted: Wanted | None = None
    fields: tuple[Field, ...] = ()
    max_answer: int = MAX_ANSWER


_S, _L, _O = AuthStatus, LoginStep, LoginOutcome

STEPS: Mapping[LoginStep, StepRule] = {
    _L.PIN: StepRule(_S.AWAITING_QR_SCAN, "pin"),  # before QR: its payload has the key of both
    _L.CONFIRM_ON_PHONE: StepRule(_S.AWAITING_QR_SCAN, "confirm_on_phone"),
    _L.QR: StepRule(_S.AWAITING_QR_SCAN, "qr_code"),
    _L.SHOW_CODE: StepRule(_S.AWAITING_CODE, "verify_code"),
    _L.PASSKEY: StepRule(_S.AWAITING_CODE, "passkey", Wanted.CODE, max_answer=MAX_PASSKEY_ANSWER),
    _L.CONSENT: StepRule(_S.AWAITING_CODE, "consent", Wanted.CALLBACK),
    _L.ASK_CODE: StepRule(_S.AWAITING_CODE, None, Wanted.CODE, (CODE,)),
    _L.ASK_PASSCODE: StepRule(_S.AWAITING_PASSWORD, "ask_passcode", Wanted.PASSWORD, (PASSCODE,)),
    _L.ASK_PASSWORD: StepRule(_S.AWAITING_PASSWORD, None, Wanted.PASSWORD, (PASSWORD,)),
}

WAITING = (_S.AWAITING_QR_SCAN, _S.AWAITING_CODE, _S.AWAITING_PASSWORD)
_OPEN = (_S.PENDING_AUTH, _S.FAILED, *WAITING)

TRANSITIONS: Mapping[tuple[AuthStatus, LoginStep | LoginOutcome], AuthStatus] = {
    **{(status, step): rule.status for step, rule in STEPS.items() for status in _OPEN},
    **{(status, _O.AUTHORIZED): _S.AUTHORIZED for status in AuthStatus},
    **{(status, _O.FAILED): _S.FAILED for status in _OPEN},
    **{(status, _O.CANCELLED): _S.PENDING_AUTH for status in AuthStatus},
    **{(status, _O.LOGIN_LOST): _S.FAILED for status in AuthStatus},
}


def next_status(status: AuthStatus, event: LoginStep | LoginOutcome) -> AuthStatus:
    """The status after `event`. Raises `UnknownStep` for a pair that is not in the table."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise UnknownStep(f"{event.name} while {status.value}") from None


def step_of(status: AuthStatus, payload: Mapping[str, object]) -> LoginStep | None:
    """The step that a login is at; None if it waits for no person, or shows nothing that is a step."""
    for step, rule in STEPS.items():
        if rule.status is status and (rule.key is None or rule.key in payload):
            return step
    return None


def fields_of(
    status: AuthStatus, payload: Mapping[str, object], *, imports: bool, pin: bool = False
) -> list[Field]:
    """The fields that the login asks for now.

    With `consent`, `passkey` or `verify_code` in the payload no code of the platform is asked for. `imports`:
    the login uses an exported session. `pin`: it may have been exported with a PIN.
    """
    if imports and status in (AuthStatus.PENDING_AUTH, AuthStatus.FAILED):
        return [SESSION_URL, PIN] if pin else [SESSION_URL]
    step = step_of(status, payload)
    return [] if step is None else list(STEPS[step].fields)


@attrs.frozen
class PasskeyPage:
    """What the page of a passkey shows. `public_key`: the options of `navigator.credentials.get`."""

    origin: str
    public_key: Mapping[str, Any]


def needs_confirmation(guesses_left: int) -> bool:
    """Whether a passcode may be given only with the word that one of the last guesses is meant."""
    return guesses_left <= LAST_GUESSES
