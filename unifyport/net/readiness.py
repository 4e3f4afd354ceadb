"""Waits until sockets are readable, with one persistent, edge-triggered registration for each.

`trio.lowlevel.wait_readable` registers a socket anew for each wait, which costs as much as the wait itself.
These sockets are registered once, with an epoll of their own. It is read at the beginning of each turn of
trio's loop, and a task that waits for it wakes the loop.
"""

import select

import trio

from supervisors.instruments import raises_nothing, report_failure

_EDGES = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_END = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_MOST = 1024  # events of one turn; the others are of the next


class Readable:
    """Whether a socket may have something to read. One task at a time may wait for it.

    An edge is reported once: `drained` says that all of it was read.
    """

    __slots__ = ("_descriptor", "_ended", "_readiness", "_task", "ready")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._readiness: Readiness | None = None
        self._task: trio.lowlevel.Task | None = None
        self._ended = False  # the end is readable, for ever
        self.ready = False

    async def wait(self) -> None:
        """Return once the socket may be readable; a checkpoint always. Raises `ClosedResourceError`."""
        if self._descriptor < 0:
            raise trio.ClosedResourceError
        if self._readiness is None:
            self._readiness = readiness()
            self._readiness.add(self._descriptor, self)
        if self.ready:
            await trio.lowlevel.checkpoint()
            return
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)
        if self._descriptor < 0:
            raise trio.ClosedResourceError

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def drained(self, *, empty: bool = False) -> None:
        """Less was read than was asked for; or nothing at all, as the socket would block (`empty`)."""
        self.ready = self._ended and not empty

    def report(self, events: int) -> None:
        """There are events. Only `Readiness` calls this."""
        self.ready = True
        if events & _END:
            self._ended = True
        self._wake()

    def close(self) -> None:
        """The socket is about to be closed: wake the task that waits. May be called again."""
        if self._readiness is not None:
            self._readiness.remove(self._descriptor)
            self._readiness = None
        self._descriptor = -1
        self._wake()

    def _wake(self) -> None:
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None


class Readiness(trio.abc.Instrument):
    """One for each run of trio (`readiness`). An instrument, because only instruments see a turn begin."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Readable] = {}

    def add(self, descriptor: int, watched: Readable) -> None:
        self._watched[descriptor] = watched
        self._epoll.register(descriptor, _EDGES)

    def remove(self, descriptor: int) -> None:
        """Must be called before the descriptor is closed."""
        del self._watched[descriptor]
        self._epoll.unregister(descriptor)

    @raises_nothing
    def after_io_wait(self, timeout: float) -> None:
        """A turn begins."""
        for descriptor, events in self._epoll.poll(0, _MOST):
            if (watched := self._watched.get(descriptor)) is not None:
                try:
                    watched.report(events)
                except Exception:  # the others of this turn are not reported again
                    report_failure(Readable.report.__qualname__)

    async def run(self) -> None:
        """Wake trio's loop when there are events; ends with the run."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
        finally:
            trio.lowlevel.remove_instrument(self)
            self._epoll.close()


_OF_THIS_RUN: trio.lowlevel.RunVar[Readiness] = trio.lowlevel.RunVar("readiness")


def readiness() -> Readiness:
    """The readiness of this run of trio; made on the first call."""
    try:
        return _OF_THIS_RUN.get()
    except LookupError:
        made = Readiness()
        trio.lowlevel.add_instrument(made)
        trio.lowlevel.spawn_system_task(made.run)
        _OF_THIS_RUN.set(made)
        return made
