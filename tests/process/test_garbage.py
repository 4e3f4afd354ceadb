"""The schedule of the garbage collector: what lives is not examined again and again, garbage goes."""

import gc
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from unifyport.process import garbage
from unifyport.process.garbage import Garbage, tame


class Node:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self
        self.load = [str(number) for number in range(20)]


@pytest.fixture
def collector() -> Iterator[Garbage]:
    tame()
    yield Garbage()
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def pauses() -> Iterator[list[float]]:
    """Seconds of computing of each collection, whatever else the machine does."""
    found, began = list[float](), 0.0

    def note(phase: str, info: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time()
        else:
            found.append(time.thread_time() - began)

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


async def test_no_collection_is_long_however_much_is_live(collector: Garbage, pauses: list[float]) -> None:
    live = list[Any]()
    for _ in range(60):
        live += [{"a": [number], "b": (number, {})} for number in range(10_000)]
        collector.look()
    whole = time.thread_time()
    gc.unfreeze()
    gc.collect()
    whole = time.thread_time() - whole
    longest = max(pauses[:-1])
    assert longest < 0.05
    assert longest < whole / 4  # all objects at once
    assert len(live) == 600_000


async def test_cycles_that_lived_for_a_while_are_found(
    collector: Garbage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they die young, or after they have become old, while others live on."""
    live, nodes = list[Any](), list[weakref.ref[Node]]()
    held = list[Node]()
    for turn in range(100):
        held.append(Node())
        nodes += [weakref.ref(held[-1]), weakref.ref(Node())]
        live += [[number] for number in range(200)]
        if turn % 10 == 9:
            held.clear()
        collector.look()
    monkeypatch.setattr(garbage, "EXAMINED", 1000)
    live += [[number] for number in range(1000)]
    collector.look()
    assert not [node for node in nodes if node() is not None]
