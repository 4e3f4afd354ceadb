"""Webhook endpoints: where events go."""

import contextlib
from typing import Any

import attrs

from unifyport.gateway.gateway import Gateway, WriteRefused
from unifyport.model.account import Origin
from unifyport.model.ids import new_id
from unifyport.model.times import rfc3339
from unifyport.model.webhook import (
    DEFAULT_SCHEDULE,
    ENDPOINT_ACTIVE,
    ENDPOINT_INACTIVE,
    RESUME_NOW,
    RetryPolicy,
    WebhookEndpoint,
    as_written,
)
from unifyport.net.guard import UrlNotAllowed
from unifyport.storage.contract import DeleteEndpoint, DropOwed, PutEndpoint, Together

from .. import schemas
from ..http.errors import NOT_FOUND, ApiError, ErrorSpec, not_found
from ..http.routing import Call, Route

STATUSES = (ENDPOINT_ACTIVE, ENDPOINT_INACTIVE)
COUNTED = 10_000  # of what is owed; nobody waits for a count of millions


def present_endpoint(gateway: Gateway, endpoint: WebhookEndpoint, **more: Any) -> schemas.WebhookEndpoint:
    retries, delivery = endpoint.policies(gateway.settings.webhooks.defaults)
    overlap = len(endpoint.secrets(gateway.now_ms())) > 1
    return schemas.WebhookEndpoint(
        id=endpoint.id,
        url=endpoint.url,
        status=endpoint.status,
        signing_enabled=bool(endpoint.secret),
        subscribed_events=endpoint.subscribed_events,
        retry_policy=_retry_policy(retries),
        delivery=as_written(delivery),
        expired=endpoint.expired,
        origin=endpoint.origin.value,
        name=endpoint.name,
        reason=endpoint.reason,
        failing_since=_time(endpoint.failing_since),
        previous_secret_until=_time(endpoint.previous_until) if overlap else None,
        **more,
    )


def _retry_policy(retries: RetryPolicy) -> dict[str, Any]:
    """The contract has `max_attempts` alone: the schedule is shown where it is another than everybody's."""
    written = as_written(retries)
    return written if retries.schedule != DEFAULT_SCHEDULE else {"max_attempts": written["max_attempts"]}


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


TRIES = 5


class _ChangedMeanwhile(ApiError):
    """The row is not the one that was read."""


async def list_endpoints(call: Call) -> list[schemas.WebhookEndpoint]:
    return [present_endpoint(call.gateway, endpoint) for endpoint in await call.gateway.store.endpoints()]


async def get_endpoint(call: Call) -> schemas.WebhookEndpoint:
    gateway, endpoint = call.gateway, await find_endpoint(call)
    owed, dead = await gateway.store.owed(endpoint.no, COUNTED)
    actor = gateway.deliveries.actor(endpoint.id)
    runtime = schemas.EndpointRuntime(
        owed,
        dead,
        in_flight=0 if actor is None else actor.in_flight,
        breaker="open" if actor is not None and actor.breaker_open else "closed",
        congested=actor is not None and actor.congested,
    )
    return present_endpoint(gateway, endpoint, runtime=runtime)


async def create_endpoint(call: Call) -> schemas.WebhookEndpoint:
    body = call.body
    missing = [f"{name}: is required" for name in ("url", "status") if getattr(body, name) is None]
    if missing:
        raise ApiError(400, "invalid_request", "; ".join(missing), problems=missing)
    code = "create_webhook_endpoint_failed"
    endpoint = await _changed(call.gateway, WebhookEndpoint(new_id("we"), body.url), body, code)
    return await _put(call.gateway, PutEndpoint(endpoint), code)


async def update_endpoint(call: Call) -> schemas.WebhookEndpoint:
    code = "update_webhook_endpoint_failed"
    endpoint = await find_endpoint(call)
    if not _only_pauses_or_resumes(call.body):
        _refuse_declared(endpoint, code)
    put = PutEndpoint(await _changed(call.gateway, endpoint, call.body, code))
    if (call.body.delivery or {}).get("resume") == RESUME_NOW:
        return await _put(call.gateway, Together([put, DropOwed(endpoint.id)]), code)
    return await _put(call.gateway, put, code)


async def deactivate_endpoint(call: Call) -> schemas.WebhookEndpoint:
    """Whoever else changes it meanwhile: it is inactive afterwards, or nobody could say so."""
    code = "deactivate_webhook_endpoint_failed"
    for _ in range(TRIES):
        endpoint = await find_endpoint(call)
        put = PutEndpoint(attrs.evolve(endpoint, status=ENDPOINT_INACTIVE, reason=None))
        with contextlib.suppress(_ChangedMeanwhile):
            return await _put(call.gateway, put, code)
    raise ApiError(400, code, "the endpoint keeps changing, try again")


async def delete_endpoint(call: Call) -> None:
    endpoint = await find_endpoint(call)
    if endpoint.name in {declared.name for declared in call.gateway.settings.webhook_endpoints}:
        _refuse_declared(endpoint, "delete_webhook_endpoint_failed")  # what has left the file may go
    await call.gateway.write(DeleteEndpoint(endpoint.id))
    call.gateway.endpoints_changed()


async def find_endpoint(call: Call) -> WebhookEndpoint:
    endpoint = await call.gateway.store.endpoint(call.path["endpoint_id"])
    if endpoint is None:
        raise not_found("webhook endpoint")
    return endpoint


