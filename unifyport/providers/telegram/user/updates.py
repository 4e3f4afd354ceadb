"""The one owner of an account's update state: what comes is put in order, told, and made durable.

    pushed by the server          an inbox that never makes the reader wait; when it is full it is dropped,
                                  and the difference asked for
    answers to calls of ours      the same inbox: they move the same sequences
    differences, histories        fetched beside, at most one of each sequence, and handed back

Each batch of events is committed with the positions that it leads to, so after a kill the platform is asked
for what followed the last batch. The tasks that hand something over do not wait, so this one may wait for
their calls.
"""

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import trio
from telethon.tl import types

from unifyport.model.inbound import ProviderEvent
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.records import Draft, scan_all

from .beginning import beginning
from .differences import Differences
from .fetched import Fetched, History
from .inbox import Inbox
from .missed import Missed
from .numbers import Numbers
from .peer import channel_id, is_number
from .pending import Pending
from .positions import CHANNEL
from .reading import Item, Reader
from .settling import settle
from .silent import Silent
from .standing import Standing
from .unpacking import unpack
from .update_box import ACCOUNT

if TYPE_CHECKING:
    from .link import UserLink

log = logging.getLogger(__name__)
MOST_EVENTS: Final = 200  # of one batch
_MOST_CHANGES: Final = 400  # of records, to which one more container may add
_AT_ONCE: Final = 4  # differences
_POLLED_AT_START: Final = 20


