"""What an account has handed over and the disk does not hold yet, as its readers see it."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import attrs
import trio

from unifyport.model.unit import Unit

Place = tuple[str, bytes]  # name and key of a session record
Values = dict[Place, bytes | None]  # None: deleted


@attrs.define(eq=False)
class Since:
    """What was handed over since a read began: the store may have answered before it."""

    values: Values = attrs.field(factory=dict)
    keys: set[bytes] = attrs.field(factory=set)


class InFlight:
    """The units of one session that are not answered. `newest`: what their changes will make of records."""

    def __init__(self) -> None:
        self.newest: Values = {}
        self.keys: Counter[bytes] = Counter()  # of provider events
        self._counts: Counter[Place] = Counter()  # of changes, by place
        self._reads: list[Since] = []  # one for each read in progress
        self._units = 0
        self._drained = trio.Event()
        self._drained.set()

    def add(self, unit: Unit) -> None:
        """A unit is handed over."""
        values: Values = {(change.name, change.key): change.value for change in unit.session}
        keys = {event.key for event in unit.provider_events}
        self.newest |= values
        self._counts.update(values.keys())
        self.keys.update(keys)
        for since in self._reads:
            since.values |= values
            since.keys |= keys
        if not self._units:
            self._drained = trio.Event()
        self._units += 1

    def remove(self, unit: Unit) -> None:
        """A unit is answered."""
        for place in {(change.name, change.key) for change in unit.session}:
            self._counts[place] -= 1
            if not self._counts[place]:
                del self._counts[place], self.newest[place]
        for key in {event.key for event in unit.provider_events}:
            self.keys[key] -= 1
            if not self.keys[key]:
                del self.keys[key]
        self._units -= 1
        if not self._units:
            self._drained.set()

    async def drained(self) -> None:
        """Wait until none is left."""
        await self._drained.wait()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Since]:
        """Collects what is handed over while the store is read."""
        since = Since()
        self._reads.append(since)
        try:
            yield since
        finally:
            self._reads.remove(since)
