"""JSON that a decoder refuses, made readable."""

import json
from typing import Any

import msgspec
import pytest

from unifyport.model.json_depth import MAX_DEPTH
from unifyport.model.json_text import readable

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f'{{"a":1,"b":{DEEP},"c":"]]"}}', {"a": 1, "c": "]]"}),
        (f'[{{"a":{DEEP}}},{{"b":"\\"["}},2]', [{}, {"b": '"['}, 2]),
        ('{"a":"\\ud83d"}', {"a": "\ufffd"}),
    ],
)
def test_what_nests_too_deeply_is_left_out_alone(text: str, value: Any) -> None:
    got = msgspec.json.decode(readable(text.encode()))
    assert depth_of(got) <= MAX_DEPTH
    assert without_lists(got) == value


@pytest.mark.parametrize(
    "text", ["[" * 200, "]" * 200, '{"a":' * 200 + '"', json.dumps({"a": [1, {"b": "}"}]})]
)
def test_any_other_text_is_left_as_it_is(text: str) -> None:
    assert readable(text.encode()) == text.encode()


def depth_of(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(
        (depth_of(each) for each in (value.values() if isinstance(value, dict) else value)), default=0
    )


def without_lists(value: Any) -> Any:
    """Without the remains of what was too deep."""
    if isinstance(value, dict):
        kept = {name: without_lists(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each is not None}
    if isinstance(value, list):
        kept_items = [each for each in map(without_lists, value) if each is not None]
        return kept_items or None
    return value
