"""The meaning of an attempt's result: did the endpoint or the event fail, and what becomes of the event.

2xx                                             delivered
no connection, TLS, time-out, 408, 429, 5xx     failure of the endpoint: retried, opens the breaker
400, 401, 403 while our clock is in doubt       failure of the endpoint, not counted
410                                             gone: the endpoint is disabled, the event stays owed
any other answer                                failure of the event: dead at once (redirects too)
a bug of ours                                   retried, counted
no descriptors or memory to dial                tried again, not counted
past the event's own expiry                     expired: not attempted
"""

import enum

import attrs

URL_NOT_ALLOWED = "webhook_url_not_allowed"
NAME_NOT_RESOLVED = "name_not_resolved"
INTERNAL_ERROR = "internal_error"
LOCAL_TROUBLE = "local_resources"
EXPIRED = "expired"
_SIGNATURE_REFUSED = (400, 401, 403)


@attrs.define
class Attempt:
    """The result of an attempt: a status, or the machine-readable reason why there is none.

    `response` is the beginning of the answer's body, None if it must not be shown; `response_size` is the
    number of its bytes that were read.
    """

    status: int | None = None
    error: str | None = None
    retry_after: float | None = None  # seconds
    ms: int = 0
    response: bytes | None = None
    response_size: int = 0

    @property
    def reason(self) -> str:
        return self.error if self.error is not None else f"http_{self.status}"


class Verdict(enum.Enum):
    DELIVERED = "delivered"
    ENDPOINT_FAILED = "endpoint_failed"
    EVENT_FAILED = "event_failed"
    DEAD = "dead"
    GONE = "gone"
    EXPIRED = "expired"
    NOT_TRIED = "not_tried"
    CLOCK_REFUSED = "clock_refused"

    __hash__ = object.__hash__  # cheaper than hashing the name, which an enum does; used in each attempt


def judge(attempt: Attempt, *, clock_in_doubt: bool = False) -> Verdict:
    """`clock_in_doubt`: a receiver that checks the time of the signature may refuse every event."""
    status = attempt.status
    if status is None:
        match attempt.error:
            case "internal_error":
                return Verdict.EVENT_FAILED
            case "local_resources":
                return Verdict.NOT_TRIED
            case "expired":
                return Verdict.EXPIRED
        return Verdict.ENDPOINT_FAILED
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status in (408, 429) or status >= 500:
        return Verdict.ENDPOINT_FAILED
    if clock_in_doubt and status in _SIGNATURE_REFUSED:
        return Verdict.CLOCK_REFUSED
    return Verdict.GONE if status == 410 else Verdict.DEAD
