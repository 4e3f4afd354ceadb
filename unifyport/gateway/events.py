"""Use cases of the event log: pages of it, one event, and following it as it grows.

A position is an opaque number: the same one serves with any selection, in pages and when following.
"""

import enum
from collections.abc import AsyncIterator

import attrs

from unifyport.fleet.doorbells import EVENTS_TOPIC, Bus
from unifyport.model.event import ALL_MASK, mask_of_names
from unifyport.storage.contract import LoggedEvent, Store

from .errors import CURSOR_EXPIRED, TOO_MANY_STREAMS, UseCaseError, invalid, not_found
from .lookup import AccountLookup

MOST_STREAMS = 64
PAGE = 100
QUIET_SECONDS = 15.0
POLL_SECONDS = 1.0


@attrs.frozen
class Selection:
    """Which events: kinds by their bits, of one account or of all."""

    mask: int
    account_no: int | None = None


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
    event: LoggedEvent | None = None


@attrs.define
class EventUseCases:
    """Every method that reads raises `StoreUnavailable`."""

    _store: Store
    _lookup: AccountLookup
    _bus: Bus
    streams: int = attrs.field(default=0, init=False)  # readers that follow the log
    _ending: bool = attrs.field(default=False, init=False)

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

        A reader that is slow is behind, and nothing is kept for it in memory: each page is read when the
        reader has taken the page before. The first step, `LogStep.BEGIN`, waits for nothing: it raises
        `UseCaseError` if too many readers follow the log already, and counts this one among them.
        """
        if self.streams >= MOST_STREAMS:
            text = f"{MOST_STREAMS} readers follow the log already"
            raise UseCaseError(TOO_MANY_STREAMS, text, retry_after=5)
        self.streams += 1
        try:
            yield Followed(LogStep.BEGIN, position)
            if await self._store.purged(position):
                position = await self._store.oldest_position()
                yield Followed(LogStep.GAP, position)
            bell, quiet = self._bus.count(EVENTS_TOPIC), 0.0
            while not self._ending:
                newest = await self._store.newest_position()
                events = await self._read(selection, position, PAGE)
                for event in events:
                    position = event.seq
                    yield Followed(LogStep.EVENT, position, event)
                    quiet = 0.0
                if len(events) == PAGE:
                    continue
                position = max(position, newest)  # events of other selections are not read again
                heard = await self._bus.wait(EVENTS_TOPIC, bell, POLL_SECONDS)
                quiet += POLL_SECONDS if heard == bell else 0.0
                bell = heard
                if quiet >= QUIET_SECONDS:
                    quiet = 0.0
                    yield Followed(LogStep.QUIET, position)
        finally:
            self.streams -= 1

    def begin_streams(self) -> None:
        """Readers may follow the log, after `end_streams` again."""
        self._ending = False

    def end_streams(self) -> None:
        """End all streams. Their readers go on elsewhere, or after the restart, from where they are."""
        self._ending = True
        self._bus.ring(EVENTS_TOPIC)
