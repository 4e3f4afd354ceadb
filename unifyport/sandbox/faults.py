"""Faults that can be ordered from a local platform, for a number of calls or for some seconds."""

from typing import Any, Literal, get_args

import attrs
import trio

Kind = Literal[
    "disconnect",
    "error_500",
    "rate_limit",
    "delay",
    "logout",
    "conflict",
    "duplicate",
    "garbage",
    "lost_answer",
    "limits",
]
KINDS: tuple[str, ...] = get_args(Kind)


@attrs.define
class Fault:
    """Applies to `count` calls, or until `until` (trio's clock); only to calls of `method` if it is not None.

    `value`: seconds, of a delay or a `retry_after`. `limits`: the platform enforces its send limits.
    """

    kind: str
    count: float = 1
    until: float = float("inf")
    value: float = 1.0
    method: str | None = None


class Faults:
    def __init__(self) -> None:
        self._active: list[Fault] = []

    def add(self, order: dict[str, Any]) -> Fault:
        """Add a fault from a control request; returns it. Raises `ValueError` naming the wrong field."""
        kind = order.get("kind")
        if kind not in KINDS:
            raise ValueError(f"kind: must be one of {', '.join(KINDS)}")
        fault = Fault(kind, value=_number(order, "value", 1.0))
        if "method" in order:
            fault.method = str(order["method"]).lower()
        if "seconds" in order:
            fault.count = float("inf")
            fault.until = trio.current_time() + _number(order, "seconds", 1.0)
        else:
            fault.count = _number(order, "count", 1)
        self._active.append(fault)
        return fault

    def clear(self) -> None:
        self._active.clear()

    def next(self, method: str, *kinds: str) -> Fault | None:
        """The first active fault of these kinds for a call of `method`, whose count drops by one; or None."""
        now = trio.current_time()
        self._active = [fault for fault in self._active if fault.count > 0 and fault.until > now]
        for fault in self._active:
            if fault.kind in kinds and fault.method in (None, method.lower()):
                fault.count -= 1
                return fault
        return None


def _number(order: dict[str, Any], name: str, default: float) -> float:
    value = order.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name}: must be a number of at least 0")
    return float(value)
