"""The queues of mailboxes."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

MOST_OF_ONE = 64  # items of one key that are taken at once while other keys have some


class Queue(Protocol[T]):
    def __len__(self) -> int: ...

    def append(self, item: T, /) -> None: ...

    def take(self, most: int) -> list[T]:
        """Remove and return the next items."""


class FifoQueue(deque[T]):
    """First in, first out."""

    def take(self, most: int) -> list[T]:
        return [self.popleft() for _ in range(min(most, len(self)))]


class FairQueue(Generic[T]):
    """First in, first out for each key, round-robin between keys. `key_of`: to whom an item belongs."""

    __slots__ = ("_key_of", "_length", "_queues")

    def __init__(self, key_of: Callable[[T], Hashable]) -> None:
        self._key_of = key_of
        self._queues: OrderedDict[Hashable, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, item: T) -> None:
        self._length += 1
        key = self._key_of(item)
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque((item,))
        else:
            queue.append(item)

    def take(self, most: int) -> list[T]:
        taken: list[T] = []
        if len(self._queues) == 1:
            [(key, queue)] = self._queues.items()
            taken.extend(queue.popleft() for _ in range(min(most, len(queue))))
            if not queue:
                del self._queues[key]
        else:
            for _ in range(MOST_OF_ONE):
                self._take_one_of_each(taken, most)
                if len(taken) >= most or not self._queues:
                    break
        self._length -= len(taken)
        return taken

    def _take_one_of_each(self, taken: list[T], most: int) -> None:
        for _ in range(min(most - len(taken), len(self._queues))):
            key, queue = self._queues.popitem(last=False)
            taken.append(queue.popleft())
            if queue:
                self._queues[key] = queue
