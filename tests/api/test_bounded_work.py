"""Every list and every open field of every request body, filled up to the longest body: no request computes
for long, and no refusal is long.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs

from tests.harness import Client, account, endpoint, gateway, settings_of
from tests.steps import watch_steps
from unifyport.api.app import ROUTES
from unifyport.api.http.routing import JSON, Route
from unifyport.model.json_depth import MAX_VALUES, too_many_values

LONGEST_STEP = 0.05  # seconds of CPU
LONGEST_REFUSAL = 64 * 1024  # bytes
LONGEST = 1024 * 1024 - 4096  # bytes of content
MOST = MAX_VALUES - 100  # values of content
UNKNOWN = ("unknown",)
PLACE = "the place of the content"
FILLS: tuple[Any, ...] = ({}, 0, {"a": 0}, [""])


def samples(kind: Any) -> Any:
    """A value that fits a type: no text is empty, a choice is its first one, an optional one is given."""
    origin, arms = get_origin(kind), get_args(kind)
    if origin is Annotated:
        choices = [each for note in arms[1:] for each in (note.extra_json_schema or {}).get("enum", ())]
        return choices[0] if choices else samples(arms[0])
    if origin in (Union, UnionType):
        return samples(max((arm for arm in arms if arm is not type(None)), key=attrs.has))
    if origin is Literal:
        return arms[0]
    if origin is list:
        return [samples(arms[0])]
    if isinstance(kind, type) and attrs.has(kind):
        fields = attrs.fields(attrs.resolve_types(kind))
        return {field.name: samples(field.type) for field in fields if field.default is attrs.NOTHING}
    return {str: "text", int: 1, bool: True}.get(kind, {})


def openings(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The path of each list and of each open field in a type, and the type of what is in it, if known."""
    origin, arms = get_origin(kind), get_args(kind)
    if origin in (Annotated, Union, UnionType):
        for arm in arms[:1] if origin is Annotated else arms:
            yield from openings(arm, path)
    elif origin is list:
        yield path, arms[0]
        yield from openings(arms[0], (*path, "[]"))
    elif isinstance(kind, type) and attrs.has(kind):
        for field in attrs.fields(attrs.resolve_types(kind)):
            yield from openings(field.type, (*path, field.name))
    elif kind in (Any, dict) or origin is dict:
        if path:
            yield path, None
        yield (*path, "more"), None


def with_content(kind: type, path: tuple[str, ...], content: str, known: dict[str, str]) -> bytes:
    """A body with JSON text at the path, as long as a body may be; lists on the way there have one item.
    `known`: fields that name what is there.
    """
    body = {**samples(kind), **known} if attrs.has(kind) else samples(kind)
    place: Any = body
    for step, following in zip(path, (*path[1:], None), strict=True):
        key: Any = 0 if step == "[]" else step
        if following is None:
            place[key] = PLACE
        elif following == "[]":
            if not isinstance(place.get(key), list):
                place[key] = [{}]
        elif step != "[]" and not isinstance(place.get(key), dict):
            place[key] = {}
        place = place[key]
    return json.dumps(body).replace(json.dumps(PLACE), content).encode()


def all_places() -> Iterator[tuple[Route, tuple[str, ...], Any]]:
    """Each list and each open field of each body, of the same class once unless it has fields, and an unknown
    field.
    """
    seen = set()
    for route in ROUTES:
        if route.body is None or route.consumes != JSON or route.body in seen:
            continue
        if not attrs.has(route.body):
            seen.add(route.body)
        yield from ((route, where, item) for where, item in openings(route.body))
        if route.operation_id == "sendMessage":
            yield route, UNKNOWN, None


PLACES = list(all_places())


def values_in(value: Any) -> int:
    if isinstance(value, dict | list):
        return 1 + sum(map(values_in, value.values() if isinstance(value, dict) else value))
    return 1


def contents(item: Any) -> Iterator[str]:
    """JSON texts with as many values as may be. `item`: the type in a list, if known."""
    for fill in FILLS:
        yield "[" + ",".join([json.dumps(fill)] * (MOST // values_in(fill))) + "]"
    yield "[" + ",".join([json.dumps(0 if item is None else samples(item))] * 1000) + "]"
    yield "{" + ",".join(f'"{number:x}":{{}}' for number in range(MOST)) + "}"


def longest() -> Iterator[str]:
    """JSON texts as long as may be."""
    for fill in ("{}", "[]", '""', '","', '{"a":[[]]}'):
        yield "[" + ",".join([fill] * (LONGEST // (len(fill) + 1))) + "]"
    yield json.dumps({"k" * LONGEST: 1})
    yield json.dumps(", " * (LONGEST // 2))
    yield json.dumps('"' * (LONGEST // 2))
    yield "9" * LONGEST


async def known_ids(client: Client) -> dict[str, str]:
    """What the paths of routes name."""
    [bot] = await client.data("GET", "/v1/accounts")
    [receiver] = await client.data("GET", "/v1/webhook-endpoints")
    return {
        "account_id": bot["id"],
        "endpoint_id": receiver["id"],
        "item_id": "0",
        "key_id": "ak_none",
        "delivery_id": "dlv_none",
    }


async def test_no_body_holds_the_loop(tmp_path: Path) -> None:
    more = account() + endpoint("http://127.0.0.1:9/hook")
    async with gateway(settings_of(tmp_path, more=more)) as client:
        ids = await known_ids(client)
        with watch_steps() as steps:
            for route, where, item in PLACES:
                path = route.path.format(**ids)
                known = {"account_id": ids["account_id"]} if hasattr(route.body, "account_id") else {}
                for content in longest() if where == UNKNOWN else contents(item):
                    assert route.body is not None
                    body = with_content(route.body, where, content, known)
                    response = await client(route.method, path, content=body, headers={"content-type": JSON})
                    took = steps.take()
                    assert took < LONGEST_STEP, (route.operation_id, where, content[:40], took)
                    assert response.is_success or len(response.content) <= LONGEST_REFUSAL, where


def test_values_are_counted_outside_of_texts() -> None:
    assert not too_many_values(json.dumps({"text": "[{,}]" * 100, 'quo"te': "\\"}).encode(), 2)
    assert too_many_values(b'["\\"",1,{"a":2}]', 3)
    assert not too_many_values(b'["\\"",1,{"a":2}]', 5)


async def test_twenty_problems_are_told_once(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as client:
        body = {"account_id": "a", "to": {"id": "1", "type": "user"}, "mentions": [0] * 1000}
        body["message"] = {"type": "contact", "contacts": [{}] * 500}
        response = await client("POST", "/v1/messages", body)
        error = response.json()["error"]
        assert response.status_code == 400
        assert len(error["problems"]) == 20
        assert len(response.content) < 4096
        body["mentions"] = [0] * 1001
        response = await client("POST", "/v1/messages", {**body, "message": {"type": "text"}})
        assert response.json()["error"]["problems"] == ["mentions: may have at most 1000 items"]
