"""The OpenAPI 3.1 document, generated from the route table: what it says is what the server checks."""

import re
from collections.abc import Iterable
from typing import Any, get_args, get_origin

import attrs
import msgspec

from unifyport import __version__

from . import schemas
from .routing import JSON, Route

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_REF = "#/components/schemas/{name}"

# Required by a route although the class lets it be absent (an update may leave it out).
_REQUIRED = {
    ("createAccount", "AccountRequest"): ["provider"],
    ("createWebhookEndpoint", "WebhookEndpointRequest"): ["url", "status"],
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    routes = list(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "UnifyPort",
            "version": __version__,
            "description": "One port for WhatsApp, Telegram, LINE, TikTok, Zalo and X. Wire-compatible with the v1 Device API.",
        },
        "servers": [{"url": "/"}],
        "security": [{"ApiKeyAuth": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": _components(routes),
            "securitySchemes": {"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        },
    }


def _classes(routes: Iterable[Route]) -> list[type]:
    found: dict[type, None] = {schemas.ErrorEnvelope: None}
    for route in routes:
        for shape in (route.body, route.data, *get_args(route.data)):
            if isinstance(shape, type) and attrs.has(shape):
                found[shape] = None
    return list(found)


def _components(routes: Iterable[Route]) -> dict[str, Any]:
    classes = _classes(routes)
    _, components = msgspec.json.schema_components(classes, ref_template=_REF)
    for component in components.values():
        _without_null(component)
        if not component.get("title", "").endswith("Request"):
            _with_defaults_required(component)
    components["ProviderProfile"]["additionalProperties"] = True
    return components


def _with_defaults_required(component: dict[str, Any]) -> None:
    """What we answer with leaves out only what is null: a field that has another default is always there."""
    always = [name for name, field in component.get("properties", {}).items() if "default" in field]
    if always:
        component["required"] = [*component.get("required", []), *always]


def _without_null(component: dict[str, Any]) -> None:
    """A field that may be absent is not a field that is null."""
    for name, field in component.get("properties", {}).items():
        arms = field.get("anyOf")
        if arms is not None and {"type": "null"} in arms:
            rest = [arm for arm in arms if arm != {"type": "null"}]
            component["properties"][name] = rest[0] if len(rest) == 1 else {"anyOf": rest}
        elif "default" in field and field["default"] is None:
            del field["default"]


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route), _REQUEST_ID],
        "responses": {str(route.success): _success(route), **_failures(route)},
    }
    if route.public:
        operation["security"] = []
    if route.extension:
        operation["x-extension"] = True
    if route.body is not None:
        shape = _shape(route.body)
        required = _REQUIRED.get((route.operation_id, route.body.__name__))
        if required is not None:
            shape = {"allOf": [shape, {"required": required}]}
        if route.consumes != JSON:
            shape = _UPLOAD
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {route.consumes: {"schema": shape}},
        }
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": query.name,
            "in": "query",
            "required": query.required,
            "description": query.description,
            "schema": {"type": query.kind, **({"minimum": 1} if query.kind == "integer" else {})},
        }
        for query in route.query
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": header.required,
            "description": header.description,
            "schema": {"type": header.kind},
        }
        for header in route.headers
    ]


_UPLOAD = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
}

_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Echoed as client_request_id when it is valid",
    "schema": {"type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9_.:/-]+$"},
}


def _shape(shape: Any) -> dict[str, Any]:
    if get_origin(shape) is list:
        return {"type": "array", "items": _shape(get_args(shape)[0])}
    if shape is dict:
        return {"type": "object", "additionalProperties": True}
    return {"$ref": _REF.format(name=shape.__name__)}


def _success(route: Route) -> dict[str, Any]:
    if route.data is None:
        return {"description": "Done"}
    if route.content != JSON:
        return {"description": "Success", "content": {route.content: {"schema": {"type": "string"}}}}
    envelope = {
        "type": "object",
        "required": ["data"],
        "properties": {
            "request_id": {"type": "string"},
            "client_request_id": {"type": "string"},
            "data": _shape(route.data),
        },
    }
    return {"description": "Success", "content": {"application/json": {"schema": envelope}}}


def _failures(route: Route) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for error in route.declared:
        codes.setdefault(error.status, []).append(error.code)
    return {
        str(status): {
            "description": ", ".join(dict.fromkeys(names)),
            "content": {"application/json": {"schema": _shape(schemas.ErrorEnvelope)}},
        }
        for status, names in sorted(codes.items())
    }
