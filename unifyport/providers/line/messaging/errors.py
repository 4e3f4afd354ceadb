"""Error answers of the Messaging API -> failure classes.

An error is `{"message", "details": [{"message", "property"}]}`: there are no codes, so the HTTP status
decides (https://developers.line.biz/en/reference/messaging-api/#status-codes), and where one status has
several meanings the whole message, of those that LINE lists (#error-messages). 429 has two meanings; the
connector asks which one it is (`quota.py`).
"""

import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient

RATE_SECONDS = 5.0  # LINE does not say how long to wait; its limits are per second
QUOTA_EXHAUSTED = "quota_exhausted"
INVALID_REPLY_TOKEN = "invalid_reply_token"  # noqa: S105 (a reason)
MONTHLY_LIMIT = "You have reached your monthly limit."
# Message of a 400 -> reason.
_REASONS = {
    "Invalid reply token": INVALID_REPLY_TOKEN,
    "Failed to send messages": CONVERSATION_NOT_FOUND,
    "The property, 'to', in the request body is invalid (line: -, column: -)": CONVERSATION_NOT_FOUND,
}
_STATUSES = {
    400: "invalid_request",
    403: "permission_missing",
    404: "not_found",
    409: "conflict",
    410: "gone",
    413: "message_too_long",
    415: "unsupported_media_type",
}


class _Detail(msgspec.Struct):
    message: str = ""
    property: str = ""


class ErrorAnswer(msgspec.Struct):
    message: str
    details: list[_Detail] = []

    @property
    def text(self) -> str:
        """For the caller: what is wrong, and where."""
        parts = [f"{each.property}: {each.message}".strip(": ") for each in self.details]
        return "; ".join([self.message, *(part for part in parts if part)])


def read_error(response: Response) -> ErrorAnswer:
    """An answer that is not JSON has no message."""
    try:
        return msgspec.json.decode(response.body, type=ErrorAnswer)
    except UNREADABLE:
        return ErrorAnswer("")


def refusal(response: Response) -> ChannelError | None:
    """The failure class of an answer; None if it grants the request. After a 5xx the request may have been
    applied.
    """
    status = response.status
    if 200 <= status < 300:
        return None
    if status >= 500 or status < 400:
        return Transient(f"http_{status}", maybe_applied=status >= 500)
    if status == 401:
        return LoggedOut("invalid_credentials")
    if status == 429:
        return RateLimited(RATE_SECONDS)
    error = read_error(response)
    if not error.message:  # of something between LINE and us
        return Transient(f"http_{status}_not_json")
    reason = _REASONS.get(error.message) if status == 400 else None
    return Rejected(reason or _STATUSES.get(status, f"http_{status}"), error.text, code=status)


def login_refusal(response: Response) -> ChannelError | None:
    """As `refusal`, of a call that every token of a channel may make."""
    if response.status == 403 and read_error(response).message:
        return LoggedOut("permission_missing")
    return refusal(response)
