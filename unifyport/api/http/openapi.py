"""The OpenAPI 3.1 document, generated from the route table: what it says is what the server checks."""

import re
from collections.abc import Iterable
from typing import Any, get_args

from unifyport.version import VERSION

from .. import schemas
from .openapi_components import body_of, components, shape_of
from .openapi_events import event_components, webhooks
from .openapi_texts import description_of, tags_of
from .routing import JSON, Query, Route
from .strictness import STRICT

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")


def document(routes: Iterable[Route]) -> dict[str, Any]:
    routes = list(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "UnifyPort",
            "version": VERSION,
            "license": {"name": "MIT", "identifier": "MIT"},
            "contact": {"name": "The operator of this gateway"},
            "description": (
                "One port for WhatsApp, Telegram, LINE, TikTok, Zalo and X."
                " Wire-compatible with the v1 Device API."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"ApiKeyAuth": []}],
        "tags": tags_of(routes),
        "paths": paths,
        "webhooks": webhooks(),
        "components": {
            "schemas": components(routes) | event_components(),
            "securitySchemes": {"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": route.summary,
        "description": description_of(route),
        "parameters": [
            *(*_path_parameters(route), *_query_parameters(route), *_headers(route.headers), _REQUEST_ID),
            *_headers(() if route.public else (STRICT,)),
        ],
        "responses": {str(route.success): _success(route), **_failures(route)},
    }
    if route.public:
        operation["security"] = []
    if route.extension:
        operation["x-extension"] = True
    if route.body is not None:
        shape = body_of(route) if route.consumes == JSON else _UPLOAD
        content: dict[str, Any] = {"schema": shape}
        if route.operation_id in _EXAMPLES:
            content["example"] = _EXAMPLES[route.operation_id]
        operation["requestBody"] = {"required": route.body_required, "content": {route.consumes: content}}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", **_OF_PATHS.get(name, {})},
        }
        for name in _PATH_PARAMETER.findall(route.path)
    ]


_OF_PATHS = {"provider": {"enum": list(get_args(schemas.ProviderName))}}


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": query.name,
            "in": "query",
            "required": query.required,
            "description": query.description,
            "schema": {
                "type": query.kind,
                **({"minimum": 1} if query.kind == "integer" else {}),
                **query.more,
            },
            **({} if query.required else {"allowEmptyValue": True}),
        }
        for query in route.query
    ]


def _headers(headers: Iterable[Query]) -> list[dict[str, Any]]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": header.required,
            "description": header.description,
            "schema": {"type": header.kind, **header.more},
        }
        for header in headers
    ]


_EXAMPLES: dict[str, dict[str, Any]] = {
    "createAccount": {
        "provider": "telegram",
        "region": "global",
        "auth_mode": "token",
        "provider_data": {"token": "123456:ABC-DEF"},
    },
    "createWebhookEndpoint": {
        "url": "https://crm.example/hooks/unifyport",
        "status": "active",
        "subscribed_events": ["message.received"],
        "retry_policy": {"max_attempts": 5},
    },
    "sendMessage": {
        "account_id": "acct_0123456789abcdefghjkmnpq",
        "to": {"id": "6590000001", "type": "user"},
        "message": {"type": "text", "text": "hello"},
    },
    "markConversationRead": {"conversation_id": "6590000001"},
    "setConversationLabelMembers": {
        "label_id": "label-1",
        "action": "add",
        "conversation_ids": ["chat-1"],
    },
}

# Where the ids of an answer lead: operation -> (name of the link, operation, its parameter, where the id is).
_LINKS = {
    "sendMessage": [("outcome", "getCommand", "command_id", "/data/command_id")],
    "listDeliveries": [
        ("newest", "getDelivery", "delivery_id", "/data/items/0/id"),
        ("retry", "retryDelivery", "delivery_id", "/data/items/0/id"),
    ],
}

_FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_UPLOAD = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": _FILE},
}

_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Echoed as client_request_id when it is 1 to 128 letters, digits and _.:/-",
    "schema": {"type": "string"},
}


_OF_ANSWERS = {
    "X-Request-Id": {
        "description": "The server's id of the request, the same as `request_id`",
        "required": True,
        "schema": {"type": "string", "pattern": "^req_[0-9a-z]+$"},
    }
}
_OF_WAITING = {
    "Retry-After": {
        "description": "Seconds",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
_WAITING = (429, 503)


def _success(route: Route) -> dict[str, Any]:
    headers = {} if route.public else {"headers": _OF_ANSWERS}
    if route.data is None:
        return {"description": "Done", **headers}
    if route.content != JSON:
        return {"description": "Success", "content": {route.content: {"schema": _EVENT}}, **headers}
    envelope = {
        "type": "object",
        "required": ["data"],
        "properties": {
            "request_id": {"type": "string"},
            "client_request_id": {"type": "string"},
            "data": shape_of(route.data),
            "warnings": {"type": "array", "items": shape_of(schemas.FieldWarning)},
        },
    }
    links = {
        name: {"operationId": operation, "parameters": {parameter: f"$response.body#{place}"}}
        for name, operation, parameter, place in _LINKS.get(route.operation_id, [])
    }
    return {
        "description": "Success",
        "content": {"application/json": {"schema": envelope}},
        **headers,
        **({"links": links} if links else {}),
    }


# A message of server-sent events.
_EVENT = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
}


# The HTTP server answers it before any route is known.
_NOT_HTTP = {"400": {"description": "The request is not valid HTTP. The connection is closed"}}


def _failures(route: Route) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for error in route.declared:
        codes.setdefault(error.status, []).append(error.code)
    return {
        str(status): {
            "description": ", ".join(dict.fromkeys(names)),
            "content": {"application/json": {"schema": shape_of(schemas.ErrorEnvelope)}},
            "headers": {**_OF_ANSWERS, **(_OF_WAITING if status in _WAITING else {})},
        }
        for status, names in sorted(codes.items())
    } | ({} if any(status < 500 for status in codes) else _NOT_HTTP)
