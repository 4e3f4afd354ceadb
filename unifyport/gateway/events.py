"""Use cases of the event log: pages of it, one event, and following it as it grows.

A position is an opaque number: the same one serves with any selection, in pages and when following.
"""

import enum
from collections.abc import AsyncIterator

import attrs
import trio

from unifyport.fleet.doorbells import EVENTS_TOPIC, Bus
from unifyport.model.event import ALL_MASK, mask_of_names
from unifyport.storage.contract import LoggedEvent, Store

from .errors import CURSOR_EXPIRED, TOO_MANY_STREAMS, UseCaseError, invalid, not_found
from .log_tail import PAGE, POLL_SECONDS, LogTail, Selection, TailEvent
from .lookup import AccountLookup

QUIET_SECONDS = 15.0


@attrs.frozen
class LogPage:
    """Events in commit order, and the position after them."""

    events: list[LoggedEvent]
    more: bool
    position: int


class Expired(UseCaseError):
    """Events after a position have been purged. `oldest` is the position of the oldest event that is kept."""

    def __init__(self, oldest: int) -> None:
        super().__init__(CURSOR_EXPIRED, "events after this cursor have been purged")
        self.oldest = oldest


class LogStep(enum.Enum):
    """What a reader that follows the log is told."""

    BEGIN = "begin"  # where it begins
    GAP = "gap"  # events that it had not seen have been purged
    EVENT = "event"
    QUIET = "quiet"  # nothing new for `QUIET_SECONDS`


@attrs.frozen
class Followed:
    """One step, and the position after it. `event` is given for `LogStep.EVENT`."""

    step: LogStep
    position: int
    event: TailEvent | None = None


@attrs.define
class EventUseCases:
    """Every method that reads raises `StoreUnavailable`."""

    _store: Store
    _lookup: AccountLookup
    _bus: Bus
    _most_streams: int
    _tail: LogTail = attrs.field(init=False)
    streams: int = attrs.field(default=0, init=False)  # readers that follow the log
    _ending: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._tail = LogTail(self._store, self._bus)

    # -- reading ---------------------------------------------------------------------------------------------

    async def select(self, types: str, account_id: str | None) -> Selection:
        """The events of some types, separated by commas, and of an account; all of the contract if empty.

        Raises `UseCaseError`.
        """
        mask = ALL_MASK
        if types:
            try:
                mask = mask_of_names(name.strip() for name in types.split(","))
            except ValueError as error:
                raise invalid("type", str(error)) from None
        no = (await self._lookup.find_stored(account_id)).no if account_id else None
        return Selection(mask, no)

    async def newest_position(self) -> int:
        return await self._store.newest_position()

    async def oldest_position(self) -> int:
        return await self._store.oldest_position()

    async def require_kept(self, position: int) -> None:
        """Raises `Expired` if events after `position` have been purged."""
        if await self._store.purged(position):
            raise Expired(await self._store.oldest_position())

    async def read_page(self, selection: Selection, position: int, limit: int, *, newest: int) -> LogPage:
        """At most `limit` events after `position`. `newest`: the newest position, read before."""
        events = await self._read(selection, position, limit + 1)
        page, more = events[:limit], len(events) > limit
        last = page[-1].seq if more else max(position, newest, *(event.seq for event in page))
        return LogPage(page, more, last)

    async def read_event(self, event_id: str) -> LoggedEvent:
        """Raises `UseCaseError`."""
        event = await self._store.event(event_id)
        if event is None:
            raise not_found("event")
        return event

    async def _read(self, selection: Selection, position: int, limit: int) -> list[LoggedEvent]:
        return await self._store.events(position, limit, mask=selection.mask, account_no=selection.account_no)

    # -- following -------------------------------------------------------------------------------------------

    async def follow(self, selection: Selection, position: int) -> AsyncIterator[Followed]:
        """Events after `position` until `end_streams` is called. The caller closes the iterator.

        A reader that is slow is behind, and little is kept for it in memory: each page is read when the
        reader has taken the page before. The first step, `LogStep.BEGIN`, waits for nothing: it raises
        `UseCaseError` if too many readers follow the log already, and counts this one among them.
        """
        if self.streams >= self._most_streams:
            text = f"{self._most_streams} readers follow the log already"
            raise UseCaseError(TOO_MANY_STREAMS, text, retry_after=5)
        self.streams += 1
        try:
            yield Followed(LogStep.BEGIN, position)
            if await self._store.purged(position):
                position = await self._store.oldest_position()
                yield Followed(LogStep.GAP, position)
            quiet_since = trio.current_time()
            while not self._ending:
                bell = self._bus.count(EVENTS_TOPIC)
                events, upto = await self._next(selection, position)
                for each in events:
                    position = each.event.seq
                    yield Followed(LogStep.EVENT, position, each)
                    quiet_since = trio.current_time()
                position = max(position, upto)  # events of other selections are not read again
                if position < self._tail.end:
                    await trio.lowlevel.checkpoint()
                    continue
                await self._bus.wait(EVENTS_TOPIC, bell, POLL_SECONDS)
                if trio.current_time() - quiet_since >= QUIET_SECONDS:
                    quiet_since = trio.current_time()
                    yield Followed(LogStep.QUIET, position)
        finally:
            self.streams -= 1

    async def _next(self, selection: Selection, position: int) -> tuple[list[TailEvent], int]:
        """Some events after a position, and the position after which there may be more."""
        newest = await self._tail.refresh()
        if (taken := self._tail.take(selection, position)) is not None:
            return taken
        events = await self._read(selection, position, PAGE)
        upto = events[-1].seq if len(events) == PAGE else newest
        return [TailEvent(event, 0.0) for event in events], upto

    def begin_streams(self) -> None:
        """Readers may follow the log, after `end_streams` again."""
        self._ending = False

    def end_streams(self) -> None:
        """End all streams. Their readers go on elsewhere, or after the restart, from where they are."""
        self._ending = True
        self._bus.ring(EVENTS_TOPIC)


__all__ = ["EventUseCases", "Expired", "Followed", "LogPage", "LogStep", "Selection"]
