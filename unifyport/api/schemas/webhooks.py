"""Webhook endpoints, their deliveries, and the event log."""

from typing import Annotated, Literal

import attrs
from msgspec import Meta

from .common import FreeFormObject
from .fields import EndpointStatus, HookUrl, Secret, Subscription, Time


@attrs.define
class WebhookEndpointRequest:
    """`url` and `status` are required to create; an update may leave them out.

    `delivery` says how events travel, see docs/webhooks.md; what it leaves out is as the operator's defaults
    say. In an update `delivery.resume` = "now" ends what is owed until then. A new `signing_secret` leaves
    the old one signing beside it for `delivery.secret_overlap`, with the `standard` scheme; so does
    `previous_signing_secret`.
    """

    url: HookUrl | None = None
    status: EndpointStatus | None = None
    subscribed_events: Annotated[list[Subscription], Meta(max_length=100)] | None = None
    signing_secret: Secret | None = None
    previous_signing_secret: Secret | None = None
    retry_policy: FreeFormObject | None = None
    delivery: FreeFormObject | None = None


@attrs.define
class WebhookEndpoint:
    """`retry_policy` and `delivery` are those in force.

    `reason`: why it is disabled. `dropped`: what `resume` ended.
    """

    id: str
    url: str
    status: str
    signing_enabled: bool
    subscribed_events: list[str]
    retry_policy: FreeFormObject
    delivery: FreeFormObject
    expired: int  # events that were owed for longer than the log is kept
    origin: Literal["api", "file"]
    name: str | None = None
    reason: str | None = None
    failing_since: str | None = None
    previous_secret_until: str | None = None
    runtime: "EndpointRuntime | None" = None
    dropped: int | None = None


@attrs.define
class EndpointRuntime:
    """What is owed (counted up to 10,000, as are dead letters), and what holds it up.

    `last_error`: why the last attempt failed, or `name_not_resolved`; absent once one succeeds.
    """

    owed: int
    dead: int
    in_flight: int
    breaker: Literal["closed", "open"]
    congested: bool
    last_error: str | None = None


@attrs.define
class DeliveryAttempt:
    """`outcome`: `delivered`, `retry`, `dead`, `expired`, or `not_counted` (a probe, an extra attempt).

    `response` is the beginning of the answer's body; absent when it came from a private address.
    """

    id: str
    attempt: int
    outcome: Literal["delivered", "retry", "dead", "expired", "not_counted"]
    at: str
    duration_ms: int
    response_size: int
    response_status: int | None = None
    response: str | None = None
    error: str | None = None


@attrs.define
class Delivery:
    """One event for one endpoint. A replay is a delivery of its own, of the same event."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    status: Literal["pending", "retrying", "delivered", "dead", "expired"]
    attempts: int  # recorded outcomes
    replay: bool
    history: list[DeliveryAttempt]  # the newest first; in a list only the last one
    next_attempt_at: str | None = None
    ended_at: str | None = None
    reason: str | None = None


@attrs.define
class DeliveryPage:
    items: list[Delivery]
    has_more: bool
    next_cursor: str


@attrs.define
class ReplayRequest:
    """What is to be delivered once more: dead letters, or events of the log that the endpoint subscribes to.

    `source`: `dead` (the default) or `log`. Of it, what `delivery_ids` (dead letters only) or `event_ids`
    name, or what died or was logged in [`since`, `until`). `cursor`: go on with a replay that was not
    finished.
    """

    source: Literal["dead", "log"] = "dead"
    delivery_ids: Annotated[list[str], Meta(min_length=1, max_length=1000)] | None = None
    event_ids: Annotated[list[str], Meta(min_length=1, max_length=1000)] | None = None
    since: Time | None = None
    until: Time | None = None
    cursor: str | None = None


@attrs.define
class ReplayResult:
    """`already_owed` were left alone. While `has_more`, call again with `next_cursor`."""

    replayed: int
    already_owed: int
    has_more: bool
    next_cursor: str


@attrs.define
class RetryRequest:
    """`force`: also when the endpoint is not active."""

    force: bool = False


@attrs.define
class EndpointTestCase:
    """One delivery of the self-test. `passed`: whether the receiver did what it should."""

    name: Literal["good", "stale", "forged", "repeated"]
    sent: str
    expected: Literal["accepted", "refused"]
    observed: Literal["accepted", "refused", "failed", "not_sent"]
    passed: bool
    meaning: str
    duration_ms: int
    response_status: int | None = None
    error: str | None = None


@attrs.define
class EndpointTest:
    """What a receiver does with four deliveries. `verdict`: `good`, `insecure` (it accepts what it must not),
    `failing` (it does not accept what it must) or `unsigned` (the endpoint has no secret: there is nothing to
    verify).
    """

    endpoint_id: str
    verdict: Literal["good", "unsigned", "insecure", "failing"]
    cases: list[EndpointTestCase]


@attrs.define
class EventPage:
    """A page of the event log: each item is the body as it was or will be delivered."""

    items: list[FreeFormObject]
    has_more: bool
    next_cursor: str
