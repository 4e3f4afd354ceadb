"""Codes of the Bot Platform -> failure classes.

An error is `{"ok": false, "error_code", "description"}`, also with HTTP 200
(https://bot.zaloplatforms.com/docs/error-code): 400 bad request, 401 token wrong or expired, 403 internal
error, 404 not found, 408 time-out, 429 quota exceeded.
"""

from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient

WAIT = 30.0  # seconds; Zalo does not say how long to wait
IDLE = frozenset({408, 504})  # of `getUpdates`: nothing came in time


def failure(code: int, description: str, *, login: bool = False) -> ChannelError:
    """The failure class of an error answer. `login`: whether the call was the login's check of the token."""
    if code == 401 or (code == 404 and login):
        return LoggedOut("invalid_credentials")
    if code == 429:
        return RateLimited(WAIT)
    if code in (400, 404):
        return Rejected("not_found" if code == 404 else "bad_request", description, code=code)
    return Transient(f"zalo_{code}", maybe_applied=True)
