"""What an attempt's outcome means: whose failure it is, and what becomes of the event.

2xx                                                  delivered
no connection, TLS, time-out, 408, 429, 5xx          the endpoint's failure: retried, opens the breaker
410                                                  gone: the endpoint is disabled, the event stays owed
any other answer                                     the event's failure: dead at once (no redirects)
a bug of ours, or a URL that the guard refuses       retried, counted
"""

import enum

import attrs

URL_NOT_ALLOWED = "webhook_url_not_allowed"
INTERNAL_ERROR = "internal_error"


@attrs.frozen
class Attempt:
    """What was observed: a status, or the machine-readable reason why there is none."""

    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    ms: int = 0


class Verdict(enum.Enum):
    DELIVERED = "delivered"
    ENDPOINT_FAILED = "endpoint_failed"
    EVENT_FAILED = "event_failed"
    DEAD = "dead"
    GONE = "gone"


def judge(attempt: Attempt) -> Verdict:
    status = attempt.status
    if status is None:
        return Verdict.EVENT_FAILED if attempt.error == INTERNAL_ERROR else Verdict.ENDPOINT_FAILED
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status in (408, 429) or status >= 500:
        return Verdict.ENDPOINT_FAILED
    return Verdict.GONE if status == 410 else Verdict.DEAD
