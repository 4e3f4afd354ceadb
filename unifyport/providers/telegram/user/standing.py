"""How far an account has got in its updates: what is applied, and what of that is not durable yet."""

from collections.abc import Iterable
from typing import Any

import msgspec
from telethon.tl import types

from unifyport.process.clock import Clock
from unifyport.providers.records import Draft, Records, scan_all

from .inbox import Pushed
from .positions import CHANNEL, STATE, ChannelState, State, channel_key, dump
from .reading import Item
from .unpacking import NOWHERE, Container, box_of
from .update_box import ACCOUNT, UpdateBox


class Standing:
    """The sequences of one account, with the newest message of each. `changed`: what is not durable.
    `heard`: channel -> when something came last, by trio's clock.
    """

    def __init__(self, records: Records, clock: Clock) -> None:
        self.box = UpdateBox[Item]()
        self.state = State()
        self.channels: dict[int, ChannelState] = {}
        self.changed: set[int] = set()
        self.heard: dict[int, float] = {}
        self._records = records
        self._clock = clock

    async def load(self) -> bool:
        """Take what is kept; False if nothing is."""
        stored = await self._records.get(STATE)
        if stored is None:
            return False
        self.state = msgspec.msgpack.decode(stored, type=State)
        for key, value in await scan_all(self._records.session, CHANNEL):
            self.channels[int.from_bytes(key)] = msgspec.msgpack.decode(value, type=ChannelState)
        self.box.load([(ACCOUNT, self.state.pts)])
        self.box.load((number, each.pts) for number, each in self.channels.items())
        return True

    def write(self, draft: Draft) -> Draft:
        """Put the positions that have changed into `draft`."""
        minute = self._clock.now_ms() // 60_000 * 60
        for box in self.changed:
            pts = self.box.position(box)
            if box == ACCOUNT:
                self.state.pts = pts
                draft.put(STATE, b"", dump(self.state))
            elif pts:
                known = self.channels.setdefault(box, ChannelState())
                known.pts, known.at = pts, minute
                draft.put(CHANNEL, channel_key(box), dump(known))
            else:
                self.channels.pop(box, None)
                draft.put(CHANNEL, channel_key(box), None)
        self.changed.clear()
        return draft

    def in_order(self, container: Container, pushed: Pushed, now: float) -> list[Item]:
        """The updates of a container that are in order, and those before that they complete."""
        is_new = self._take_seq(container, now)
        found: list[Item] = []
        for update in _sorted(container.updates):
            item = Item(update, pushed.own, pushed.settles)
            pts, count = getattr(update, "pts", None), getattr(update, "pts_count", None)
            if box_of(update) == NOWHERE:
                found.append(item)
            elif isinstance(update, types.UpdateChannelTooLong):
                self.box.want(update.channel_id, now)
            elif isinstance(pts, int) and isinstance(count, int):
                found += self.offer(box_of(update), pts, count, item, now)
            elif isinstance(update, types.UpdatePtsChanged):
                self.box.want(ACCOUNT, now)
            elif is_new:
                if isinstance(qts := getattr(update, "qts", None), int):
                    self._take_qts(qts)
                found.append(item)
        return found

    def offer(self, box: int, pts: int, count: int, item: Item, now: float) -> list[Item]:
        found = self.box.offer(box, pts, count, item, now)
        if found:
            self.changed.add(box)
            self.heard[box] = now
        return found

    def leave(self, number: int) -> None:
        """The account is no longer in a channel."""
        self.box.forget(number)
        self.changed.add(number)

    def note_tops(self, items: Iterable[Item]) -> None:
        """Note the newest messages: a history that is too long for a difference goes on from them."""
        for item in items:
            if not isinstance(item.update, types.UpdateNewMessage | types.UpdateNewChannelMessage):
                continue
            if not item.is_fetched and (getattr(item.update, "pts", 0) or 0) <= 0:
                continue  # it was looked for: others before it may be missing
            message, box = item.update.message, box_of(item.update)
            if box == NOWHERE or not isinstance(message, types.Message | types.MessageService):
                continue
            if box == ACCOUNT:
                self.state.top = max(self.state.top, message.id)
            else:
                known = self.channels.setdefault(box, ChannelState())
                known.top = max(known.top, message.id)
            self.changed.add(box)

    def note_top(self, message_id: int) -> None:
        """Everything in private chats and basic groups was told up to this message."""
        self.state.top = max(self.state.top, message_id)
        self.changed.add(ACCOUNT)

    def _take_seq(self, container: Container, now: float) -> bool:
        """Whether what has no position of its own in a container is new."""
        state = self.state
        if 0 < container.seq_start <= state.seq:
            return False
        if container.seq_start > state.seq + 1 and state.seq:
            self.box.want(ACCOUNT, now)
        elif container.seq > state.seq:
            state.seq, state.date = container.seq, max(state.date, container.date)
            self.changed.add(ACCOUNT)
        return True

    def _take_qts(self, qts: int) -> None:
        if qts > self.state.qts:
            self.state.qts = qts
            self.changed.add(ACCOUNT)

    def take_state(self, told: State) -> None:
        """What a difference says of the account's state, beside its position."""
        self.state.qts, self.state.seq = told.qts, told.seq
        self.state.date = max(self.state.date, told.date)

    def busiest(self, count: int) -> list[int]:
        """The channels where something came last."""
        return sorted(self.channels, key=lambda number: -self.channels[number].at)[:count]


def _sorted(updates: list[Any]) -> list[Any]:
    """By position, what moves one ahead of what does not; all else stays where it is."""
    return sorted(updates, key=lambda each: getattr(each, "pts", 0) or 0) if len(updates) > 1 else updates
