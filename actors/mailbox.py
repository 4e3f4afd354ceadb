"""A bounded mailbox: many senders, one receiver that takes whole batches.

To hand over one message costs a full round of the scheduler, and so does a batch. The receiver passes exactly
one checkpoint for each batch, so it stays fair and can be cancelled. Nothing is removed from the mailbox
before that checkpoint: a cancelled receiver loses nothing.

Senders are strictly first in, first out: while any sender waits, a new one waits behind it. The mailbox is
bounded by the number of messages, and by their bytes as the senders state them. What has come in is taken in
the order of its queue: first in, first out, or fair between accounts.

Most mailboxes of many accounts never get a message: a queue is made for the first one that comes.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import trio
from outcome import Error, Value
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from .queues import FifoQueue, Queue

T = TypeVar("T")

CAPACITY = 256
MAX_BYTES = 4 * 1024 * 1024
BATCH = 64

_NOTHING: Queue[Any] = FifoQueue()  # the queue of every mailbox before its first message
_NO_SENDERS: OrderedDict[Task, Any] = OrderedDict()  # the senders of every mailbox before the first one waits


class MailboxClosed(Exception):
    """The mailbox was closed: it takes no more messages."""


class Mailbox(Generic[T]):
    __slots__ = (
        "_bytes",
        "_capacity",
        "_closed",
        "_interrupted",
        "_items",
        "_max_bytes",
        "_new_queue",
        "_receiver",
        "_senders",
    )

    def __init__(
        self,
        capacity: int = CAPACITY,
        max_bytes: int = MAX_BYTES,
        new_queue: Callable[[], Queue[tuple[T, int]]] = FifoQueue,
    ) -> None:
        self._new_queue = new_queue
        self._items: Queue[tuple[T, int]] = _NOTHING
        self._senders: OrderedDict[Task, tuple[T, int]] = _NO_SENDERS
        self._receiver: Task | None = None
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._bytes = 0
        self._closed = False
        self._interrupted = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def interrupted(self) -> bool:
        """Whether the receiver's next `take` returns although nothing may have come."""
        return self._interrupted

    @property
    def waiting_senders(self) -> int:
        return len(self._senders)

    def put_nowait(self, item: T, size: int = 0) -> bool:
        """Put without waiting; False if the mailbox is full. Raises `MailboxClosed`."""
        if self._closed:
            raise MailboxClosed
        if self._senders or not self._has_room(size):
            return False
        self._append(item, size)
        return True

    async def put(self, item: T, size: int = 0) -> None:
        """Put, after waiting for room behind earlier senders. Cancelled: the item was not put.

        Not a checkpoint if there is room. Raises `MailboxClosed`.
        """
        if self.put_nowait(item, size):
            return
        task = current_task()
        if self._senders is _NO_SENDERS:
            self._senders = OrderedDict()
        self._senders[task] = (item, size)

        def abort(_: object) -> Abort:
            del self._senders[task]
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    async def take(self, most: int = BATCH) -> list[T]:
        """Take at least one and at most `most` items, none only after `interrupt`. Exactly one checkpoint.

        Raises `MailboxClosed` if the mailbox is closed and empty.
        """
        if self._items or self._closed or self._interrupted:
            await trio.lowlevel.checkpoint()
        else:
            if self._receiver is not None:
                raise trio.BusyResourceError("a mailbox has one receiver")
            self._receiver = current_task()
            await wait_task_rescheduled(self._receiver_cancelled)
        if self._closed and not self._items:
            raise MailboxClosed
        self._interrupted = False
        batch: list[T] = []
        for item, size in self._items.take(most):
            self._bytes -= size
            batch.append(item)
        if self._senders:
            self._admit_senders()
        return batch

    def interrupt(self) -> None:
        """Make the receiver's next `take` return even if the mailbox is empty."""
        self._interrupted = True
        self._wake_receiver()

    def close(self) -> None:
        """Refuse new messages; senders that wait get `MailboxClosed`."""
        self._closed = True
        while self._senders:
            task, _ = self._senders.popitem(last=False)
            reschedule(task, Error(MailboxClosed()))
        self._wake_receiver()

    def _receiver_cancelled(self, _: object) -> Abort:
        self._receiver = None
        return Abort.SUCCEEDED

    def _has_room(self, size: int) -> bool:
        if len(self._items) >= self._capacity:
            return False
        return self._bytes + size <= self._max_bytes or not self._items

    def _append(self, item: T, size: int) -> None:
        if self._items is _NOTHING:
            self._items = self._new_queue()
        self._items.append((item, size))
        self._bytes += size
        self._wake_receiver()

    def _wake_receiver(self) -> None:
        if self._receiver is not None:
            receiver, self._receiver = self._receiver, None
            reschedule(receiver, Value(None))

    def _admit_senders(self) -> None:
        while self._senders:
            task, (item, size) = next(iter(self._senders.items()))
            if not self._has_room(size):
                return
            del self._senders[task]
            self._append(item, size)
            reschedule(task, Value(None))
