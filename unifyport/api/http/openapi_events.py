"""The events of the OpenAPI document: the schema of each body, and its delivery under `webhooks`.

A body has both published forms (`unifyport/model/event.py`). The flat form follows from the schema of `data`
by the rule that makes it from `data` itself. The examples are of a real run; `scripts/catalogue` writes them.
"""

import json
from importlib import resources
from typing import Any

import msgspec

from unifyport.model.event import EventType
from unifyport.model.flat import flat_of

from ..schemas.events import EVENTS
from .openapi_components import REF, Schema, answered

_EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    resources.files("unifyport.api.schemas").joinpath("event_examples.json").read_text(encoding="utf-8")
)
_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_ALWAYS: dict[str, Schema] = {
    "id": {**_TEXT, "description": "the same on every repeat and replay: drop an id that you have seen"},
    "event_id": {**_TEXT, "description": "the same as `id`"},
    "provider": _TEXT,
    "account_id": _TEXT,
    "occurred_at": {**_TIME, "description": "the platform's time, or the gateway's where it says none"},
    "timestamp": {"type": "integer", "description": "`occurred_at` in Unix seconds"},
}
_HEADERS = {
    "X-Device-Event-Id": "The event's id",
    "X-Device-Delivery-Id": "The id of this attempt",
    "X-Device-Timestamp": "The signing time, RFC 3339",
    "X-Device-Signature": (
        "Lowercase hex HMAC-SHA256 of timestamp, `.` and raw body; only where the endpoint has a secret"
    ),
}
_ANSWERS = {
    "200": {"description": "Accepted, as any 2xx"},
    "410": {"description": "The receiver is gone: the endpoint is disabled"},
    "503": {"description": "Repeated by the schedule, as after 408, 429 and any 5xx"},
    "4XX": {"description": "Refused: a dead letter at once"},
}


def schema_name(event_type: str) -> str:
    """`MessageReceivedEvent`."""
    return "".join(word.capitalize() for word in event_type.replace("_", ".").split(".")) + "Event"


def event_components() -> dict[str, Schema]:
    """The schemas of all bodies, and of their parts."""
    _, parts = msgspec.json.schema_components([data for data, _ in EVENTS.values()], ref_template=REF)
    for part in parts.values():
        answered(part)
        part["additionalProperties"] = True
    bodies = {
        schema_name(event_type): _body(event_type, data.__name__, parts)
        for event_type, (data, _) in EVENTS.items()
    }
    return bodies | parts


def webhooks() -> dict[str, Any]:
    """What receivers get, by type."""
    return {
        str(event_type): {"post": _delivery(event_type, when)} for event_type, (_, when) in EVENTS.items()
    }


def _body(event_type: EventType, data: str, parts: dict[str, Schema]) -> Schema:
    said = {"type": "string", "const": str(event_type)}
    return {
        "title": schema_name(event_type),
        "description": EVENTS[event_type][1],
        "type": "object",
        "required": ["type", "event", *_ALWAYS, "data"],
        "properties": {
            "type": said,
            "event": {**said, "description": "the same as `type`"},
            **_ALWAYS,
            "from": {
                "type": "string",
                "description": "the sender: E.164 if the number is known, else the id",
            },
            **_flat(parts[data], parts),
            "data": {"$ref": REF.format(name=data)},
        },
        "additionalProperties": True,
    }


def _flat(data: Schema, parts: dict[str, Schema]) -> dict[str, Schema]:
    """The scalars of the flat form: each field of `data` and of its parts that is one, by its flat name."""
    fields = {name: _resolved(field, parts) for name, field in data["properties"].items()}
    found = flat_of({name: field.get("properties", field) for name, field in fields.items()})
    scalars = ("string", "integer", "boolean", "number")
    return {name: field for name, field in found.items() if field.get("type") in scalars}


def _resolved(field: Schema, parts: dict[str, Schema]) -> Schema:
    return parts[field["$ref"].rpartition("/")[2]] if "$ref" in field else field


def _description(event_type: EventType) -> str:
    """What `data` is, and who gets the event."""
    told = EVENTS[event_type][0].__doc__ or ""
    standard = event_type is not EventType.PROVIDER_EVENT
    to = "every endpoint that names it, `*`, or nothing" if standard else "endpoints that name it"
    return " ".join([" ".join(told.split()), f"Goes to {to} in `subscribed_events`."]).strip()


def _delivery(event_type: EventType, when: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": REF.format(name=schema_name(event_type))}}
    if event_type in _EXAMPLES:
        content["example"] = _EXAMPLES[event_type]
    return {
        "operationId": f"on{schema_name(event_type)}",
        "tags": ["Events"],
        "summary": when,
        "description": _description(event_type),
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": name != "X-Device-Signature",
                "description": text,
                "schema": _TEXT,
            }
            for name, text in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": _ANSWERS,
    }
