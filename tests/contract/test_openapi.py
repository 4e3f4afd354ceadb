"""Our OpenAPI document against the facts of the public contract: nothing of those is missing.
`docs/conformance.md` and the document itself show what we add.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unifyport.api.app import ROUTES
from unifyport.api.http.openapi import document
from unifyport.model.event import EventType

FACTS = json.loads(Path(__file__).with_name("operations.json").read_text())
OPERATIONS = {operation["operationId"]: operation for operation in FACTS["operations"]}
DOCUMENT = document(ROUTES)

# Where we say more, or otherwise, on purpose: (schema, field) -> why.
OTHERWISE = {
    ("AccountRequest", "region"): "optional, with a default of the operator's",
    ("AccountRequest", "provider"): "optional in an update, required by the route that creates",
    ("WebhookEndpointRequest", "url"): "optional in an update, required by the route that creates",
    ("WebhookEndpointRequest", "status"): "optional in an update, required by the route that creates",
    ("AccountRequest", "proxy"): "null takes it away, so that it is not an object alone",
    ("AccountRequest", "runtime_status"): "accepted and ignored, whatever it is",
    ("SendMessageRequest", "reply_to"): "a string, too: a token or a message id",
}


def ours(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation["path"]][operation["method"].lower()]
    return found


def resolved(shape: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in shape or "allOf" in shape or {"type": "null"} in shape.get("anyOf", []):
        if "anyOf" in shape:
            [shape] = [arm for arm in shape["anyOf"] if arm != {"type": "null"}]
            continue
        if "allOf" in shape:
            shape = shape["allOf"][0]
            continue
        shape = DOCUMENT["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return shape


def theirs(fact: dict[str, Any]) -> dict[str, Any]:
    while "ref" in fact:
        fact = FACTS["schemas"][fact["ref"]]
    return fact


def differences(name: str, fact: dict[str, Any], shape: dict[str, Any]) -> Iterator[str]:
    """What of a schema's facts our schema does not say, with its path."""
    fact, shape = theirs(fact), resolved(shape)
    kind = fact.get("kind")
    if kind == "object" and "fields" in fact:
        schema = name.rpartition("/")[2].partition(".")[0]
        properties = shape.get("properties", {})
        for field, wanted in fact["fields"].items():
            if (schema, field) in OTHERWISE:
                continue
            if field not in properties:
                yield f"{name}.{field}: missing"
                continue
            if wanted.get("required") and field not in shape.get("required", []):
                yield f"{name}.{field}: not required"
            inner = wanted.get("ref", field)
            yield from differences(f"{name}.{field}/{inner}", wanted, properties[field])
    elif fact.get("type") == "array":
        if shape.get("type") != "array":
            yield f"{name}: no array"
        else:
            inner = fact["items"].get("ref", "item")
            yield from differences(f"{name}[]/{inner}", fact["items"], shape["items"])
    elif "enum" in fact:
        missing = set(fact["enum"]) - set(shape.get("enum", fact["enum"]))
        if missing:
            yield f"{name}: lacks {sorted(missing)}"
    elif "type" in fact and shape.get("type", fact["type"]) != fact["type"]:
        yield f"{name}: {shape['type']} instead of {fact['type']}"


def test_every_operation_of_the_contract_is_there() -> None:
    known = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert {(o["path"], o["method"].lower()) for o in OPERATIONS.values()} <= known
    assert {o["operationId"] for o in OPERATIONS.values()} == {
        route.operation_id for route in ROUTES if not route.extension
    }


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_says_all_that_the_contract_says_of_it(operation: dict[str, Any]) -> None:
    mine = ours(operation)
    assert mine["operationId"] == operation["operationId"]
    parameters = {(p["in"], p["name"]): p for p in mine["parameters"]}
    for query in operation["query_params"]:
        assert ("query", query["name"]) in parameters
        assert parameters["query", query["name"]]["required"] == query["required"]
    assert ("header", "X-Request-Id") in parameters
    statuses = {int(status) for status in mine["responses"]}
    assert {operation["success_status"], *operation["error_statuses"]} <= statuses


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_body_has_every_field_of_the_contract(operation: dict[str, Any]) -> None:
    mine, wanted = ours(operation), operation["request_body"]
    if wanted is None:
        assert "requestBody" not in mine or not mine["requestBody"]["required"]
        return
    shape = mine["requestBody"]["content"]["application/json"]["schema"]
    assert mine["requestBody"]["required"] == wanted["required"]
    assert list(differences(wanted["schema"], {"ref": wanted["schema"]}, shape)) == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_an_answer_has_every_field_of_the_contract(operation: dict[str, Any]) -> None:
    response = ours(operation)["responses"][str(operation["success_status"])]
    if operation["success_status"] == 204:
        assert "content" not in response
        return
    data = response["content"]["application/json"]["schema"]["properties"]["data"]
    name = operation["response_data_schema"]
    fact: dict[str, Any] = {"ref": name}
    if name.startswith("array<"):
        fact = {"type": "array", "items": {"ref": name.removeprefix("array<").removesuffix(">")}}
    assert list(differences(name, fact, data)) == []


def test_every_event_is_a_webhook_with_its_schema_and_an_example() -> None:
    assert set(DOCUMENT["webhooks"]) == set(EventType)
    for event_type, webhook in DOCUMENT["webhooks"].items():
        body = webhook["post"]["requestBody"]["content"]["application/json"]
        schema = DOCUMENT["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
        assert schema["properties"]["type"]["const"] == body["example"]["type"] == event_type
        assert webhook["post"]["description"]


def test_every_operation_and_tag_is_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            assert any(status.startswith("4") for status in operation["responses"]), (method, path)
    assert all(tag["description"] for tag in DOCUMENT["tags"])


def test_the_document_is_whole() -> None:
    """Every reference leads somewhere, and operation ids are used once."""
    text = json.dumps(DOCUMENT)
    for name in set(text.split('"#/components/schemas/')[1:]):
        assert name.partition('"')[0] in DOCUMENT["components"]["schemas"]
    ids = [method["operationId"] for path in DOCUMENT["paths"].values() for method in path.values()]
    assert len(ids) == len(set(ids))
