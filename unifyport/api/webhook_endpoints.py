"""Webhook endpoints: where events go."""

from typing import Any

import attrs

from unifyport.model.account import Origin
from unifyport.model.event import mask_of
from unifyport.model.ids import new_id
from unifyport.model.webhook import ENDPOINT_ACTIVE, ENDPOINT_INACTIVE, RetryPolicy, WebhookEndpoint
from unifyport.net.guard import UrlNotAllowed
from unifyport.storage.base import DeleteEndpoint, PutEndpoint

from . import schemas
from .errors import NOT_FOUND, ApiError, ErrorSpec, not_found
from .gateway import Gateway, WriteRefused
from .routing import Call, Route

STATUSES = (ENDPOINT_ACTIVE, ENDPOINT_INACTIVE)


def show(endpoint: WebhookEndpoint) -> schemas.WebhookEndpoint:
    return schemas.WebhookEndpoint(
        id=endpoint.id,
        url=endpoint.url,
        status=endpoint.status,
        signing_enabled=bool(endpoint.secret),
        subscribed_events=endpoint.subscribed_events,
        retry_policy={"max_attempts": endpoint.retries.max_attempts, **endpoint.retry_policy},
        origin=endpoint.origin.value,
        name=endpoint.name,
        reason=endpoint.reason,
    )


async def list_endpoints(call: Call) -> list[schemas.WebhookEndpoint]:
    return [show(endpoint) for endpoint in await call.gateway.store.endpoints()]


async def get_endpoint(call: Call) -> schemas.WebhookEndpoint:
    return show(await _find(call))


async def create_endpoint(call: Call) -> schemas.WebhookEndpoint:
    body = call.body
    missing = [f"{name}: is required" for name in ("url", "status") if getattr(body, name) is None]
    if missing:
        raise ApiError(400, "invalid_request", "; ".join(missing), problems=missing)
    code = "create_webhook_endpoint_failed"
    endpoint = await _changed(call.gateway, WebhookEndpoint(new_id("we"), body.url), body, code)
    return await _put(call.gateway, endpoint, code)


async def update_endpoint(call: Call) -> schemas.WebhookEndpoint:
    code = "update_webhook_endpoint_failed"
    endpoint = await _find(call)
    _refuse_declared(endpoint, code)
    return await _put(call.gateway, await _changed(call.gateway, endpoint, call.body, code), code)


async def deactivate_endpoint(call: Call) -> schemas.WebhookEndpoint:
    code = "deactivate_webhook_endpoint_failed"
    endpoint = await _find(call)
    _refuse_declared(endpoint, code)
    return await _put(call.gateway, attrs.evolve(endpoint, status=ENDPOINT_INACTIVE), code)


async def delete_endpoint(call: Call) -> None:
    endpoint = await _find(call)
    if endpoint.name in {declared.name for declared in call.gateway.settings.webhook_endpoints}:
        _refuse_declared(endpoint, "delete_webhook_endpoint_failed")  # what has left the file may go
    await call.gateway.write(DeleteEndpoint(endpoint.id))
    call.gateway.endpoints_changed()


async def _find(call: Call) -> WebhookEndpoint:
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
    if body.subscribed_events is not None:
        changes["subscribed_events"] = body.subscribed_events
        try:
            mask_of(body.subscribed_events)
        except ValueError as error:
            problems.append(f"subscribed_events: {error}")
    if body.retry_policy is not None:
        changes["retry_policy"] = body.retry_policy
        try:
            RetryPolicy.parse(body.retry_policy)
        except ValueError as error:
            problems.append(str(error))
    if body.signing_secret is not None:
        changes["secret"] = body.signing_secret
    if problems:
        raise ApiError(400, code, "; ".join(problems), problems=problems)
    if changes.get("status") == ENDPOINT_ACTIVE:
        changes |= {"reason": None, "failing_since": None}
    return attrs.evolve(endpoint, **changes)


async def _put(gateway: Gateway, endpoint: WebhookEndpoint, code: str) -> schemas.WebhookEndpoint:
    try:
        stored = await gateway.write(PutEndpoint(endpoint))
    except WriteRefused:
        raise ApiError(400, code, "the endpoint was changed or deleted meanwhile, try again") from None
    gateway.endpoints_changed()
    return show(stored)


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
