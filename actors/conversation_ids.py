"""Which id a conversation has in events: the rows of `model/aliases.py` that a normalizer partition needs.

Rows are read when they are needed, and kept. A unit that is on the road may change rows that are not yet on
the disk: what was changed in the last `ON_THE_ROAD` units is therefore kept in any case, and when an account
begins again (a new epoch or generation), all its rows are read again, because a unit of before may have been
refused.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator

import attrs
import trio

from supervisors import Slices
from unifyport.model.aliases import Alias, AliasChanges, ids_of, join, move
from unifyport.model.inbound import (
    Conversation,
    ConversationMoved,
    MessageReceived,
    ProviderEvent,
    ReactionChanged,
)
from unifyport.model.unit import Unit
from unifyport.storage.contract import Store, StoreUnavailable

log = logging.getLogger("unifyport.normalizer")

ON_THE_ROAD = 1024  # units; more than the mailbox of the writer and its hands hold
MOST_ROWS = 65_536  # kept by a partition
_READ_AT_ONCE = 500
_NO_UNIT = (-1, -1)  # the version of rows that were read for a caller
_FIRST_RETRY, _LAST_RETRY = 0.1, 5.0


@attrs.define
class _Rows:
    """Rows of one account. `any`: whether it has rows at all; without, nothing is looked up.

    `changed`: the number of the unit that changed a row last.
    """

    version: tuple[int, int | None]
    any: bool
    known: dict[str, Alias | None] = attrs.field(factory=dict)
    changed: dict[str, int] = attrs.field(factory=dict)


class ConversationIds:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._accounts: OrderedDict[int, _Rows] = OrderedDict()
        self._repeats: set[tuple[int, bytes]] = set()
        self._units = 0
        self._kept = 0

    async def load(self, units: Iterable[Unit]) -> None:
        """Read what `resolve` needs for these units. Waits while the store is unavailable."""
        pause = _FIRST_RETRY
        self._make_room()
        self._repeats.clear()
        slices = Slices()
        for unit in units:
            while True:
                try:
                    await self._load(unit, slices)
                    break
                except StoreUnavailable as error:
                    log.error("conversations cannot be read: %s", error)
                    await trio.sleep(pause)
                    pause = min(2 * pause, _LAST_RETRY)

    async def _load(self, unit: Unit, slices: Slices) -> None:
        events = [event for event in unit.provider_events if _conversation_of(event) is not None]
        if not events:
            return
        self._units += 1
        rows = await self._rows_of(unit)
        wanted: dict[str, None] = {}
        for event in events:
            if rows.any or _may_change(event):
                wanted |= dict.fromkeys(_ids(event))
            await slices.pause()
        missing = [id_ for id_ in wanted if id_ not in rows.known]
        for start in range(0, len(missing), _READ_AT_ONCE):
            page = missing[start : start + _READ_AT_ONCE]
            found = await self._store.aliases(unit.account_no, page) if rows.any else {}
            rows.known |= {id_: found.get(id_) for id_ in page}
            self._kept += len(page)
        new = []
        for event in events:
            if _may_change(event) and self._is_new(rows, event):
                new.append(event.key)
            await slices.pause()
        if new:
            seen = await self._store.seen(unit.account_no, new)
            self._repeats |= {(unit.account_no, key) for key in seen}

    async def _rows_of(self, unit: Unit) -> _Rows:
        rows, version = self._accounts.get(unit.account_no), (unit.epoch, unit.generation)
        if rows is None or (unit.generation is not None and rows.version != version):
            self.forget(unit.account_no)
            any_ = bool(await self._store.aliases(unit.account_no, ()))
            rows = self._accounts[unit.account_no] = _Rows(version, any_)
        self._accounts.move_to_end(unit.account_no)
        return rows

    def _is_new(self, rows: _Rows, event: ProviderEvent) -> bool:
        return isinstance(event, ConversationMoved) or any(rows.known.get(id_) is None for id_ in _ids(event))

    def resolve(self, unit: Unit, event: ProviderEvent, at: int) -> AliasChanges | None:
        """Give the conversation of an event its canonical id. Returns the rows that change with it."""
        conversation, rows = _conversation_of(event), self._accounts.get(unit.account_no)
        if conversation is None or rows is None or not (rows.any or _may_change(event)):
            return None
        if (unit.account_no, event.key) in self._repeats:
            return None  # the store has it, and what it changed
        if isinstance(event, ConversationMoved):
            changes = move(event, rows.known, at)
        else:
            inbound = isinstance(event, MessageReceived | ReactionChanged)
            changes = join(conversation, rows.known, at, inbound=inbound)
        if not changes:
            return None
        rows.any = True
        self._apply(rows, changes)
        return changes

    def _apply(self, rows: _Rows, changes: AliasChanges) -> None:
        changed: dict[str, Alias | None] = {alias.id: alias for alias in changes.put}
        for id_, known in rows.known.items():
            if known is None or id_ in changed:
                continue
            for canonical, row in changes.moved:
                if known.canonical == canonical:
                    changed[id_] = known.led_to(row)
            only = changes.only
            if only and id_ not in only and (known.type, known.canonical) == ("user_id", only[0]):
                changed[id_] = None
            elif changes.used and known.canonical == changes.used[0]:
                changed[id_] = attrs.evolve(known, used_at=changes.used[1])
        self._kept += sum(id_ not in rows.known for id_ in changed)
        rows.known |= changed
        rows.changed |= dict.fromkeys(changed, self._units)

    async def find(self, account_no: int, id_: str) -> Alias | None:
        """The row of an id that a caller names. Raises `StoreUnavailable`."""
        rows, units = self._accounts.get(account_no), self._units
        if rows is None:
            rows = _Rows(_NO_UNIT, bool(await self._store.aliases(account_no, ())))
            if units == self._units:  # no unit can have changed what was read
                rows = self._accounts.setdefault(account_no, rows)
        if id_ in rows.known or not rows.any:
            return rows.known.get(id_)
        return (await self._store.aliases(account_no, [id_])).get(id_)

    def forget(self, account_no: int) -> None:
        """Read the rows of an account again when they are needed."""
        rows = self._accounts.pop(account_no, None)
        if rows is not None:
            self._kept -= len(rows.known)

    def _make_room(self) -> None:
        """Forget what is on the disk, of the accounts first that were not used for longest."""
        if self._kept + len(self._accounts) <= MOST_ROWS:
            return
        on_the_road = self._units - ON_THE_ROAD
        for account_no, rows in list(self._accounts.items()):
            rows.changed = {id_: unit for id_, unit in rows.changed.items() if unit > on_the_road}
            if not rows.changed:
                self.forget(account_no)
            else:
                kept = {id_: row for id_, row in rows.known.items() if id_ in rows.changed}
                self._kept -= len(rows.known) - len(kept)
                rows.known = kept
            if self._kept + len(self._accounts) <= MOST_ROWS // 2:
                return


def _conversation_of(event: ProviderEvent) -> Conversation | None:
    conversation: Conversation | None = getattr(event, "conversation", None)
    return conversation


def _ids(event: ProviderEvent) -> Iterator[str]:
    conversation = _conversation_of(event)
    if conversation is not None:
        yield from ids_of(event if isinstance(event, ConversationMoved) else conversation)


def _may_change(event: ProviderEvent) -> bool:
    conversation = _conversation_of(event)
    return isinstance(event, ConversationMoved) or (
        conversation is not None and conversation.aliases is not None
    )
