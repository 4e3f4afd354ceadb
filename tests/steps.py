"""How long each task computes without giving the loop back."""

import gc
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import attrs
import trio

from unifyport.process import garbage

LIMIT = 0.005  # seconds of one step of ordinary work
TRIES = 5
_USUAL = (
    0.0021  # seconds of `_fixed_work` on the machine for which `LIMIT` was set, while it does nothing else
)


@attrs.define(eq=False)
class Steps(trio.abc.Instrument):
    """The longest step of any task but `beside`, in seconds of CPU: a busy machine is no fault."""

    beside: trio.lowlevel.Task
    longest: float = 0.0
    _began: float = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is not self.beside and garbage.__name__ not in task.name:
            self.longest = max(self.longest, time.thread_time() - self._began)

    def take(self) -> float:
        """The longest step since the last call."""
        longest, self.longest = self.longest, 0.0
        return longest


@contextmanager
def watch_steps() -> Iterator[Steps]:
    """Watch the tasks of this loop, except the one that calls and the one that collects garbage."""
    steps = Steps(trio.lowlevel.current_task())
    gc.collect()
    gc.disable()
    trio.lowlevel.add_instrument(steps)
    try:
        yield steps
    finally:
        trio.lowlevel.remove_instrument(steps)
        gc.enable()


async def longest_step(steps: Steps, work: Callable[[int], Awaitable[object]]) -> float:
    """The longest step while `work` is done, in seconds of the machine for which `LIMIT` was set.

    What runs beside slows a step down, so one over the limit is tried again, with the number of the try.
    """
    best = math.inf
    for number in range(TRIES):
        slowness = _slowness()
        steps.take()
        await work(number)
        best = min(best, steps.take() / max(slowness, _slowness()))
        if best <= LIMIT:
            break
    return best


def _slowness() -> float:
    """How many times longer fixed work takes now than usual; at least 1."""
    began = time.thread_time()
    _fixed_work()
    return max(1.0, (time.thread_time() - began) / _USUAL)


def _fixed_work() -> int:
    return sum(len({"text": str(number)}["text"]) for number in range(10_000))
