"""Error codes of the web client's API -> failure classes.

Zalo publishes no list. 102 and 600 are what a session that has ended is told
(https://github.com/RFS-ADRENO/zca-js/issues/35, /issues/315); 165 and 166 are of group operations
(zca-js 2.2.0, `src/apis/removeUserFromGroup.ts`); 123 is a receiver who takes no messages from the account
(/issues/229), 221 too many requests (/issues/173); 8 and -13 are of the login by QR code. Of any other code
only the number is known: the request is refused, and the connection goes on.
"""

from unifyport.providers.contract.errors import (
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)

WAIT, DECLINED = 8, -13  # of the login by QR code
SESSION_ENDED = frozenset({102, 600})
_REASONS = {123: "blocked_by_recipient", 165: "not_a_member", 166: "not_allowed"}
TOO_MANY = 221
WAIT_SECONDS = 60.0  # Zalo does not say for how long it takes no more
# Codes with which the socket is closed.
OTHER_CONNECTION, KICKED = 3000, 3003


def failure(code: int, message: str) -> ChannelError:
    """Of an answer with a code that is not 0. Nothing was applied."""
    if code in SESSION_ENDED:
        return LoggedOut("session_expired")
    if code == TOO_MANY:
        return RateLimited(WAIT_SECONDS)
    return Rejected(_REASONS.get(code, f"zalo_{code}"), message[:512], code=code)


def login_failure(code: int, message: str) -> ChannelError:
    """Of the request for the login info: only a code of a session that has ended ends the account."""
    if code in SESSION_ENDED:
        return LoggedOut("session_expired")
    return Transient(f"login_refused_{code}", cause=message[:256])


def close_failure(code: int | None) -> ChannelError:
    """Of a socket that was closed."""
    if code in (OTHER_CONNECTION, KICKED):
        return Conflict("connection_replaced")
    return Transient("socket_closed" if code is None else f"socket_closed_{code}"[:64])
