"""Long computations in slices: a loop over many items gives the event loop back every few milliseconds.

While a task computes nothing else runs. A loop whose items are few costs no checkpoint; one whose items are
many passes a checkpoint whenever a slice is used up, however long each item takes. One item is never cut. Of
all computations that are cut, one continues in each turn of the loop: many together make a turn no longer.
"""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import trio

from .turnstile import Turnstile

T = TypeVar("T")
R = TypeVar("R")

SLICE = 0.002  # seconds

_OF_THIS_RUN: trio.lowlevel.RunVar[Turnstile] = trio.lowlevel.RunVar("slices")


class Slices:
    """Begin it where the computation begins."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def pause(self) -> None:
        """Let all other tasks run if the slice is used up. Not a checkpoint otherwise."""
        if time.perf_counter() - self._began >= SLICE:
            await trio.lowlevel.checkpoint()
            await _of_this_run().enter()
            self._began = time.perf_counter()


async def map_in_slices(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """`function` of each item, in order. Not a checkpoint if that takes less than a slice."""
    slices, found = Slices(), list[R]()
    for item in items:
        found.append(function(item))
        await slices.pause()
    return found


def _of_this_run() -> Turnstile:
    try:
        return _OF_THIS_RUN.get()
    except LookupError:
        made = Turnstile(per_turn=1)
        trio.lowlevel.add_instrument(made)
        _OF_THIS_RUN.set(made)
        return made
