"""JSON that a decoder refuses, made readable."""

import json
from typing import Any

import msgspec
import pytest

from unifyport.model.json_depth import too_deep
from unifyport.model.json_text import KEPT_DEPTH, readable

DEEP = "[" * 100_000 + "]" * 100_000
QUOTED = "what was too deep"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f'{{"a":1,"b":{DEEP},"c":"]]"}}', {"a": 1, "b": QUOTED, "c": "]]"}),
        (f'[{{"a":{DEEP}}},{{"b":"\\"["}},2]', [{"a": QUOTED}, {"b": '"['}, 2]),
        ('{"a":"\\ud83d"}', {"a": "\ufffd"}),
    ],
)
def test_what_nests_too_deeply_is_quoted_alone(text: str, value: Any) -> None:
    repaired = readable(text.encode())
    got = msgspec.json.decode(repaired)
    assert depth_of(got) <= KEPT_DEPTH
    assert too_deep(repaired) is (DEEP in text)  # so that it is seen that it was
    assert innermost(got) == value


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


def innermost(value: Any) -> Any:
    """With the text alone in place of lists around a quoted one."""
    if isinstance(value, dict):
        return {name: innermost(each) for name, each in value.items()}
    if isinstance(value, list):
        items = [innermost(each) for each in value]
        if len(items) == 1 and isinstance(items[0], str):
            return QUOTED if items[0].strip("[]") == "" else items[0]
        return items
    return value
