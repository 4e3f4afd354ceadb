"""The newest events in memory: readers that have come to the end of the log share one read of what is new.

An event stays for `KEPT_SECONDS`. A reader that is further behind reads the store by itself. Nothing is read
while no reader follows the log.
"""

from collections import deque

import attrs
import trio

from unifyport.fleet.doorbells import EVENTS_TOPIC, Bus
from unifyport.storage.contract import LoggedEvent, Store

PAGE = 100  # events, of the store or of the tail, that a reader takes at once
POLL_SECONDS = 1.0
KEPT_SECONDS = 5.0
MOST_BYTES = 4 * 1024**2  # of bodies
_READ_AT_ONCE = 500
_EVERY_KIND = -1  # all bits


@attrs.frozen
class Selection:
    """Which events: kinds by their bits, of one account or of all."""

    mask: int
    account_no: int | None = None

    def takes(self, event: LoggedEvent) -> bool:
        of_account = self.account_no is None or event.account_no == self.account_no
        return of_account and bool(self.mask >> event.kind & 1)


@attrs.define(eq=False)
class TailEvent:
    """`line`: what readers are shown, written by the first of them."""

    event: LoggedEvent
    read_at: float
    line: bytes = b""


class LogTail:
    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._events: deque[TailEvent] = deque()
        self._bytes = 0
        self._begin = self._end = -1  # every event between these positions is here
        self._bell = -1  # as it was before the last read ...
        self._read_at = -KEPT_SECONDS  # ... which ended then
        self._reading: trio.Event | None = None

    async def refresh(self) -> int:
        """Read what was committed before the call. The position that the tail reaches.

        Raises `StoreUnavailable`. Cancelled: another one that waits reads.
        """
        wanted = self._bus.count(EVENTS_TOPIC)
        while self._bell < wanted or self._age >= POLL_SECONDS:
            if self._reading is None:
                await self._read()
            else:
                await self._reading.wait()
        return self._end

    def take(self, selection: Selection, position: int) -> tuple[list[TailEvent], int] | None:
        """At most `PAGE` events after a position, and the position after those that were looked at.

        None: the tail does not go back so far.
        """
        if position < self._begin or self._begin < 0:
            return None
        newer = list[TailEvent]()
        for each in reversed(self._events):
            if each.event.seq <= position:
                break
            newer.append(each)
        newer.reverse()
        page = newer[:PAGE]
        upto = page[-1].event.seq if len(newer) > PAGE else max(position, self._end)
        return [each for each in page if selection.takes(each.event)], upto

    @property
    def end(self) -> int:
        """The position that it reaches."""
        return self._end

    @property
    def _age(self) -> float:
        return trio.current_time() - self._read_at

    async def _read(self) -> None:
        done = self._reading = trio.Event()
        try:
            bell = self._bus.count(EVENTS_TOPIC)
            if self._end < 0 or self._age >= KEPT_SECONDS:  # no reader followed the log meanwhile
                self._events.clear()
                self._bytes = 0
                self._begin = self._end = await self._store.newest_position()
                events = list[LoggedEvent]()
            else:
                events = await self._store.events(self._end, _READ_AT_ONCE, mask=_EVERY_KIND)
            self._read_at = trio.current_time()
            self._add(events)
            if len(events) < _READ_AT_ONCE:
                self._bell = bell
        finally:
            self._reading = None
            done.set()

    def _add(self, events: list[LoggedEvent]) -> None:
        for event in events:
            self._events.append(TailEvent(event, self._read_at))
            self._bytes += len(event.body)
            self._end = event.seq
        oldest = self._read_at - KEPT_SECONDS
        while self._events and (self._bytes > MOST_BYTES or self._events[0].read_at < oldest):
            event = self._events.popleft().event
            self._bytes -= len(event.body)
            self._begin = event.seq
