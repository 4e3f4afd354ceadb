"""Codes of the Official Account API -> failure classes.

Every answer is HTTP 200 with `{"error", "message", "data"}`; `error` 0 grants the request
(https://docs.zaloplatforms.com/docs/OA, error codes).
"""

from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    GROUP_NOT_FOUND,
)
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient

__all__ = ["CONTACT_NOT_FOUND", "CONVERSATION_NOT_FOUND", "GROUP_NOT_FOUND", "failure"]

BAD_TOKEN = frozenset({-216, -220})  # expired, removed or wrong: nothing was applied
PARAMETER = -201
NOT_FOLLOWER = -213
_TOO_FAST = -32
_NOT_AUTHORIZED, _APP_NOT_ACTIVE, _PROOF = -223, -209, -242
_WAIT = 60.0  # seconds: the limit is that of a minute
_OF_LOGIN = {
    _NOT_AUTHORIZED: "permission_missing",
    _APP_NOT_ACTIVE: "app_not_activated",
    _PROOF: "appsecret_proof_required",
}
# Errors that a caller can act on, with stable reasons.
_REASONS = {
    -100: "attachment_expired",
    PARAMETER: "invalid_parameter",
    _APP_NOT_ACTIVE: "app_not_activated",
    -211: "quota_exhausted",
    NOT_FOLLOWER: "not_a_follower",
    -218: "recipient_quota_exhausted",
    -224: "account_tier_too_low",
    -227: "recipient_inactive",
    -230: "outside_customer_service_window",
    -232: "outside_customer_service_window",
    -233: "unsupported_message_type",
    -234: "not_at_night",
    -237: "group_disabled",
    _PROOF: "appsecret_proof_required",
    -244: "blocked_by_recipient",
    -248: "against_policy",
}


def failure(code: int, message: str, *, login: bool = False) -> ChannelError:
    """The failure class of an answer with this code. `login`: the call was the login's check of the token."""
    if code in BAD_TOKEN:
        return LoggedOut("invalid_credentials")
    if code == _NOT_AUTHORIZED or (login and code in _OF_LOGIN):
        return LoggedOut(_OF_LOGIN[code])
    if code == _TOO_FAST:
        return RateLimited(_WAIT)
    return Rejected(_REASONS.get(code, f"zalo_{code}"), message, code=code)


def http_failure(status: int) -> ChannelError:
    """The failure class of an answer that is none of the API, such as one of a server before it."""
    if status == 429:
        return RateLimited(_WAIT)
    return Transient(f"http_{status}", maybe_applied=status >= 500 or status == 200)
