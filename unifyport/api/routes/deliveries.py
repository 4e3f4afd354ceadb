"""Deliveries of an endpoint: their state, extra attempts, replays, and the self-test of a receiver."""

from typing import Any, cast

from unifyport.delivery import selftest
from unifyport.gateway import errors as codes
from unifyport.gateway.deliveries import ReplayOrder, ReplayPosition, id_of
from unifyport.gateway.errors import invalid
from unifyport.model.times import rfc3339
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import AttemptRecord, DeliveryRecord, DeliveryStatus

from .. import schemas
from ..http.errors import INVALID_REQUEST, NOT_FOUND, error
from ..http.paging import CURSOR, LIMIT, limit_of
from ..http.routing import Call, Query, Route

STATUSES = ("pending", "retrying", "delivered", "dead", "expired")
NOT_ACTIVE = error(codes.ENDPOINT_NOT_ACTIVE)
NOT_RETRYABLE = error(codes.NOT_RETRYABLE)


# -- reading -------------------------------------------------------------------------------------------------


async def list_deliveries(call: Call) -> schemas.DeliveryPage:
    endpoint, query = await call.gateway.endpoints.find_endpoint(call.path["endpoint_id"]), call.query
    status = query.get("status") or None
    if status is not None and status not in STATUSES:
        raise invalid("status", f"must be one of {', '.join(STATUSES)}")
    event_id = query.get("event_id") or None
    purpose = f"deliveries {endpoint.id} {status} {event_id}"
    before = None
    if query.get("cursor"):
        seq, round_ = call.cursors.read(purpose, query["cursor"], count=2)
        before = (seq, round_)
    limit = limit_of(query)
    found = await call.gateway.deliveries.list_deliveries(
        endpoint, before, limit + 1, status=cast("DeliveryStatus | None", status), event_id=event_id
    )
    page, more = found[:limit], len(found) > limit
    return schemas.DeliveryPage(
        [present_delivery(endpoint, record) for record in page],
        more,
        call.cursors.write(purpose, page[-1].seq, page[-1].round) if more else "",
    )


async def get_delivery(call: Call) -> schemas.Delivery:
    return present_delivery(*await call.gateway.deliveries.read_delivery(call.path["delivery_id"]))


def present_delivery(endpoint: WebhookEndpoint, record: DeliveryRecord) -> schemas.Delivery:
    id_ = id_of(record)
    return schemas.Delivery(
        id=id_,
        endpoint_id=endpoint.id,
        event_id=record.event_id,
        event_type=record.type,
        status=record.status,
        attempts=record.attempts,
        replay=record.round > 0,
        history=[_present_attempt(id_, attempt) for attempt in record.history],
        next_attempt_at=None if record.due is None else rfc3339(record.due),
        ended_at=None if record.ended_at is None else rfc3339(record.ended_at),
        reason=record.reason,
    )


def _present_attempt(delivery_id: str, attempt: AttemptRecord) -> schemas.DeliveryAttempt:
    return schemas.DeliveryAttempt(
        id=f"{delivery_id}.{attempt.attempt}",
        attempt=attempt.attempt,
        outcome=attempt.outcome,  # type: ignore[arg-type]
        at=rfc3339(attempt.at),
        duration_ms=attempt.ms,
        response_size=attempt.response_size,
        response_status=attempt.status,
        response=None if attempt.response is None else attempt.response.decode("utf-8", "replace"),
        error=attempt.error,
    )


# -- ordering ------------------------------------------------------------------------------------------------


async def retry_delivery(call: Call) -> schemas.Delivery:
    deliveries, force = call.gateway.deliveries, call.body.force
    return present_delivery(*await deliveries.retry(call.path["delivery_id"], force=force))


async def replay(call: Call) -> schemas.ReplayResult:
    gateway, body = call.gateway, call.body
    endpoint = await gateway.endpoints.find_endpoint(call.path["endpoint_id"])
    order = ReplayOrder(
        source=body.source,
        delivery_ids=body.delivery_ids,
        event_ids=body.event_ids,
        since=body.since,
        until=body.until,
    )
    which = gateway.deliveries.check_replay(endpoint, order)
    purpose = f"replay {endpoint.id} {body.source} {body.since} {body.until}"
    position = None
    if body.cursor:
        position = ReplayPosition(*call.cursors.read(purpose, body.cursor, count=3))
    done = await gateway.deliveries.replay(endpoint, which, position)
    rest, cursor = done.rest, ""
    if rest is not None:
        cursor = call.cursors.write(purpose, rest.round, rest.after, rest.upto)
    return schemas.ReplayResult(done.owed, done.already_owed, rest is not None, cursor)


async def test_endpoint(call: Call) -> schemas.EndpointTest:
    endpoint_id = call.path["endpoint_id"]
    findings = await call.gateway.deliveries.test_endpoint(endpoint_id)
    cases = [_present_finding(finding) for finding in findings]
    return schemas.EndpointTest(endpoint_id, selftest.verdict(findings), cases)


def _present_finding(finding: selftest.Finding) -> schemas.EndpointTestCase:
    attempt = finding.attempt
    return schemas.EndpointTestCase(
        name=finding.case.name,
        sent=finding.case.sent,
        expected=finding.case.expected,
        observed=finding.observed,
        passed=finding.passed,
        meaning=finding.meaning,
        duration_ms=0 if attempt is None else attempt.ms,
        response_status=None if attempt is None else attempt.status,
        error=None if attempt is None else attempt.error,
    )


# -- routes --------------------------------------------------------------------------------------------------


def _route(
    operation_id: str, method: Any, path: str, handler: Any, summary: str, data: Any, **more: Any
) -> Route:
    return Route(
        operation_id,
        method,
        path,
        handler,
        "Deliveries",
        summary,
        "delivery_action_failed",
        data,
        errors=(INVALID_REQUEST, NOT_FOUND, *more.pop("errors", ())),
        extension=True,
        **more,
    )


_OF_ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}"
_ONE = "/v1/deliveries/{delivery_id}"

ROUTES = [
    _route(
        "listDeliveries",
        "GET",
        f"{_OF_ENDPOINT}/deliveries",
        list_deliveries,
        "Deliveries of an endpoint, the newest first",
        schemas.DeliveryPage,
        query=(Query("status", more={"enum": [*STATUSES, ""]}), Query("event_id"), CURSOR, LIMIT),
    ),
    _route("getDelivery", "GET", _ONE, get_delivery, "One delivery with its attempts", schemas.Delivery),
    _route(
        "retryDelivery",
        "POST",
        f"{_ONE}/retry",
        retry_delivery,
        "One extra attempt now, outside the count; a dead letter is replayed",
        schemas.Delivery,
        body=schemas.RetryRequest,
        body_required=False,
        errors=(NOT_ACTIVE, NOT_RETRYABLE),
    ),
    _route(
        "replayDeliveries",
        "POST",
        f"{_OF_ENDPOINT}/replay",
        replay,
        "Deliver once more: dead letters, or a part of the event log",
        schemas.ReplayResult,
        body=schemas.ReplayRequest,
        body_required=False,
    ),
    _route(
        "testWebhookEndpoint",
        "POST",
        f"{_OF_ENDPOINT}/test",
        test_endpoint,
        "Send a good, a stale, a forged and a repeated delivery, and say what the receiver made of them",
        schemas.EndpointTest,
        body=dict,
        body_required=False,
    ),
]
