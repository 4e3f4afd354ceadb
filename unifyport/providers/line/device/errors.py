"""Refusals of the talk service as failure classes, and what they ask of the keys. Tables over codes.

Codes are those of `ErrorCode` in `line.thrift` of https://github.com/evex-dev/linejs. The reason text of a
refusal decides nothing. A code that is in no table rejects the one request.
"""

from enum import Enum

from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient

from .structures import TalkException

NOT_AUTHORIZED_DEVICE, NOT_AUTHORIZED_SESSION = 8, 14
MUST_REFRESH = 119
EXPIRED_REVISION = 52

# The tokens or the account are at an end. Before 8 and 14 get here `tokens.py` was asked.
_LOGGED_OUT = {
    NOT_AUTHORIZED_DEVICE: "logged_out_on_phone",
    NOT_AUTHORIZED_SESSION: "logged_out_on_phone",
    11: "app_upgrade_required",
    22: "account_deactivated",
    44: "secondary_device_not_allowed",
    50: "app_upgrade_required",
    107: "account_banned",
    MUST_REFRESH: "session_expired",
    124: "app_upgrade_required",
}
_TRANSIENT = {2, 12, 15, 20, 33, 80, 101, 115}
# Seconds to wait. LINE names no time.
_WAIT = {4: 60.0, 35: 3600.0, 48: 3600.0, 58: 60.0}
_REJECTED = {
    0: "invalid_argument",
    1: "not_permitted",
    5: "not_found",
    6: "message_too_long",
    7: "recipient_not_available",
    9: "invalid_recipient",
    10: "not_a_member",
    28: "not_own_message",
    36: "not_a_friend",
    38: "blocked_by_recipient",
    47: "file_too_large",
    64: "message_not_found",
    70: "feature_restricted",
    71: "message_not_deletable",
    113: "unsupported_account_type",
    117: "not_available",
}


def failure_of(error: TalkException) -> ChannelError:
    """The failure of a refusal. Nothing was applied."""
    code = error.code if error.code is not None else -1
    if (logged_out := _LOGGED_OUT.get(code)) is not None:
        return LoggedOut(logged_out)
    if code in _TRANSIENT:
        return Transient(f"platform_error_{code}")
    if (wait := _WAIT.get(code)) is not None:
        return RateLimited(wait)
    return Rejected(_REJECTED.get(code, "refused_by_platform"), (error.reason or "")[:200], code=code)


class KeyDecision(Enum):
    """What a refused sealed message needs before it is sent once more. Once only."""

    SEAL_AGAIN = "seal_again"
    OWN_KEY = "own_key"
    PEER_KEY = "peer_key"
    GROUP_KEY = "group_key"
    PLAIN = "plain"


_KEYS = {
    82: KeyDecision.SEAL_AGAIN,
    83: KeyDecision.OWN_KEY,
    84: KeyDecision.PEER_KEY,
    87: KeyDecision.PLAIN,
    98: KeyDecision.PLAIN,
    88: KeyDecision.PLAIN,
    90: KeyDecision.PLAIN,
    99: KeyDecision.GROUP_KEY,
}


def key_decision(error: TalkException) -> KeyDecision | None:
    """What a refusal says about the keys; None where it is about something else.

    PLAIN is what the server said of this recipient. Of a user it is remembered for an hour, and ends with the
    first sealed message that comes from them.
    """
    return _KEYS.get(error.code) if error.code is not None else None


def no_group_key(error: TalkException) -> bool:
    """Whether a group has no key yet."""
    return error.code == 5
