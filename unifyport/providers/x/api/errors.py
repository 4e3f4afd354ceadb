"""Problems of the X API -> failure classes.

A problem is `{"type", "title", "detail", "status", "errors": [{"code", "message"}]}`
(https://docs.x.com/x-api/fundamentals/response-codes-and-errors). The last part of `type` names it; `code`
is of the older API, which answers for some calls. An answer that is no JSON comes from the front before the
API.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import (
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)

from .limits import wait_of


class Detail(Struct):
    code: int | str | None = None
    message: str = ""
    detail: str = ""
    title: str = ""
    type: str = ""


class Problem(Struct):
    title: str = ""
    detail: str = ""
    type: str = ""
    connection_issue: str = ""
    reason: str = ""
    errors: list[Detail] | None = None

    @property
    def name(self) -> str:
        """The last part of the type, such as `rate-limit-exceeded`; of the first error if it has none."""
        first = self.errors[0].type if self.errors else ""
        return (self.type if "/" in self.type else first).rpartition("/")[2]

    @property
    def said(self) -> str:
        """For the caller."""
        first = self.errors[0] if self.errors else Detail()
        return (first.message or first.detail or self.detail or self.title)[:500]

    @property
    def code(self) -> int | str | None:
        return self.errors[0].code if self.errors else None


# https://docs.x.com/x-api/fundamentals/response-codes-and-errors
_NAMES = {
    "resource-not-found": CONVERSATION_NOT_FOUND,
    "not-authorized-for-resource": "not_authorized",
    "disallowed-resource": "disallowed_resource",
    "client-forbidden": "app_not_enrolled",
    "unsupported-authentication": "permission_missing",
    "usage-capped": "quota_exhausted",
    "credits": "credits_depleted",
    "duplicate-rules": "duplicate",
}
# Codes of the older API (https://developer.x.com/en/support/x-api/error-troubleshooting).
_CODES = {
    34: CONVERSATION_NOT_FOUND,
    50: CONVERSATION_NOT_FOUND,
    108: CONVERSATION_NOT_FOUND,
    150: "blocked_by_recipient",
    151: "not_sent",
    226: "looks_automated",
    349: "blocked_by_recipient",
    354: "text_too_long",
    476: "sender_not_verified",
}
_LOCKED = {63: "account_suspended", 64: "account_suspended", 326: "account_locked"}
_PAYMENT_REQUIRED = 402
_CODE = re.compile(r"[0-9]{1,9}")


def problem_of(response: Response) -> Problem | None:
    """None: the answer is no JSON object."""
    try:
        return msgspec.json.decode(response.body, type=Problem)
    except UNREADABLE:
        try:
            fields: Any = msgspec.json.decode(response.body)
        except UNREADABLE:
            return None
        return Problem() if isinstance(fields, dict) else None


def failure(response: Response, *, login: bool = False, app: bool = False) -> ChannelError | None:
    """The failure class of an answer that refuses; None for 2xx.

    `login`: of the login's own check. `app`: the call was made with the app's bearer token.
    """
    status, headers = response.status, response.headers
    if 200 <= status < 300:
        return None
    problem = problem_of(response)
    if problem is None:
        if status == 429:
            return RateLimited(wait_of(headers))
        reason = "blocked_by_front" if status == 403 else f"http_{status}_not_json"
        return Transient(reason, maybe_applied=status >= 500)
    if problem.code in _LOCKED:
        return LoggedOut(_LOCKED[int(problem.code or 0)])
    if status == 401:
        return LoggedOut("bearer_token_refused" if app else "invalid_credentials")
    if status == 429:
        return _too_many(problem, headers)
    if status >= 500:
        return Transient(f"x_{status}", maybe_applied=True)
    refused = _refusal(status, problem)
    if not login:
        return refused
    if status == 403:
        return LoggedOut(refused.reason if refused.reason != "forbidden" else "permission_missing")
    return Transient(refused.reason)


def _too_many(problem: Problem, headers: Mapping[str, str]) -> ChannelError:
    if problem.name == "usage-capped":  # of the month: waiting for a window does not help
        return Rejected("quota_exhausted", problem.said, code="usage-capped")
    if problem.connection_issue == "TooManyConnections" or problem.name == "streaming-connection":
        return Conflict("stream_in_use")
    return RateLimited(wait_of(headers))


def _refusal(status: int, problem: Problem) -> Rejected:
    code, name = problem.code, problem.name
    number = int(code or 0) if _CODE.fullmatch(str(code)) else None
    if status == _PAYMENT_REQUIRED:
        reason = "credits_depleted"
    elif number in _CODES:
        reason = _CODES[number or 0]
    elif name in _NAMES:
        reason = _NAMES[name]
    elif status == 404:
        reason = CONVERSATION_NOT_FOUND
    elif status == 403:
        reason = "forbidden"
    else:
        reason = "invalid_request" if status == 400 else f"x_{status}"
    return Rejected(reason, problem.said, code=number if number is not None else name or status)


def refused_inside(problem: Problem) -> Rejected:
    """The refusal in an answer with 2xx that has errors and no data."""
    return _refusal(400, problem)
