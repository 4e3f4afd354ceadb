"""Short reads that wait at the same time are done together, by one call of a thread.

A thread call costs several times the work of a look-up by key. In a crowd, a hundred look-ups share one.
"""

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import trio

T = TypeVar("T")
MOST = 128  # reads done together

Query = Callable[[sqlite3.Connection], T]


@attrs.define(eq=False)
class _Job:
    query: Query[Any]
    done: bool = False
    result: Any = None
    error: Exception | None = None
    wake: trio.Event = attrs.field(factory=trio.Event)


class JointReads:
    """`read` calls a query in a thread; one call is in progress at a time.

    Queries must be short, as the others of a call wait for them. A query that raises ends its whole call: all
    that shared it get the error.
    """

    def __init__(self, read: Callable[[Query[None]], Awaitable[None]]) -> None:
        self._read = read
        self._waiting: deque[_Job] = deque()
        self._reading = False

    async def do(self, query: Query[T]) -> T:
        """What the query returns; it begins after this was called. Raises what `read` raises.

        Cancelled: the query may be done all the same.
        """
        job = _Job(query)
        self._waiting.append(job)
        try:
            while not job.done:
                if self._reading:
                    await job.wake.wait()
                    job.wake = trio.Event()
                else:
                    await self._read_next()
        finally:
            if not job.done:
                if job in self._waiting:
                    self._waiting.remove(job)
                self._wake_next()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    async def _read_next(self) -> None:
        """Do the reads that wait. Cancelled before they begin: they wait on."""
        jobs = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]

        def do_all(db: sqlite3.Connection) -> None:
            for job in jobs:
                job.result = job.query(db)

        self._reading = True
        try:
            await self._read(do_all)
        except Exception as error:
            self._conclude(jobs, error)
        except BaseException:
            self._waiting.extendleft(reversed(jobs))
            raise
        else:
            self._conclude(jobs, None)
        finally:
            self._reading = False
            self._wake_next()

    @staticmethod
    def _conclude(jobs: list[_Job], error: Exception | None) -> None:
        for job in jobs:
            job.done, job.error = True, error
            job.wake.set()

    def _wake_next(self) -> None:
        if not self._reading and self._waiting:
            self._waiting[0].wake.set()
