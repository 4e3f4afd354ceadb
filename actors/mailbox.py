"""A bounded mailbox: many senders, one receiver that takes whole batches.

To hand over one message costs a full round of the scheduler, and so does a batch. The receiver passes exactly
one checkpoint for each batch, so it stays fair and can be cancelled. Nothing is removed from the mailbox
before that checkpoint: a cancelled receiver loses nothing.

The mailbox is bounded by the number of messages, and by their bytes as the senders state them. While any
sender waits, a new one waits, too. Messages are first in, first out, or with `key_of` they are that for each
key (an account) and keys take turns: among the messages that have come in, and among the senders that wait.
So a flood of one account delays the others by its share only.

Most mailboxes of many accounts never get a message: a queue is made for the first one that comes.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import trio
from outcome import Error, Value
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from .queues import FairQueue, FifoQueue, Queue

T = TypeVar("T")

CAPACITY = 256
MAX_BYTES = 4 * 1024 * 1024
BATCH = 64

_NOTHING: Queue[Any] = FifoQueue()  # the queue of every mailbox before its first message
_Senders = OrderedDict[Task, Any]  # of one key, with the items and their sizes
_NO_SENDERS: OrderedDict[Hashable, _Senders] = OrderedDict()  # of every mailbox before the first one waits


class MailboxClosed(Exception):
    """The mailbox was closed: it takes no more messages."""


class Mailbox(Generic[T]):
    __slots__ = (
        "_bytes",
        "_capacity",
        "_closed",
        "_interrupted",
        "_items",
        "_key_of",
        "_max_bytes",
        "_receiver",
        "_senders",
    )

    def __init__(
        self,
        capacity: int = CAPACITY,
        max_bytes: int = MAX_BYTES,
        key_of: Callable[[T], Hashable] | None = None,
    ) -> None:
        self._key_of = key_of
        self._items: Queue[tuple[T, int]] = _NOTHING
        self._senders: OrderedDict[Hashable, _Senders] = _NO_SENDERS  # by key, none of them is empty
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
        return sum(map(len, self._senders.values()))

    def put_nowait(self, item: T, size: int = 0) -> bool:
        """Put without waiting; False if the mailbox is full. Raises `MailboxClosed`."""
        if self._closed:
            raise MailboxClosed
        if self._senders or not self._has_room(size):
            return False
        self._append(item, size)
        return True

    async def put(self, item: T, size: int = 0) -> None:
        """Put, after waiting for room behind earlier senders of its key. Cancelled: the item was not put.

        Not a checkpoint if there is room. Raises `MailboxClosed`.
        """
        if self.put_nowait(item, size):
            return
        task, key = current_task(), None if self._key_of is None else self._key_of(item)
        if self._senders is _NO_SENDERS:
            self._senders = OrderedDict()
        of_key = self._senders.setdefault(key, OrderedDict())
        of_key[task] = (item, size)

        def abort(_: object) -> Abort:
            del of_key[task]
            if not of_key:
                del self._senders[key]
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
        for of_key in self._senders.values():
            for task in of_key:
                reschedule(task, Error(MailboxClosed()))
        self._senders = _NO_SENDERS
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

    def _new_queue(self) -> Queue[tuple[T, int]]:
        key_of = self._key_of
        return FifoQueue() if key_of is None else FairQueue(lambda entry: key_of(entry[0]))

    def _wake_receiver(self) -> None:
        if self._receiver is not None:
            receiver, self._receiver = self._receiver, None
            reschedule(receiver, Value(None))

    def _admit_senders(self) -> None:
        """Let senders put as far as there is room: one of each key, then the next one of each."""
        while self._senders:
            key, of_key = next(iter(self._senders.items()))
            task, (item, size) = next(iter(of_key.items()))
            if not self._has_room(size):
                return
            del of_key[task]
            if of_key:
                self._senders.move_to_end(key)
            else:
                del self._senders[key]
            self._append(item, size)
            reschedule(task, Value(None))
