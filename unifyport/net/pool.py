"""The connections to one place: those in use, and the idle ones, of which the last used is used first."""

from collections import deque
from typing import Generic, TypeVar

from .connection import Connection
from .sweeper import Sweeper

MAX_AGE = 300.0  # seconds that a connection is kept, because names get other addresses

C = TypeVar("C", bound=Connection)


class Pool(Generic[C]):
    """`open`: the number of connections, in use or idle. The sweeper closes those that are idle for long."""

    __slots__ = ("_closed", "_idle", "_sweeper", "open")

    def __init__(self, sweeper: Sweeper) -> None:
        self._sweeper = sweeper
        self._idle: deque[C] = deque()  # by the start of idleness, oldest first
        self._closed = False
        self.open = 0

    @property
    def idle(self) -> int:
        return len(self._idle)

    def add(self, connection: C) -> None:
        """A connection was opened, and is in use."""
        self.open += 1
        self._sweeper.add(connection)

    def take(self, now: float) -> C | None:
        """The last used idle connection that is still valid, to be used; those that are not are closed."""
        while self._idle:
            connection = self._idle.pop()
            if now - connection.born < MAX_AGE and not connection.stale():
                return connection
            self.drop(connection)
        return None

    def keep(self, connection: C, now: float) -> None:
        """See `Home`. A closed pool closes the connection."""
        if self._closed:
            self.drop(connection)
        else:
            connection.idle_since = now
            self._idle.append(connection)

    def drop(self, connection: C) -> None:
        self.open -= 1
        self._sweeper.remove(connection)
        connection.close()

    def retire(self, connection: C) -> None:
        self._idle.remove(connection)
        self.drop(connection)

    def retire_oldest(self) -> None:
        """Close the connection that is idle for longest."""
        self.drop(self._idle.popleft())

    def close(self) -> None:
        """Close the idle connections now, and those in use when their exchange has ended."""
        self._closed = True
        while self._idle:
            self.drop(self._idle.pop())
