"""The self-test of a receiver: four deliveries that show whether it checks signatures and accepts repeats.

    good       signed now                       must be accepted, else no delivery arrives
    stale      signed correctly, an hour ago    must be refused, else a recorded delivery can be replayed
    forged     signed with another secret       must be refused, else anyone can send events to it
    repeated   the good one again               must be accepted: repeats are part of "at least once"

Pure: it makes requests and judges answers; the caller sends them.
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
    right: str  # the meaning if the receiver does what is expected
    wrong: str  # the meaning if it does not


CASES = (
    Case(
        "good",
        "a test event, signed now",
        "accepted",
        "deliveries arrive and are accepted",
        "a correctly signed delivery is not accepted:"
        " check the receiver's secret, its raw body and its clock",
    ),
    Case(
        "stale",
        "the same, signed an hour ago",
        "refused",
        "old signatures are refused",
        "the receiver does not check the time of a signature: a recorded delivery can be replayed",
    ),
    Case(
        "forged",
        "the same, signed with another secret",
        "refused",
        "forged signatures are refused",
        "the receiver does not verify signatures: anyone with its URL can send events to it",
    ),
    Case(
        "repeated",
        "the first one again, with the same event id",
        "accepted",
        "repeats are accepted",
        "a repeat is not accepted: it would be retried and become a dead letter; answer 2xx and ignore it",
    ),
)
_UNSIGNED = (
    "not sent: without a signing_secret the receiver cannot verify deliveries,"
    " and anyone with its URL can send events to it"
)


@attrs.frozen
class Request:
    """A case as a request; `fields` (header lines) is None if the case is not sent."""

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
            return f"no conclusive answer ({self.attempt.reason})"
        return self.case.right if self.passed else self.case.wrong


def requests(endpoint: WebhookEndpoint, policy: DeliveryPolicy, event_id: str, now_ms: int) -> list[Request]:
    """The four requests, in the order in which to send them. `event_id` must be used for nothing else."""
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
    """An event of a type that no subscription can name, so that a receiver does not act on it."""
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
    """Judge an answer. `refused`: a 4xx except 408 and 429; other errors are `failed`."""
    if attempt is None:
        return Finding(case, "not_sent", None)
    status = attempt.status
    if status is None or status >= 500 or status in (408, 429) or status < 200 or 300 <= status < 400:
        return Finding(case, "failed", attempt)
    return Finding(case, "accepted" if status < 300 else "refused", attempt)


def verdict(findings: list[Finding]) -> Literal["good", "unsigned", "insecure", "failing"]:
    """The result of all cases.

    `failing` comes first: if good deliveries are not accepted, a refusal proves nothing. `unsigned`:
    deliveries arrive, but without a secret nothing else can be tested.
    """
    wrong = {finding.case.expected for finding in findings if not finding.passed}
    if "accepted" in wrong:
        return "failing"
    if any(finding.observed == "not_sent" for finding in findings):
        return "unsigned"
    return "insecure" if wrong else "good"
