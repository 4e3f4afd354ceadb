"""How long each task computes without giving the loop back."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import trio

from unifyport.process import garbage


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
