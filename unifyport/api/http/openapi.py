"""The OpenAPI 3.1 document, generated from the route table: what it says is what the server checks."""

import re
from collections.abc import Iterable
from typing import Any, get_args, get_origin

import attrs
import msgspec

from unifyport import __version__

from .. import schemas
from .routing import JSON, Query, Route
from .strictness import STRICT

_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_REF = "#/components/schemas/{name}"

# Required by a route although the class lets it be absent (an update may leave it out).
_REQUIRED = {
    ("createAccount", "AccountRequest"): ["provider"],
    ("createWebhookEndpoint", "WebhookEndpointRequest"): ["url", "status"],
    ("submitAccountAuthCode", "AuthCodeRequest"): ["code"],
    ("submitAccountAuthPassword", "AuthPasswordRequest"): ["password"],
}

_GIVEN = {"type": "string"}
# Which fields of a body go together, where they do not all stand alone.
_RULES: dict[str, dict[str, Any]] = {
    "ConversationReadRequest": {
        "anyOf": [
            {
                "required": ["up_to_message_id", "up_to_message_sender_id"],
                "properties": {"up_to_message_id": _GIVEN, "up_to_message_sender_id": _GIVEN},
            },
            {
                "properties": {
                    "up_to_message_id": {"type": "null"},
                    "up_to_message_sender_id": {"type": "null"},
                }
            },
        ]
    },
    "ConversationMuteRequest": {
        "not": {
            "required": ["duration", "mute_until"],
            "properties": {"duration": {"type": "integer"}, "mute_until": _GIVEN},
        }
    },
    "GroupInfoUpdateRequest": {
        "oneOf": [
            {"required": [name], "properties": {name: _GIVEN}}
            for name in ("name", "description", "avatar_url")
        ]
    },
    "AuthSessionImportRequest": {
        "oneOf": [
            {"required": ["session_url"], "properties": {"session_url": _GIVEN, "session": {"type": "null"}}},
            {
                "required": ["session"],
                "properties": {"session_url": {"type": "null"}, "session": {"type": ["string", "object"]}},
            },
        ]
    },
    # A text message needs a text, unless a field of `provider_data` is the message itself.
    "SendMessageRequest": {
        "anyOf": [
            {
                "required": ["provider_data"],
                "properties": {"provider_data": {"type": "object", "minProperties": 1}},
            },
            {
                "properties": {
                    "message": {
                        "if": {"properties": {"type": {"const": "text"}}},
                        "then": {
                            "required": ["text"],
                            "properties": {"text": {"type": "string", "minLength": 1}},
                        },
                    }
                }
            },
        ]
    },
    "ReplyTo": {
        "anyOf": [
            {"required": [name], "properties": {name: _GIVEN}} for name in ("reply_token", "message_id")
        ]
    },
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
            "description": (
                "One port for WhatsApp, Telegram, LINE, TikTok, Zalo and X."
                " Wire-compatible with the v1 Device API."
            ),
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
    found: dict[type, None] = {schemas.ErrorEnvelope: None, schemas.FieldWarning: None}
    for route in routes:
        for shape in (route.body, route.data, *get_args(route.data)):
            if isinstance(shape, type) and attrs.has(shape):
                found[shape] = None
    return list(found)


def _components(routes: Iterable[Route]) -> dict[str, Any]:
    classes = _classes(routes)
    _, components = msgspec.json.schema_components(classes, ref_template=_REF)
    taken = _taken(routes, components)
    for name, component in components.items():
        if name in taken:
            _without_default_null(component)
        else:
            _without_null(component)
            _with_defaults_required(component)
    for name, rule in _RULES.items():
        components[name].update(rule)
    components["ProviderProfile"]["additionalProperties"] = True
    return components


def _taken(routes: Iterable[Route], components: dict[str, Any]) -> set[str]:
    """The names of the schemas of requests, where null is the same as a field that is left out."""
    bodies = [r.body for r in routes if isinstance(r.body, type) and attrs.has(r.body)]
    found, left = set(), [body.__name__ for body in bodies]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _REFERENCE.findall(msgspec.json.encode(components[name]).decode())
    return found


def _without_default_null(component: dict[str, Any]) -> None:
    for field in component.get("properties", {}).values():
        if "default" in field and field["default"] is None:
            del field["default"]


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
        shape = _shape(route.body)
        required = _REQUIRED.get((route.operation_id, route.body.__name__))
        if required is not None:
            given = {"required": required, "properties": dict.fromkeys(required, _GIVEN)}
            shape = {"allOf": [shape, given]}
        if route.consumes != JSON:
            shape = _UPLOAD
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

_UPLOAD = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
}

_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Echoed as client_request_id when it is 1 to 128 letters, digits and _.:/-",
    "schema": {"type": "string"},
}


def _shape(shape: Any) -> dict[str, Any]:
    if get_origin(shape) is list:
        return {"type": "array", "items": _shape(get_args(shape)[0])}
    if shape is dict:
        return {"type": "object", "additionalProperties": True}
    return {"$ref": _REF.format(name=shape.__name__)}


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
            "data": _shape(route.data),
            "warnings": {"type": "array", "items": _shape(schemas.FieldWarning)},
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


def _failures(route: Route) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for error in route.declared:
        codes.setdefault(error.status, []).append(error.code)
    return {
        str(status): {
            "description": ", ".join(dict.fromkeys(names)),
            "content": {"application/json": {"schema": _shape(schemas.ErrorEnvelope)}},
            "headers": {**_OF_ANSWERS, **(_OF_WAITING if status in _WAITING else {})},
        }
        for status, names in sorted(codes.items())
    }