async def _changed(
    gateway: Gateway, endpoint: WebhookEndpoint, body: schemas.WebhookEndpointRequest, code: str
) -> WebhookEndpoint:
    """The endpoint with the body's fields; everything that is wrong with them in one error."""
    problems: list[str] = []
    changes: dict[str, Any] = {}
    if body.url is not None:
        changes["url"] = body.url
        try:
            await gateway.guard.vet(body.url)
        except UrlNotAllowed as error:
            problems.append(f"url: {error}")
    if body.status is not None:
        changes["status"] = body.status
        if body.status not in STATUSES:
            problems.append(f"status: must be one of {', '.join(STATUSES)}")
    for name in ("subscribed_events", "retry_policy"):
        if (value := getattr(body, name)) is not None:
            changes[name] = value
    if body.delivery is not None:
        options, resume = _without_resume(body.delivery)
        if options or resume is None:  # `resume` alone changes nothing else
            changes["delivery"] = options
        if resume not in (None, RESUME_NOW):
            problems.append(f'delivery.resume: must be "{RESUME_NOW}"')
    changed = attrs.evolve(endpoint, **changes)
    secrets = (body.signing_secret, body.previous_signing_secret)
    candidate = attrs.evolve(
        changed,
        secret=secrets[0] if secrets[0] is not None else changed.secret,
        previous_secret=secrets[1] if secrets[1] is not None else changed.previous_secret,
    )
    defaults = gateway.settings.webhooks.defaults
    problems += candidate.problems(defaults)
    if problems:
        raise ApiError(400, code, "; ".join(problems), problems=problems)
    if secrets != (None, None):
        overlap = candidate.policies(defaults)[1].secret_overlap
        changed = changed.with_secrets(candidate.secret, secrets[1], overlap, gateway.now_ms())
    if changes.get("status") == ENDPOINT_ACTIVE:
        changed = attrs.evolve(changed, reason=None, failing_since=None)
    return changed


def _only_pauses_or_resumes(body: schemas.WebhookEndpointRequest) -> bool:
    """That is open to whoever operates the gateway, also where the file declares the endpoint."""
    changes = {name: value for name, value in attrs.asdict(body).items() if value is not None}
    resume = changes.pop("delivery", None)
    return changes.keys() <= {"status"} and (resume is None or resume.keys() == {"resume"})


def _without_resume(delivery: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """`resume` is an order, and no property of an endpoint."""
    return {name: value for name, value in delivery.items() if name != "resume"}, delivery.get("resume")


async def _put(gateway: Gateway, write: PutEndpoint | Together, code: str) -> schemas.WebhookEndpoint:
    try:
        stored = await gateway.write(write)
    except WriteRefused:
        raise _ChangedMeanwhile(
            400, code, "the endpoint was changed or deleted meanwhile, try again"
        ) from None
    gateway.endpoints_changed()
    endpoint, dropped = stored if isinstance(write, Together) else (stored, None)
    await gateway.deliveries.heard(endpoint)  # what is attempted after the answer is attempted as it says
    return present_endpoint(gateway, endpoint, dropped=dropped)


def _refuse_declared(endpoint: WebhookEndpoint, code: str) -> None:
    if endpoint.origin is Origin.FILE:
        raise ApiError(400, code, "this endpoint belongs to the configuration file; change it there")


def _route(operation_id: str, method: Any, path: str, handler: Any, summary: str, **more: Any) -> Route:
    data = more.pop("data", schemas.WebhookEndpoint)
    failure = more.pop("failure", f"{operation_id.removesuffix('WebhookEndpoint')}_webhook_endpoint_failed")
    return Route(operation_id, method, path, handler, "Webhook Endpoints", summary, failure, data, **more)


_ONE = "/v1/webhook-endpoints/{endpoint_id}"

ROUTES = [
    _route(
        "listWebhookEndpoints",
        "GET",
        "/v1/webhook-endpoints",
        list_endpoints,
        "List all endpoints",
        data=list[schemas.WebhookEndpoint],
        failure="list_webhook_endpoints_failed",
    ),
    _route(
        "createWebhookEndpoint",
        "POST",
        "/v1/webhook-endpoints",
        create_endpoint,
        "Create an endpoint; from now on it is owed every event that it subscribes to",
        body=schemas.WebhookEndpointRequest,
        success=201,
        errors=(ErrorSpec(400, "create_webhook_endpoint_failed"),),
    ),
    _route("getWebhookEndpoint", "GET", _ONE, get_endpoint, "Read one endpoint", errors=(NOT_FOUND,)),
    _route(
        "updateWebhookEndpoint",
        "PATCH",
        _ONE,
        update_endpoint,
        "Change an endpoint; fields that are left out stay, an empty secret ends signing",
        body=schemas.WebhookEndpointRequest,
        errors=(ErrorSpec(400, "update_webhook_endpoint_failed"), NOT_FOUND),
    ),
    _route(
        "deleteWebhookEndpoint",
        "DELETE",
        _ONE,
        delete_endpoint,
        "Delete an endpoint and everything owed to it",
        data=None,
        success=204,
        errors=(ErrorSpec(400, "delete_webhook_endpoint_failed"), NOT_FOUND),
    ),
    _route(
        "deactivateWebhookEndpoint",
        "POST",
        f"{_ONE}/deactivate",
        deactivate_endpoint,
        "Stop attempts; the endpoint goes on being owed its events",
        body=dict,
        body_required=False,
        errors=(ErrorSpec(400, "deactivate_webhook_endpoint_failed"), NOT_FOUND),
    ),
]
