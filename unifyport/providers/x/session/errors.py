"""Refusals of X's web application as failure classes. A code is read from `errors[].code`, also in an answer
with status 200 (https://docs.x.com/x-api/fundamentals/response-codes-and-errors).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response
from unifyport.process.clock import Clock
from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND, CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient

NOT_FOUND: Final = "not_found"
CSRF: Final = 353
NOT_AUTHENTICATED: Final = 32
RATE_SECONDS: Final = 60.0
_ENDS: Mapping[int, str] = {
    NOT_AUTHENTICATED: "session_expired",
    37: "account_suspended",
    63: "account_suspended",
    64: "account_suspended",
    89: "session_expired",
    141: "account_not_active",
    326: "account_locked",
}
_REFUSALS: Mapping[int, str] = {
    17: CONTACT_NOT_FOUND,
    34: NOT_FOUND,
    50: CONTACT_NOT_FOUND,
    108: CONTACT_NOT_FOUND,
    144: "message_not_found",
    150: "not_allowed_to_message",
    151: "send_refused",
    179: "not_allowed",
    187: "duplicate",
    226: "looks_automated",
    279: CONVERSATION_NOT_FOUND,
    344: "daily_limit",
    349: "not_allowed_to_message",
    354: "text_too_long",
}
_TOO_FAST = frozenset({88, 429})
_FAULTS = frozenset({29, 130, 131})


class _Error(msgspec.Struct):
    code: int | None = None
    message: str = ""
    extensions: dict[str, msgspec.Raw] = {}


class _Errors(msgspec.Struct):
    errors: list[_Error] = []
    data: msgspec.Raw = msgspec.Raw(b"null")


def codes_of(answer: Response) -> list[int]:
    """The codes of an answer; 0 for an error without one. Errors beside data that is there are notes."""
    try:
        read = msgspec.json.decode(answer.body, type=_Errors)
    except UNREADABLE:
        return []
    if answer.status < 400 and bytes(read.data) not in (b"null", b"{}"):
        return []
    return [_code(error) for error in read.errors]


def _code(error: _Error) -> int:
    if error.code is not None:
        return error.code
    try:
        return msgspec.json.decode(error.extensions.get("code", b"0"), type=int)
    except UNREADABLE:
        return 0


def failure_of(answer: Response, clock: Clock) -> ChannelError | None:
    """The failure class of an answer that refuses the request; None for one that grants it."""
    codes = codes_of(answer)
    if answer.status < 300 and not codes:
        return None
    for code in codes:
        if (reason := _ENDS.get(code)) is not None:
            return LoggedOut(reason)
    if answer.status == 429 or _TOO_FAST.intersection(codes):
        return RateLimited(_wait(answer, clock))
    for code in codes:
        if (reason := _REFUSALS.get(code)) is not None:
            return Rejected(reason, code=code)
    if answer.status >= 500 or _FAULTS.intersection(codes):
        return Transient(f"http_{answer.status}", maybe_applied=True)
    if CSRF in codes:
        return Transient("csrf_mismatch")
    if answer.status == 401:
        return LoggedOut("session_expired")
    if answer.status in (403, 404):  # a query id that X has replaced is 404
        return Transient("refused_by_front" if answer.status == 403 else "unknown_endpoint")
    return Rejected("refused_by_x", code=codes[0] if codes else answer.status)


def _wait(answer: Response, clock: Clock) -> float:
    """`x-rate-limit-reset` is in unix seconds."""
    text = answer.headers.get("x-rate-limit-reset", "")
    if text.isdecimal() and len(text) < 12 and not clock.in_doubt:
        return max(int(text) - clock.now_ms() / 1000, 1.0)
    return RATE_SECONDS
