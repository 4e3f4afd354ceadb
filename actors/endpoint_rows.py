"""Reads the owed rows of one webhook endpoint into its window: new ones, replays, and more of busy lanes."""

from unifyport.delivery.lanes import ROWS_PER_LANE, Window
from unifyport.model.owed import Stretch
from unifyport.model.webhook import Ordering
from unifyport.storage.contract import Store

PAGE = 100
REFILLS = 16  # lanes that are read again in one turn, so that fresh rows do not wait for all of them


class RowReader:
    """`unread`: there may be rows that the window has not read; `replaying`: replays among them."""

    def __init__(self, store: Store, endpoint_no: int) -> None:
        self.unread = True
        self.replaying = True
        self._store = store
        self._no = endpoint_no

    async def read(self, window: Window, now_ms: int) -> bool:
        """Fill the window. Returns whether there is more to read at once. Raises `StoreUnavailable`."""
        fresh = False
        if (limit := min(PAGE, window.room)) > 0:
            rows = await self._store.fresh(self._no, window.pos, limit)
            window.add_fresh(rows)
            fresh = len(rows) == limit
        if self.replaying and (limit := min(PAGE, window.room_for_replays)) > 0:
            self.replaying = False  # before the query: replays that are ordered during it set it again
            try:
                rows = await self._store.replays(self._no, window.replay_pos, limit)
            except BaseException:
                self.replaying = True
                raise
            window.add_replays(rows)
            self.replaying |= len(rows) == limit
        window.wake(now_ms)
        await self._refill(window)
        more = bool(fresh or (self.replaying and window.room_for_replays) or window.starving)
        self.unread = more or self.replaying or not window.room
        return more

    async def _refill(self, window: Window) -> None:
        """Read on in some lanes whose rows in the window are used up."""
        hungry: list[Stretch] = []
        while len(hungry) < REFILLS and (stretch := window.next_hungry()) is not None:
            hungry.append(stretch)
        if not hungry:
            return
        try:
            if window.ordering is Ordering.NONE:
                limit = 2  # more than there can be
                read = await self._store.owed_ones(self._no, [stretch.key for stretch in hungry])
            else:
                limit = ROWS_PER_LANE
                read = await self._store.in_lanes(self._no, hungry, limit)
        except BaseException:
            for stretch in reversed(hungry):
                window.still_hungry(stretch.key)
            raise
        for stretch, rows in zip(hungry, read, strict=True):
            window.refill(stretch.key, rows, limit)
