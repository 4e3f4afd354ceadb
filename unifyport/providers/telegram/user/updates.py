"""The one owner of an account's update state: what comes is put in order, told, and made durable.

    pushed by the server          an inbox that never makes the reader wait; when it is full it is dropped,
                                  and the difference asked for
    answers to calls of ours      the same inbox: they move the same sequences
    differences, histories        fetched beside, at most one of each sequence, and handed back

Each batch of events is committed with the positions that it leads to, so after a kill the platform is asked
for what followed the last batch. Nothing here waits for what waits for it.
"""

import logging
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import trio
from telethon.tl import types

from unifyport.model.inbound import PlatformEvent, ProviderEvent, Unparsed
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import ChannelError, LoggedOut, SessionLost, Transient
from unifyport.providers.records import Draft

from .beginning import beginning
from .differences import Differences, Fetched, History
from .inbox import Inbox, Pushed
from .numbers import Numbers
from .peer import channel_id, is_number
from .pending import Pending
from .positions import ChannelState
from .reading import Item, Reader
from .settling import settle
from .standing import Standing
from .unpacking import NOWHERE, Container, box_of, unpack
from .update_box import ACCOUNT

if TYPE_CHECKING:
    from .link import UserLink

log = logging.getLogger(__name__)
MOST_EVENTS: Final = 200  # of one batch
_MOST_CHANGES: Final = 400  # of records, to which one more container may add
_AT_ONCE: Final = 4  # differences
_POLL_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 900.0
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
        self._heard: dict[int, float] = {}  # channel -> when something came last
        self._link: Link | None = None
        self._nursery: trio.Nursery | None = None
        self.is_complete = trio.Event()  # the difference after the connection was applied

    async def run(self, link: Link) -> None:
        """Until cancelled. Raises a failure class."""
        self._link = link
        await self._load()
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._poll)
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
            await self._records.commit(await beginning(self._parts.rpc.call))
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
                items += self._in_order(container, pushed)
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

    def _in_order(self, container: Container, pushed: Pushed) -> list[Item]:
        """The updates of a container that are in order, and those before that they complete."""
        now = trio.current_time()
        is_new = self._standing.take_seq(container, now)
        found: list[Item] = []
        for update in _sorted(container.updates):
            item = Item(update, pushed.own, pushed.settles)
            pts, count = getattr(update, "pts", None), getattr(update, "pts_count", None)
            if box_of(update) == NOWHERE:
                found.append(item)
            elif isinstance(update, types.UpdateChannelTooLong):
                self._box.want(update.channel_id, now)
            elif isinstance(pts, int) and isinstance(count, int):
                found += self._offer(box_of(update), pts, count, item, now)
            elif isinstance(update, types.UpdatePtsChanged):
                self._box.want(ACCOUNT, now)
            elif is_new:
                if isinstance(qts := getattr(update, "qts", None), int):
                    self._standing.take_qts(qts)
                found.append(item)
        return found

    def _offer(self, box: int, pts: int, count: int, item: Item, now: float) -> list[Item]:
        found = self._box.offer(box, pts, count, item, now)
        if found:
            self._standing.changed.add(box)
            self._heard[box] = now
        return found

    async def _deliver(self, draft: Draft, items: list[Item], gone: frozenset[int] = frozenset()) -> None:
        """Read updates, and commit their events with the positions that they lead to."""
        self._standing.note_tops(items)
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

    # -- differences ---------------------------------------------------------------------------------------

    def _begin_differences(self) -> None:
        for box in self._box.begin(trio.current_time(), _AT_ONCE - self._fetching):
            self._fetch(box)

    def _fetch(self, box: int, history: History | Numbers | None = None) -> None:
        assert self._nursery is not None
        self._fetching += 1
        self._nursery.start_soon(self._fetch_one, box, history)

    async def _fetch_one(self, box: int, history: History | Numbers | None) -> None:
        """Fetch a part of a difference, or of a history in its place, and hand it back."""
        try:
            if history is not None:
                found = await self._differences.more(box, history)
            elif box == ACCOUNT:
                found = await self._differences.of_account(self._standing.state, self._box.position(ACCOUNT))
            else:
                known = self._standing.channels.get(box, ChannelState())
                found = await self._differences.of_channel(box, self._box.position(box), known.top)
        except (LoggedOut, SessionLost):
            raise
        except ChannelError as error:
            found = Fetched(box, error=error)
        except Exception:  # an answer of another kind than the call has
            log.exception("telegram: a difference could not be taken")
            found = Fetched(box, error=Transient("malformed_answer"))
        self._fetching -= 1
        self._fetched.append(found)
        self.wake.set()

    async def _take_fetched(self, found: Fetched) -> None:
        box, now = found.box, trio.current_time()
        if found.error is not None:
            log.info("telegram: a difference could not be fetched: %s", found.error.reason)
            if found.is_gone:
                async with self._records.lock:
                    self._standing.leave(box)
                    await self._commit([], self._standing.write(Draft(self._records)))
            else:
                self._box.fail(box, now, getattr(found.error, "retry_after", 0.0))
            return
        async with self._records.lock:
            draft = Draft(self._records)
            gone = await self._learn(draft, found.entities)
            await self._records.commit(draft.changes)
            items = self._items_of(found, now)
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

    def _items_of(self, found: Fetched, now: float) -> list[Item]:
        """What a difference holds, in order: new messages before what happened to them."""
        items = [
            Item(each, is_fetched=True) for each in found.updates if isinstance(each, types.UpdateMessageID)
        ]
        items += [Item(each, is_fetched=True) for each in found.messages]
        for update in found.updates:
            pts, count, box = getattr(update, "pts", None), getattr(update, "pts_count", None), box_of(update)
            if box == NOWHERE:
                items.append(Item(update, is_fetched=True))
            elif isinstance(update, types.UpdateChannelTooLong):
                self._box.want(update.channel_id, now)
            elif isinstance(pts, int) and isinstance(count, int) and box != found.box:
                items += self._offer(box, pts, count, Item(update, is_fetched=True), now)
            elif not isinstance(update, types.UpdateMessageID):
                items.append(Item(update, is_fetched=True))
        return items

    async def _deliver_all(self, found: Fetched, items: list[Item], gone: frozenset[int]) -> None:
        """Commit a difference in batches. Positions go with the last: after a kill it is fetched again, and
        what was told is known by its keys.
        """
        standing = self._standing
        changed, standing.changed = standing.changed | {found.box}, set()
        while len(items) > MOST_EVENTS:
            part, items = items[:MOST_EVENTS], items[MOST_EVENTS:]
            draft = Draft(self._records)
            await self._commit(await self._reader.read(draft, part), draft)
        standing.changed = changed
        if found.box == ACCOUNT and found.state is not None:
            standing.take_state(found.state)
        draft = Draft(self._records)
        said: list[ProviderEvent] = [self._gap_event(found)] if found.gap is not None else []
        if found.unreadable is not None:
            place, body = found.unreadable
            key = self._reader.context().key("unreadable", found.box, place)
            said.append(Unparsed(key, body, "parse: unreadable"))
        if said:
            await self._commit(said, Draft(self._records))
        await self._deliver(draft, items, gone)

    def _gap_event(self, found: Fetched) -> ProviderEvent:
        """Messages between two numbers that were too many to be fetched."""
        assert found.gap is not None
        after, before = found.gap
        context = self._reader.context()
        details = {"after_message_id": str(after)}
        if before:
            details["before_message_id"] = str(before)
        key = context.key("gap", found.box, after, before)
        chat = context.conversation(channel_id(found.box)) if found.box != ACCOUNT else None
        return PlatformEvent(key, "gap", self._clock.now_ms(), chat, details=details)

    # -- channels that are silent --------------------------------------------------------------------------

    async def _poll(self) -> None:
        """Of an account in many channels the platform pushes some never: one at a time is asked for."""
        start = trio.current_time()
        while True:
            await trio.sleep(_POLL_SECONDS)
            now = trio.current_time()
            silent = [
                box for box in self._standing.channels if now - self._heard.get(box, start) > _QUIET_SECONDS
            ]
            if silent:
                longest = min(silent, key=lambda box: self._heard.get(box, -math.inf))
                self._heard[longest] = now
                self._box.want(longest, now)
                self.wake.set()


def _sorted(updates: list[Any]) -> list[Any]:
    """By position, what moves one ahead of what does not; all else stays where it is."""
    return sorted(updates, key=lambda each: getattr(each, "pts", 0) or 0) if len(updates) > 1 else updates
