"""The schemas of the OpenAPI document: the classes of bodies and answers, as generators take them whole.

Every schema has a `type`, an object that is open says so by `additionalProperties`, and no keyword combines
schemas except `anyOf` with null. Rules about fields that go together are therefore under `x-rule`: a JSON
Schema that holds as well, and that the server checks.
"""

import copy
import inspect
import re
from collections.abc import Iterable
from typing import Any, get_args, get_origin

import attrs
import msgspec

from .. import schemas
from .routing import Route

REF = "#/components/schemas/{name}"
_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')
Schema = dict[str, Any]

# Required by a route although the class lets it be absent (an update may leave it out): the name of the
# schema of that route, the class, and the fields.
_REQUIRED = {
    "createAccount": ("AccountCreateRequest", "AccountRequest", ["provider"]),
    "createWebhookEndpoint": ("WebhookEndpointCreateRequest", "WebhookEndpointRequest", ["url", "status"]),
    "submitAccountAuthCode": ("AuthCodeRequest", "AuthCodeRequest", ["code"]),
    "submitAccountAuthPassword": ("AuthPasswordRequest", "AuthPasswordRequest", ["password"]),
}

_GIVEN = {"type": "string"}
# Which fields of a body go together, where they do not all stand alone.
_RULES: dict[str, Schema] = {
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
            {"required": [name], "properties": {name: given}}
            for name, given in (("reply_token", _GIVEN), ("message_id", {"type": ["string", "integer"]}))
        ]
    },
}


def components(routes: Iterable[Route]) -> dict[str, Schema]:
    """The schemas of all bodies, answers and events, by name."""
    routes = list(routes)
    classes = _classes(routes)
    _, found = msgspec.json.schema_components(classes, ref_template=REF)
    taken = _taken(routes, found)
    for name, component in found.items():
        if name in taken:
            _without_default_null(component)
            _plain(component)
        else:
            answered(component)
    for name, rule in _RULES.items():
        found[name]["x-rule"] = rule
    found["ProviderProfile"]["additionalProperties"] = True
    for name, of, fields in _REQUIRED.values():
        found[name] = _with_required(name, found[of], fields)
    return found


def answered(component: Schema) -> None:
    """Make it the schema of what we say: what is null is left out."""
    _without_null(component)
    _with_defaults_required(component)
    _plain(component)


def body_of(route: Route) -> Schema:
    """The schema of the body that a route takes."""
    if route.operation_id in _REQUIRED:
        return {"$ref": REF.format(name=_REQUIRED[route.operation_id][0])}
    return shape_of(route.body)


def shape_of(shape: Any) -> Schema:
    if get_origin(shape) is list:
        return {"type": "array", "items": shape_of(get_args(shape)[0])}
    if shape is dict:
        return {"type": "object", "additionalProperties": True}
    return {"$ref": REF.format(name=shape.__name__)}


def _classes(routes: Iterable[Route]) -> list[type]:
    found: dict[type, None] = {schemas.ErrorEnvelope: None, schemas.FieldWarning: None}
    for route in routes:
        for shape in (route.body, route.data, *get_args(route.data)):
            if isinstance(shape, type) and attrs.has(shape):
                found[shape] = None
    return list(found)


def _taken(routes: Iterable[Route], found: dict[str, Schema]) -> set[str]:
    """The names of the schemas of requests, where null is the same as a field that is left out."""
    bodies = [r.body for r in routes if isinstance(r.body, type) and attrs.has(r.body)]
    names, left = set(), [body.__name__ for body in bodies]
    while left:
        name = left.pop()
        if name not in names:
            names.add(name)
            left += _REFERENCE.findall(msgspec.json.encode(found[name]).decode())
    return names


def _without_default_null(component: Schema) -> None:
    for field in component.get("properties", {}).values():
        if "default" in field and field["default"] is None:
            del field["default"]


def _with_defaults_required(component: Schema) -> None:
    """What we answer with leaves out only what is null: a field that has another default is always there."""
    always = [name for name, field in component.get("properties", {}).items() if "default" in field]
    if always:
        component["required"] = [*component.get("required", []), *always]


def _without_null(component: Schema) -> None:
    """A field that may be absent is not a field that is null."""
    for name, field in component.get("properties", {}).items():
        arms = field.get("anyOf")
        if arms is not None and {"type": "null"} in arms:
            component["properties"][name] = _not_null(field)
        elif "default" in field and field["default"] is None:
            del field["default"]


def _not_null(field: Schema) -> Schema:
    rest = [arm for arm in field.get("anyOf", []) if arm != {"type": "null"}]
    if not rest:
        return field
    return rest[0] if len(rest) == 1 else {"anyOf": rest}


def _with_required(name: str, component: Schema, fields: list[str]) -> Schema:
    """A schema of its own, in which `fields` are required and are not null."""
    made = copy.deepcopy(component)
    made["title"] = name
    made["required"] = [*made.get("required", []), *fields]
    for field in fields:
        made["properties"][field] = _not_null(made["properties"][field])
    return made


def _plain(schema: Any) -> None:
    """Say the type of an enumeration, that an object is open, and a description as one paragraph each."""
    if isinstance(schema, list):
        for each in schema:
            _plain(each)
    if not isinstance(schema, dict):
        return
    for each in schema.values():
        _plain(each)
    if isinstance(schema.get("description"), str):
        schema["description"] = inspect.cleandoc(schema["description"])
    if schema.get("enum") == [True]:
        del schema["enum"]
        schema |= {"type": "boolean", "const": True}
    elif isinstance(schema.get("enum"), list):
        schema.setdefault("type", "string")
    if schema.get("type") == "object" and not {"properties", "additionalProperties"} & schema.keys():
        schema["additionalProperties"] = True
    if schema.get("required") == []:
        del schema["required"]