class Updates(Inbox):
    def __init__(self, parts: "UserLink") -> None:
        super().__init__()
        self._parts = parts
        self._records = parts.records
        self._clock = parts.context.clock
        self._me = parts.me.user_id
        self.pending = Pending(parts.records)
        self._reader = Reader(self._me, parts.peers, self.pending, self._clock)
        self._differences = Differences(parts)
        self._standing = Standing(parts.records, self._clock)
        self._box = self._standing.box
        self._fetched: deque[Fetched] = deque()
        self._fetching = 0
        self._interrupted: dict[int, History | Numbers] = {}  # a page could not be fetched
        self._silent = Silent(self._standing)
        self._missed = Missed(self._standing, self._reader, parts.peers)
        self._link: Link | None = None
        self._nursery: trio.Nursery | None = None
        self.is_complete = trio.Event()  # the difference after the connection was applied

    async def run(self, link: Link) -> None:
        """Until cancelled. Raises a failure class."""
        self._link = link
        await self._load()
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._silent.poll, self._ask)
            self._nursery.start_soon(settle, self._parts, self.pending)
            while True:
                await self._work()
                self._begin_differences()
                with trio.move_on_at(self._box.due()):
                    await self.wake.wait()
                self.wake = trio.Event()

    # -- state ---------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        await self.pending.load()
        if not await self._standing.load():  # the login did not get that far
            kept = {key for key, _ in await scan_all(self._records.session, CHANNEL)}
            changes = await beginning(self._parts.rpc.call)
            await self._records.commit(
                change for change in changes if change.name != CHANNEL or change.key not in kept
            )
            await self._standing.load()
        now = trio.current_time()
        self._box.want(ACCOUNT, now)
        self._want_channels(now)

    # -- the work ------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while self.waiting or self._fetched:
            while self._fetched:
                await self._take_fetched(self._fetched.popleft())
            if self.waiting:
                await self._take_pushed()

    async def _take_pushed(self) -> None:
        async with self._records.lock:
            draft, items, gone = Draft(self._records), list[Item](), set[int]()
            while self.waiting and len(items) < MOST_EVENTS and len(draft) < _MOST_CHANGES:
                pushed = self.waiting.popleft()
                for random_id in pushed.random_ids:
                    change = self.pending.end(random_id)
                    draft.put(change.name, change.key, change.value)
                container = unpack(pushed.found, self._me)
                if container.is_too_long:
                    self._is_too_long()
                    continue
                gone |= await self._learn(draft, container.entities)
                if not await self._are_known(draft, container.users):
                    self._box.want(ACCOUNT, trio.current_time())
                    continue
                items += self._standing.in_order(container, pushed, trio.current_time())
            self._standing.note_tops(items)
            await self._deliver(draft, items, frozenset(gone))

    async def _are_known(self, draft: Draft, users: frozenset[int]) -> bool:
        for user in users:
            if await self._parts.peers.get(user, draft) is None:
                return False
        return True

    def _is_too_long(self) -> None:
        now = trio.current_time()
        self._box.want(ACCOUNT, now)
        self._want_channels(now)

    def _want_channels(self, now: float) -> None:
        """Of channels the platform may be silent after a gap: those that were busy last are asked for."""
        for number in self._standing.busiest(_POLLED_AT_START):
            self._box.want(number, now)

    async def _learn(self, draft: Draft, entities: list[Any]) -> set[int]:
        """Take what is said of peers. Returns the channels that the account is no longer in."""
        await self._parts.peers.learn(draft, entities)
        return {
            channel_id(each.id)
            for each in entities
            if (isinstance(each, types.ChannelForbidden) and is_number(each.id))
            or (isinstance(each, types.Channel) and each.left and each.id in self._standing.channels)
        }

    async def _deliver(self, draft: Draft, items: list[Item], gone: frozenset[int] = frozenset()) -> None:
        """Read updates, and commit their events with the positions that they lead to."""
        events = await self._reader.read(draft, items, gone)
        for each in gone:
            self._standing.leave(-each - 10**12)
        await self._commit(events, self._standing.write(draft))

    async def _commit(self, events: list[ProviderEvent], draft: Draft) -> None:
        assert self._link is not None
        if events:
            await self._records.deliver(self._link, Batch(events, draft.changes))
        elif draft.changes:
            await self._records.commit(draft.changes)

    def _ask(self, channel: int) -> None:
        self._box.want(channel, trio.current_time())
        self.wake.set()

    # -- differences ---------------------------------------------------------------------------------------

    def _begin_differences(self) -> None:
        for box in self._box.begin(trio.current_time(), _AT_ONCE - self._fetching):
            self._fetch(box, self._interrupted.pop(box, None))

    def _fetch(self, box: int, history: History | Numbers | None = None) -> None:
        assert self._nursery is not None
        self._fetching += 1
        self._nursery.start_soon(self._fetch_one, box, history)

    async def _fetch_one(self, box: int, history: History | Numbers | None) -> None:
        """Fetch a part of a difference, or of a history in its place, and hand it back."""
        found = await self._differences.part(box, self._standing, history)
        self._fetching -= 1
        self._fetched.append(found)
        self.wake.set()

    async def _take_fetched(self, found: Fetched) -> None:
        box, now = found.box, trio.current_time()
        if found.error is not None:
            log.info("telegram: a difference could not be fetched: %s", found.error.reason)
            if found.is_gone:
                self._interrupted.pop(box, None)
                async with self._records.lock:
                    self._standing.leave(box)
                    await self._commit([], self._standing.write(Draft(self._records)))
                return
            if found.history is not None:
                self._interrupted[box] = found.history
            self._box.fail(box, now, getattr(found.error, "retry_after", 0.0))
            return
        async with self._records.lock:
            draft = Draft(self._records)
            gone = await self._learn(draft, found.entities)
            await self._records.commit(draft.changes)
            items = self._missed.items(found, now)
            is_stuck = not found.is_final and found.history is None and found.pts <= self._box.position(box)
            if found.pts and found.history is None:
                self._box.move(box, found.pts)
            if found.is_final:
                items += self._box.end(box, found.pts, now)
            await self._deliver_all(found, items, frozenset(gone))
        if is_stuck:
            self._box.fail(box, now)
        elif not found.is_final:
            self._fetch(box, found.history)
        elif box == ACCOUNT:
            self.is_complete.set()

    async def _deliver_all(self, found: Fetched, items: list[Item], gone: frozenset[int]) -> None:
        """Commit a difference in batches. Positions go with the last: after a kill it is fetched again, and
        what was told is known by its keys.
        """
        standing = self._standing
        if found.top is None:
            standing.note_tops(items)
        changed, standing.changed = standing.changed | {found.box}, set()
        while len(items) > MOST_EVENTS:
            part, items = items[:MOST_EVENTS], items[MOST_EVENTS:]
            draft = Draft(self._records)
            await self._commit(await self._reader.read(draft, part), draft)
        standing.changed = changed
        if found.top:
            standing.note_top(found.top)
        if found.box == ACCOUNT and found.state is not None:
            standing.take_state(found.state)
        draft = Draft(self._records)
        if said := await self._missed.said(found):
            await self._commit(said, Draft(self._records))
        await self._deliver(draft, items, gone)
