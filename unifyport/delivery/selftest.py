"""The self-test of a receiver: four deliveries that tell whether it checks what it must, and what its answers
mean.

    good       signed now                            accepted, or it receives nothing at all
    stale      rightly signed, but an hour ago       refused, or whoever recorded a delivery can replay it
    forged     signed with another secret            refused, or anybody can write to it
    repeated   the good one, once more               accepted, as repeats are part of "at least once"

Pure: it makes requests and reads answers; somebody else sends them.
"""

import secrets
from typing import Literal

import attrs
import msgspec

from unifyport.model.event import in_form
from unifyport.model.times import rfc3339
from unifyport.model.webhook import DeliveryPolicy, WebhookEndpoint

from .signing import Signer
from .verdict import Attempt

TYPE = "gateway.endpoint.test"
STALE_MS = 3_600_000

Name = Literal["good", "stale", "forged", "repeated"]
Expected = Literal["accepted", "refused"]
Observed = Literal["accepted", "refused", "failed", "not_sent"]


@attrs.frozen
class Case:
    name: Name
    sent: str
    expected: Expected
    right: str  # what it means when it is observed
    wrong: str


CASES = (
    Case(
        "good",
        "a test event, signed now",
        "accepted",
        "deliveries arrive and are accepted",
        "a rightly signed delivery is not accepted:"
        " look at the secret, the raw body and the clock of the receiver",
    ),
    Case(
        "stale",
        "the same, signed an hour ago",
        "refused",
        "old signatures are refused",
        "the receiver does not look at the time of a signature: whoever records a delivery can replay it",
    ),
    Case(
        "forged",
        "the same, signed with another secret",
        "refused",
        "forged signatures are refused",
        "the receiver does not verify signatures: anybody who knows its URL can write to it",
    ),
    Case(
        "repeated",
        "the first one once more, under the same event id",
        "accepted",
        "repeats are accepted",
        "a repeat is not accepted: it would be retried, and in the end be a dead letter;"
        " answer 2xx and drop it",
    ),
)
_UNSIGNED = (
    "not sent: without a signing_secret nothing can be verified,"
    " and anybody who knows the URL can write to it"
)


@attrs.frozen
class Request:
    """`fields` None: there is nothing to send."""

    case: Case
    fields: bytes | None
    body: bytes


@attrs.frozen
class Finding:
    case: Case
    observed: Observed
    attempt: Attempt | None

    @property
    def passed(self) -> bool:
        return self.observed == self.case.expected

    @property
    def meaning(self) -> str:
        if self.observed == "not_sent":
            return _UNSIGNED
        if self.observed == "failed":
            assert self.attempt is not None
            return f"no answer that says anything ({self.attempt.reason})"
        return self.case.right if self.passed else self.case.wrong


def requests(endpoint: WebhookEndpoint, policy: DeliveryPolicy, event_id: str, now_ms: int) -> list[Request]:
    """The four, in the order in which they are to be sent. `event_id` is theirs alone."""
    body = in_form(_body(event_id, now_ms), policy.body)
    held = endpoint.secrets(now_ms)
    honest = Signer(held, policy.signatures)
    forger = Signer([secrets.token_hex(32)], policy.signatures)
    made = []
    for number, case in enumerate(CASES, 1):
        delivery_id = f"dlv_{endpoint.no}_test.{number}"
        fields: bytes | None
        match case.name:
            case "stale":
                fields = honest(event_id, delivery_id, now_ms - STALE_MS, body) if held[0] else None
            case "forged":
                fields = forger(event_id, delivery_id, now_ms, body) if held[0] else None
            case _:
                fields = honest(event_id, delivery_id, now_ms, body)
        made.append(Request(case, fields, body))
    return made


def _body(event_id: str, now_ms: int) -> bytes:
    """Of a type that no subscription names: a receiver that acts on types does nothing."""
    return msgspec.json.encode(
        {
            "id": event_id,
            "type": TYPE,
            "event": TYPE,
            "provider": "gateway",
            "account_id": "",
            "occurred_at": rfc3339(now_ms),
            "timestamp": now_ms // 1000,
            "data": {"test": True},
        }
    )


def read(case: Case, attempt: Attempt | None) -> Finding:
    """What an answer says. Refused is what a receiver refuses on purpose: 4xx, but for 408 and 429."""
    if attempt is None:
        return Finding(case, "not_sent", None)
    status = attempt.status
    if status is None or status >= 500 or status in (408, 429) or status < 200 or 300 <= status < 400:
        return Finding(case, "failed", attempt)
    return Finding(case, "accepted" if status < 300 else "refused", attempt)


def verdict(findings: list[Finding]) -> Literal["good", "unsigned", "insecure", "failing"]:
    """`failing` outweighs: as long as good deliveries are not accepted, what is refused says nothing.

    `unsigned`: deliveries arrive, and nothing else can be told.
    """
    wrong = {finding.case.expected for finding in findings if not finding.passed}
    if "accepted" in wrong:
        return "failing"
    if any(finding.observed == "not_sent" for finding in findings):
        return "unsigned"
    return "insecure" if wrong else "good"
