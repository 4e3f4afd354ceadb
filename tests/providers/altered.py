"""JSON values that are almost as documented."""

import copy
from collections.abc import Iterator
from typing import Any

ODD: list[Any] = [None, "", "x", 0, -1, 10**400, 1e300, True, [], {}, [None], ["x"], [[]], [{}], {"x": 1}]


def altered(value: Any) -> Iterator[Any]:
    """The value with each part of it replaced by each odd value, and without it."""
    yield from ODD
    for key in [*value] if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []:
        for inner in altered(value[key]):
            made = copy.copy(value)
            made[key] = inner
            yield made
        made = copy.copy(value)
        del made[key]
        yield made
