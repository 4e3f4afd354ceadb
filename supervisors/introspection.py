"""The tree as data: OTP's `which_children` and `count_children`, for every supervisor below one.

A supervisor that is itself a child is known by `ChildSpec.supervisor`. A crowd of children is counted by
phase and not listed: ten thousand lines say less than one.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

import attrs

from .phase import Phase

LISTED = 100  # children of one supervisor that are listed one by one


class Snapshot(Protocol):
    """What every supervisor says of a child; `since` is trio's clock."""

    @property
    def id(self) -> str: ...
    @property
    def incarnations(self) -> int: ...
    @property
    def phase(self) -> Phase: ...
    @property
    def since(self) -> float: ...


class Supervisor(Protocol):
    strategy: str

    def which_children(self) -> Iterable[Snapshot]: ...
    def supervisor_of(self, child_id: str) -> "Supervisor | None": ...


@attrs.frozen
class Node:
    """A child, and what is below it if it is a supervisor. `counts`: its children by phase."""

    id: str
    phase: str
    since: float
    incarnations: int
    strategy: str | None = None
    counts: dict[str, int] = attrs.field(factory=dict)
    children: list["Node"] = attrs.field(factory=list)


def tree(supervisor: Supervisor) -> list[Node]:
    """The children of a supervisor and everything below them, in their order;
    no more than `LISTED` of one.
    """
    return [
        _node(supervisor, child) for child, _ in zip(supervisor.which_children(), range(LISTED), strict=False)
    ]


def count_children(supervisor: Supervisor) -> dict[str, int]:
    return dict(Counter(child.phase.value for child in supervisor.which_children()))


def _node(parent: Supervisor, child: Snapshot) -> Node:
    below = parent.supervisor_of(child.id)
    if below is None:
        return Node(child.id, child.phase.value, child.since, child.incarnations)
    counts = count_children(below)
    listed = tree(below) if sum(counts.values()) <= LISTED else []
    return Node(child.id, child.phase.value, child.since, child.incarnations, below.strategy, counts, listed)
