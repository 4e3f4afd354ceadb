"""A reply: one answer for one waiter.

It is made before the message that asks for it is sent. An answer whose waiter was cancelled is dropped; a
second answer is a bug and raises `RuntimeError`.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
import trio
from outcome import Value
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

T = TypeVar("T")

_PENDING = object()


@attrs.frozen
class Failed:
    """The answer of an actor that could not do the work: nothing was committed, so acknowledge nothing."""

    reason: str


class Reply(Generic[T]):
    """`on_answer` is called with the answer, synchronously, before the waiter runs; it must not raise."""

    __slots__ = ("_answer", "_on_answer", "_waiter")

    def __init__(self, on_answer: Callable[[T], None] | None = None) -> None:
        self._answer: object = _PENDING
        self._on_answer = on_answer
        self._waiter: Task | None = None

    @property
    def answered(self) -> bool:
        return self._answer is not _PENDING

    def answer(self, value: T) -> None:
        """Give the answer. Never blocks and passes no checkpoint. Raises `RuntimeError` the second time."""
        if self.answered:
            raise RuntimeError("a reply is answered once")
        self._answer = value
        if self._on_answer is not None:
            self._on_answer(value)
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            reschedule(waiter, Value(None))

    @property
    def awaited(self) -> bool:
        """Whether a task waits for the answer and will get it. False as soon as that wait is cancelled."""
        return self._waiter is not None

    async def wait(self) -> T:
        """Wait for the answer. Cancelled: a later answer is dropped."""
        if self.answered:
            await trio.lowlevel.checkpoint()
        else:
            self._waiter = current_task()

            def abort(_: object) -> Abort:
                self._waiter = None
                return Abort.SUCCEEDED

            await wait_task_rescheduled(abort)
        return self._answer  # type: ignore[return-value]
