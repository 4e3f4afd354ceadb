"""The tree as data: OTP's `which_children` and `count_children`, for every supervisor below one.

A supervisor that is itself a child is found by `ChildSpec.supervisor`. If it has more than `LISTED` children,
they are counted by phase and not listed.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

import attrs

from .phase import Phase

LISTED = 100  # the most children of one supervisor that are listed


class Snapshot(Protocol):
    """What every supervisor reports of a child. `since`: trio's clock."""

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
    """A child and, if it is a supervisor, the children below it. `counts`: its children by phase."""

    id: str
    phase: str
    since: float
    incarnations: int
    strategy: str | None = None
    counts: dict[str, int] = attrs.field(factory=dict)
    children: list["Node"] = attrs.field(factory=list)


def tree(supervisor: Supervisor) -> list[Node]:
    """The children of a supervisor and everything below them, in order; at most `LISTED` of a supervisor."""
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
