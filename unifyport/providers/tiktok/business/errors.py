"""Codes of the API -> failure classes.

Every answer is HTTP 200 with `{"code", "message", "request_id", "data"}`; `code` 0 grants the request
(https://business-api.tiktok.com/portal/docs?id=1737172488964097). There is no idempotency key, so an error of
TikTok's own leaves open whether a message was sent.
"""

from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.oauth_client import CLIENT_REFUSED

BAD_TOKEN = frozenset({40102, 40104, 40105})  # expired, missing, wrong or revoked: nothing was applied
NO_PERMISSION, BAD_PARAMETER, NO_TARGET = 40001, 40002, 40007
BLOCKED, TOO_FAST, FILE_TYPE = 40064, 40100, 40908
_WRONG_APP = 40101  # app id and secret do not belong together
_WAIT = 60.0  # seconds; TikTok does not say how long to wait

# TikTok does not say which of its rules it was.
RULES = (
    "TikTok takes 10 messages until the customer answers, then any number within 48 hours of each of the"
    " customer's messages, and 3 more after that; it also refuses where the customer has blocked the business"
)
_REASONS = {
    NO_PERMISSION: "permission_missing",
    BAD_PARAMETER: "invalid_parameter",
    NO_TARGET: CONVERSATION_NOT_FOUND,
    BLOCKED: "outside_messaging_window_or_blocked",
    FILE_TYPE: "unsupported_file_type",
}
_OF_LOGIN = {
    NO_PERMISSION: "permission_missing",
    BAD_PARAMETER: "unknown_business_id",
    NO_TARGET: "unknown_business_id",
}


def failure(code: int, message: str, *, login: bool = False) -> ChannelError:
    """The failure class of an answer with this code. `login`: the call was the login's check of the token."""
    if code in BAD_TOKEN:
        return LoggedOut("invalid_credentials")
    if code == _WRONG_APP:
        return Transient(CLIENT_REFUSED)  # it says nothing of the tokens
    if code == TOO_FAST:
        return RateLimited(_WAIT)
    if login and code in _OF_LOGIN:
        return LoggedOut(_OF_LOGIN[code])
    if code >= 50000 or code <= 0:
        return Transient(f"tiktok_{code}", maybe_applied=True)
    detail = f"{message}. {RULES}" if code == BLOCKED else message
    return Rejected(_REASONS.get(code, f"tiktok_{code}"), detail, code=code)


def http_failure(status: int) -> ChannelError:
    """The failure class of an answer whose status is not 200, which comes from a server before the API."""
    if status == 429:
        return RateLimited(_WAIT)
    if status < 500:
        return Rejected(f"http_{status}", "TikTok does not know this path or method", code=status)
    return Transient(f"http_{status}", maybe_applied=True)


def token_failure(error: ChannelError) -> ChannelError:
    """The failure class of an exchange or a refresh that failed as `error`: what is refused stays refused.

    Another status than 200 comes from a server before the API, such as a proxy, and says nothing of the
    tokens.
    """
    match error:
        case Rejected(reason=reason) if reason.startswith("http_"):
            return Transient(f"oauth_{reason}")
        case Transient(reason="oauth_client_refused"):
            return LoggedOut(CLIENT_REFUSED)
        case Rejected() | LoggedOut(reason="invalid_credentials"):
            return LoggedOut("refresh_token_refused")
    return error
