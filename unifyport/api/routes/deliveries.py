"""Deliveries of an endpoint: what became of each, dead letters, extra attempts and replays, and the
receiver's self-test.

What is ordered here is written to the store, and the endpoint's actor hears a bell: nothing is sent from this
room but the four deliveries of the self-test.
"""

import re
from typing import Any

import trio

from unifyport.delivery import selftest
from unifyport.gateway.gateway import Gateway, WriteRefused
from unifyport.model.ids import new_id
from unifyport.model.times import parse_rfc3339, rfc3339
from unifyport.model.webhook import ENDPOINT_ACTIVE, WebhookEndpoint
from unifyport.storage.contract import (
    AttemptRecord,
    DeadLetters,
    DeliveryRecord,
    LoggedEvents,
    Replay,
    Replayed,
    RetryNow,
)

from .. import schemas
from ..http import cursors
from ..http.errors import INVALID_REQUEST, NOT_FOUND, ApiError, ErrorSpec, not_found
from ..http.paging import CURSOR, LIMIT, limit_of
from ..http.routing import Call, Query, Route
from .webhook_endpoints import find_endpoint

STATUSES = ("pending", "retrying", "delivered", "dead", "expired")
MOST_NAMED = 1000  # ids in one replay
REPLAY_SECONDS = 5.0  # of pages, in one request
TEST_TIMEOUT = 5.0  # seconds for each of the four
_ID = re.compile(r"dlv_(\d{1,15})_(\d{1,18})_(\d{1,15})(?:\.\d+)?")

NOT_ACTIVE = ErrorSpec(409, "webhook_endpoint_not_active")
NOT_RETRYABLE = ErrorSpec(409, "delivery_not_retryable")


# -- looking -------------------------------------------------------------------------------------------------


async def list_deliveries(call: Call) -> schemas.DeliveryPage:
    endpoint, query = await find_endpoint(call), call.query
    status = query.get("status") or None
    if status is not None and status not in STATUSES:
        raise ApiError(400, "invalid_request", f"status: must be one of {', '.join(STATUSES)}")
    event_id = query.get("event_id") or None
    purpose = f"deliveries {endpoint.id} {status} {event_id}"
    ring, before = call.gateway.ring, None
    if query.get("cursor"):
        seq, round_ = cursors.read(ring, purpose, query["cursor"], count=2)
        before = (seq, round_)
    limit = limit_of(query)
    found = await call.gateway.store.deliveries(
        endpoint.no,
        before,
        limit + 1,
        status=status,  # type: ignore[arg-type]
        event_id=event_id,
    )
    page, more = found[:limit], len(found) > limit
    return schemas.DeliveryPage(
        [_shown(endpoint, record) for record in page],
        more,
        cursors.write(ring, purpose, page[-1].seq, page[-1].round) if more else "",
    )


async def get_delivery(call: Call) -> schemas.Delivery:
    return _shown(*await _find(call))


async def _find(call: Call) -> tuple[WebhookEndpoint, DeliveryRecord]:
    place = _ID.fullmatch(call.path["delivery_id"])
    if place is not None:
        no, seq, round_ = map(int, place.groups())
        endpoints = {endpoint.no: endpoint for endpoint in await call.gateway.store.endpoints()}
        record = await call.gateway.store.delivery(no, seq, round_)
        if no in endpoints and record is not None:
            return endpoints[no], record
    raise not_found("delivery")


def _shown(endpoint: WebhookEndpoint, record: DeliveryRecord) -> schemas.Delivery:
    id_ = f"dlv_{record.endpoint_no}_{record.seq}_{record.round}"
    return schemas.Delivery(
        id=id_,
        endpoint_id=endpoint.id,
        event_id=record.event_id,
        event_type=record.type,
        status=record.status,
        attempts=record.attempts,
        replay=record.round > 0,
        history=[_attempt(id_, attempt) for attempt in record.history],
        next_attempt_at=None if record.due is None else rfc3339(record.due),
        ended_at=None if record.ended_at is None else rfc3339(record.ended_at),
        reason=record.reason,
    )


def _attempt(delivery_id: str, attempt: AttemptRecord) -> schemas.DeliveryAttempt:
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
    """One extra attempt now, outside the count; of a dead letter, a replay."""
    gateway = call.gateway
    endpoint, record = await _find(call)
    if endpoint.status != ENDPOINT_ACTIVE and not call.body.force:
        raise ApiError(409, NOT_ACTIVE.code, f"the endpoint is {endpoint.status}; use force, or activate it")
    if record.status == "dead":
        if endpoint.status != ENDPOINT_ACTIVE:
            raise ApiError(
                409, NOT_ACTIVE.code, "a dead letter is replayed, and a replay keeps to a pause: activate it"
            )
        dead = DeadLetters(places=[(record.seq, record.round)])
        replayed = await _replayed(gateway, Replay(endpoint.id, dead, gateway.now_ms()))
        if not replayed.owed:
            raise ApiError(409, NOT_RETRYABLE.code, "it was replayed already, under an id of its own")
        gateway.endpoints_changed()
        again = await gateway.store.deliveries(endpoint.no, None, 1, event_id=record.event_id)
        return _shown(endpoint, again[0] if again else record)
    try:
        await gateway.write(RetryNow(endpoint.no, record.seq, record.round))
    except WriteRefused:
        raise ApiError(
            409, NOT_RETRYABLE.code, f"it does not wait for a retry, it is {record.status}"
        ) from None
    gateway.endpoints_changed()
    return _shown(endpoint, record)


