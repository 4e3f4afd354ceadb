"""Webhook endpoints: where events go."""

from typing import Any

import attrs

from supervisors import map_in_slices
from unifyport.gateway.endpoints import EndpointFields, EndpointLoad, EndpointView
from unifyport.model.times import rfc3339
from unifyport.model.webhook import (
    DEFAULT_SCHEDULE,
    DeliveryPolicy,
    RetryPolicy,
    as_written,
    unknown_fields,
)

from .. import schemas
from ..http.errors import NOT_FOUND, refusal
from ..http.routing import Call, Route


def present_endpoint(view: EndpointView, load: EndpointLoad | None = None) -> schemas.WebhookEndpoint:
    endpoint = view.endpoint
    return schemas.WebhookEndpoint(
        id=endpoint.id,
        url=endpoint.url,
        status=endpoint.status,
        signing_enabled=bool(endpoint.secret),
        subscribed_events=endpoint.subscribed_events,
        retry_policy=_present_retries(view.retries),
        delivery=as_written(view.delivery),
        expired=endpoint.expired,
        origin=endpoint.origin.value,
        name=endpoint.name,
        reason=endpoint.reason,
        failing_since=_present_time(view.failing_since),
        previous_secret_until=_present_time(view.previous_until) if view.two_secrets else None,
        runtime=None if load is None else _present_load(load),
        dropped=view.dropped,
    )


def _present_load(load: EndpointLoad) -> schemas.EndpointRuntime:
    return schemas.EndpointRuntime(
        load.owed,
        load.dead,
        in_flight=load.in_flight,
        breaker="open" if load.breaker_open else "closed",
        congested=load.congested,
        last_error=load.last_error or None,
    )


def _present_retries(retries: RetryPolicy) -> dict[str, Any]:
    """The contract has `max_attempts` alone: a schedule is shown if it is not the default one."""
    written = as_written(retries)
    return written if retries.schedule != DEFAULT_SCHEDULE else {"max_attempts": written["max_attempts"]}


def _present_time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def read_fields(body: schemas.WebhookEndpointRequest) -> EndpointFields:
    return EndpointFields(**attrs.asdict(body, recurse=False))


async def list_endpoints(call: Call) -> list[schemas.WebhookEndpoint]:
    return await map_in_slices(present_endpoint, await call.gateway.endpoints.list_endpoints())


async def get_endpoint(call: Call) -> schemas.WebhookEndpoint:
    return present_endpoint(*await call.gateway.endpoints.read_endpoint(call.path["endpoint_id"]))


def _note_unknown(call: Call) -> None:
    """Remark on what no policy has. `resume` is an order, and no part of the policy."""
    for name, kind, orders in (("retry_policy", RetryPolicy, ()), ("delivery", DeliveryPolicy, ("resume",))):
        for problem in unknown_fields(getattr(call.body, name) or {}, kind):
            path = ".".join(map(str, problem.path))
            if path not in orders:
                call.remarks.unknown(f"{name}.{path}", problem.choices)
    call.remarks.settle()


async def create_endpoint(call: Call) -> schemas.WebhookEndpoint:
    _note_unknown(call)
    return present_endpoint(await call.gateway.endpoints.create_endpoint(read_fields(call.body)))


async def update_endpoint(call: Call) -> schemas.WebhookEndpoint:
    _note_unknown(call)
    endpoints, fields = call.gateway.endpoints, read_fields(call.body)
    return present_endpoint(await endpoints.update_endpoint(call.path["endpoint_id"], fields))


async def deactivate_endpoint(call: Call) -> schemas.WebhookEndpoint:
    return present_endpoint(await call.gateway.endpoints.deactivate_endpoint(call.path["endpoint_id"]))


async def delete_endpoint(call: Call) -> None:
    await call.gateway.endpoints.delete_endpoint(call.path["endpoint_id"])


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
        errors=(refusal("create_webhook_endpoint_failed"),),
        settles=True,
    ),
    _route("getWebhookEndpoint", "GET", _ONE, get_endpoint, "Read one endpoint", errors=(NOT_FOUND,)),
    _route(
        "updateWebhookEndpoint",
        "PATCH",
        _ONE,
        update_endpoint,
        "Change an endpoint; fields that are left out stay, an empty secret ends signing",
        body=schemas.WebhookEndpointRequest,
        errors=(refusal("update_webhook_endpoint_failed"), NOT_FOUND),
        settles=True,
    ),
    _route(
        "deleteWebhookEndpoint",
        "DELETE",
        _ONE,
        delete_endpoint,
        "Delete an endpoint and everything owed to it",
        data=None,
        success=204,
        errors=(refusal("delete_webhook_endpoint_failed"), NOT_FOUND),
    ),
    _route(
        "deactivateWebhookEndpoint",
        "POST",
        f"{_ONE}/deactivate",
        deactivate_endpoint,
        "Stop attempts; the endpoint goes on being owed its events",
        body=dict,
        body_required=False,
        errors=(refusal("deactivate_webhook_endpoint_failed"), NOT_FOUND),
    ),
]
