"""`auth_status`: the state of an account's login, and the table of its transitions.

    pending_auth --SHOW_QR--> awaiting_qr_scan --------+--AUTHORIZED--> authorized --LOGIN_LOST--> failed
         |                       |    ^ SHOW_QR (again)|                    |
         +--WANT_CODE--> awaiting_code ----------------+                    +--CANCELLED--> pending_auth
                                 |                     |
                          awaiting_password -----------+   any waiting status --FAILED--> failed
                                                           any waiting status --CANCELLED--> pending_auth

After `failed`, a new login has the same transitions as from `pending_auth`. An account that presents
credentials and needs no human, and an account with an exported session, go from `pending_auth` to
`authorized` directly. A pair of status and trigger that is not in the table is a bug of the calling code and
raises `UnknownStep`.
"""

import enum
from collections.abc import Mapping

import attrs

from .account import AuthStatus


class Trigger(enum.Enum):
    """What happened in a login."""

    SHOW_QR = "show_qr"  # a QR code, or the PIN beside it, is shown
    WANT_CODE = "want_code"  # a code is shown, or asked for
    WANT_PASSWORD = "want_password"  # noqa: S105 (a trigger, not a secret)
    AUTHORIZED = "authorized"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOGIN_LOST = "login_lost"  # the platform no longer accepts it


class UnknownStep(Exception):
    """A trigger that is not allowed in the status."""


_S, _T = AuthStatus, Trigger

WAITING = (_S.AWAITING_QR_SCAN, _S.AWAITING_CODE, _S.AWAITING_PASSWORD)
_OPEN = (_S.PENDING_AUTH, _S.FAILED, *WAITING)

TRANSITIONS: dict[tuple[AuthStatus, Trigger], AuthStatus] = {
    **{(status, _T.SHOW_QR): _S.AWAITING_QR_SCAN for status in _OPEN},
    **{(status, _T.WANT_CODE): _S.AWAITING_CODE for status in _OPEN},
    **{(status, _T.WANT_PASSWORD): _S.AWAITING_PASSWORD for status in _OPEN},
    **{(status, _T.AUTHORIZED): _S.AUTHORIZED for status in AuthStatus},
    **{(status, _T.FAILED): _S.FAILED for status in _OPEN},
    **{(status, _T.CANCELLED): _S.PENDING_AUTH for status in AuthStatus},
    (_S.AUTHORIZED, _T.LOGIN_LOST): _S.FAILED,
    **{(status, _T.LOGIN_LOST): _S.FAILED for status in _OPEN},
}


def next_status(status: AuthStatus, trigger: Trigger) -> AuthStatus:
    """The status after `trigger`. Raises `UnknownStep` for a pair that is not in the table."""
    try:
        return TRANSITIONS[status, trigger]
    except KeyError:
        raise UnknownStep(f"{trigger.name} while {status.value}") from None


@attrs.frozen
class Field:
    """A value that the human must provide: a field in the body of the step's request."""

    type: str
    required: bool
    label: str


CODE = Field("code", True, "The code that the platform has sent")
PASSWORD = Field("password", True, "The password of the second factor")
SESSION_URL = Field("session_url", True, "Where the exported session can be fetched, by https")
PIN = Field("pin", False, "The PIN that the session was exported with")


def fields_of(status: AuthStatus, payload: Mapping[str, object], *, imports: bool) -> list[Field]:
    """The fields that the login asks for now.

    A code that is shown is typed into the app, not asked for. `imports`: the login uses an exported session.
    """
    match status:
        case AuthStatus.AWAITING_CODE:
            return [] if "verify_code" in payload else [CODE]
        case AuthStatus.AWAITING_PASSWORD:
            return [PASSWORD]
        case AuthStatus.PENDING_AUTH | AuthStatus.FAILED if imports:
            return [SESSION_URL, PIN]
    return []