async def replay(call: Call) -> schemas.ReplayResult:
    gateway, body = call.gateway, call.body
    endpoint = await find_endpoint(call)
    which = _which(endpoint, body)
    purpose = f"replay {endpoint.id} {body.source} {body.since} {body.until}"
    order = Replay(endpoint.id, which, gateway.now_ms())
    if body.cursor:
        order.round, order.after, order.upto = cursors.read(gateway.ring, purpose, body.cursor, count=3)
    elif isinstance(which, LoggedEvents):
        order.after = await gateway.store.position_at(which.start) if which.start else 0
        order.upto = await gateway.store.newest_position()
    owed = already = 0
    more, ends_at = True, trio.current_time() + REPLAY_SECONDS
    while more and trio.current_time() < ends_at:
        page = await _replayed(gateway, order)
        owed, already = owed + page.owed, already + page.already_owed
        order.round, order.after, more = page.round, page.last, page.more
    gateway.endpoints_changed()
    cursor = cursors.write(gateway.ring, purpose, order.round, order.after, order.upto) if more else ""
    return schemas.ReplayResult(owed, already, more, cursor)


async def _replayed(gateway: Gateway, order: Replay) -> Replayed:
    try:
        page: Replayed = await gateway.write(order)
    except WriteRefused:  # it was deleted meanwhile
        raise not_found("webhook endpoint") from None
    return page


def _which(endpoint: WebhookEndpoint, body: schemas.ReplayRequest) -> DeadLetters | LoggedEvents:
    """What a replay names. Raises `ApiError` with everything that is wrong."""
    problems: list[str] = []
    times = {}
    for name in ("since", "until"):
        text = getattr(body, name)
        try:
            times[name] = None if text is None else parse_rfc3339(text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    named = [name for name in ("delivery_ids", "event_ids") if getattr(body, name) is not None]
    problems += [
        f"{name}: 1 to {MOST_NAMED} ids" for name in named if not 1 <= len(getattr(body, name)) <= MOST_NAMED
    ]
    if len(named) + any(value is not None for value in (body.since, body.until)) > 1:
        problems.append("delivery_ids, event_ids and a time range exclude each other")
    if body.source == "log" and body.delivery_ids is not None:
        problems.append("delivery_ids: name dead letters; use event_ids with source log")
    if body.source == "log" and not named and times.get("since") is None:
        problems.append("since: is required with source log, unless event_ids says which")
    places = _places(endpoint, body.delivery_ids or [], problems)
    if problems:
        raise ApiError(400, "invalid_request", "; ".join(problems), problems=problems)
    span: dict[str, Any] = {"start": times.get("since") or 0, "end": times.get("until")}
    if body.source == "log":
        return LoggedEvents(event_ids=body.event_ids, **span)
    return DeadLetters(places if body.delivery_ids is not None else None, body.event_ids, **span)


def _places(endpoint: WebhookEndpoint, ids: list[str], problems: list[str]) -> list[tuple[int, int]]:
    places = []
    for id_ in ids[:MOST_NAMED]:
        match = _ID.fullmatch(id_)
        if match is None or int(match[1]) != endpoint.no:
            problems.append(f"delivery_ids: {id_[:64]!r} is no delivery of this endpoint")
        else:
            places.append((int(match[2]), int(match[3])))
    return places


# -- the self-test -------------------------------------------------------------------------------------------


async def test_endpoint(call: Call) -> schemas.EndpointTest:
    gateway, endpoint = call.gateway, await find_endpoint(call)
    findings = await _findings(gateway, endpoint)
    return schemas.EndpointTest(
        endpoint.id,
        selftest.verdict(findings),
        [
            schemas.EndpointTestCase(
                name=finding.case.name,
                sent=finding.case.sent,
                expected=finding.case.expected,
                observed=finding.observed,
                passed=finding.passed,
                meaning=finding.meaning,
                duration_ms=0 if finding.attempt is None else finding.attempt.ms,
                response_status=None if finding.attempt is None else finding.attempt.status,
                error=None if finding.attempt is None else finding.attempt.error,
            )
            for finding in findings
        ],
    )


async def _findings(gateway: Gateway, endpoint: WebhookEndpoint) -> list[selftest.Finding]:
    _, policy = endpoint.policies(gateway.settings.webhooks.defaults)
    timeout = min(policy.timeout, TEST_TIMEOUT)
    client, findings = gateway.new_delivery_client(), []
    try:
        for request in selftest.requests(endpoint, policy, new_id("evt"), gateway.now_ms()):
            attempt = None
            if request.fields is not None:
                attempt = await client.post(endpoint.url, request.fields, request.body, timeout)
            findings.append(selftest.read(request.case, attempt))
    finally:
        client.close()
    return findings


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
