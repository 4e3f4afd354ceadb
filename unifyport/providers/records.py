"""The session of a device as the parts of its connection read and change it.

`Records` keeps copies of the records that were used last. `Draft` collects changes on top of what the session
holds, so that reading one item sees what the one before has changed, and a batch of them becomes durable in
one unit. A task that reads, computes and hands over holds the connection's one lock for that time
(`Records.lock`).
"""

import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator

import trio

from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.session import MAX_CHANGES, MAX_PAGE, Session

_KEPT = 256  # copies of a name in memory: those of as many conversations as are busy at a time
_PAGE = 128  # changes of a commit: hundreds of prekeys at a time would cost each idle account 30 KiB
_LARGE = 16 * 1024  # bytes of a value of which there is no copy

Place = tuple[str, bytes]


class Records:
    """A session, with copies in memory of the records that were used last.

    `unique`: names of records that are read once, if ever; there are no copies of them.
    """

    def __init__(self, session: Session, *, unique: Collection[str] = ()) -> None:
        self.session = session
        self._unique = frozenset(unique)
        self.lock = trio.Lock()
        self._changes = 0  # counts what was handed over
        self._copies: dict[str, OrderedDict[bytes, bytes | None]] = {}

    async def get(self, name: str, key: bytes = b"") -> bytes | None:
        """As `Session.get`; without a checkpoint where there is a copy."""
        copies = self._copies.get(name)
        if copies is not None and key in copies:
            copies.move_to_end(key)
            return copies[key]
        changes = self._changes
        value = await self.session.get(name, key)
        if changes == self._changes:  # else it may be older than what was handed over meanwhile
            self._keep(name, key, value)
        return value

    async def commit(self, changes: Iterable[SessionChange]) -> None:
        """As `Session.commit`, in pages: the last of them is what the caller's bytes wait for."""
        pending = list(changes)
        for start in range(0, max(len(pending), 1), _PAGE):
            page = pending[start : start + _PAGE]
            with self._changing(page):
                await self.session.commit(page)

    async def deliver(self, link: Link, batch: Batch) -> None:
        with self._changing(batch.state):
            await link.deliver(batch)

    async def sending(self, message: OutboundMessage, changes: list[SessionChange], client_ref: str) -> None:
        """As `Session.sending`; changes that exceed one call go ahead by `commit`."""
        while len(changes) > MAX_CHANGES:
            await self.commit(changes[:MAX_CHANGES])
            changes = changes[MAX_CHANGES:]
        with self._changing(changes):
            await self.session.sending(message, changes, client_ref=client_ref)

    @contextlib.contextmanager
    def _changing(self, changes: Collection[SessionChange]) -> Iterator[None]:
        """While it is unknown whether changes were taken there are no copies of their records."""
        self._changes += 1
        for change in changes:
            if change.name in self._copies:
                self._copies[change.name].pop(change.key, None)
        yield
        self._changes += 1
        for change in changes:
            self._keep(change.name, change.key, change.value)

    def _keep(self, name: str, key: bytes, value: bytes | None) -> None:
        if name in self._unique or (value is not None and len(value) > _LARGE):
            return
        copies = self._copies.setdefault(name, OrderedDict())
        copies[key] = value
        copies.move_to_end(key)
        if len(copies) > _KEPT:
            copies.popitem(last=False)


class Draft:
    """Changes that are not handed over yet, on top of what the session holds."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self._changes: dict[Place, bytes | None] = {}

    async def get(self, name: str, key: bytes = b"") -> bytes | None:
        if (name, key) in self._changes:
            return self._changes[name, key]
        return await self.records.get(name, key)

    def put(self, name: str, key: bytes, value: bytes | None) -> None:
        """Set a record; None deletes it."""
        self._changes[name, key] = value

    @property
    def changes(self) -> list[SessionChange]:
        return [SessionChange(name, key, value) for (name, key), value in self._changes.items()]

    def __len__(self) -> int:
        return len(self._changes)


async def scan_pages(
    session: Session, name: str, prefix: bytes = b"", *, limit: int = MAX_PAGE
) -> AsyncIterator[list[tuple[bytes, bytes]]]:
    """The records of a name whose keys begin with `prefix`, at most `limit` in a page. Those of a page may be
    removed before the next one is read.
    """
    after: bytes | None = None
    while page := await session.scan(name, prefix, after=after, limit=limit):
        yield page
        if len(page) < limit:
            break
        after = page[-1][0]


async def scan_all(session: Session, name: str, prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
    """All records of a name whose keys begin with `prefix`."""
    return [record async for page in scan_pages(session, name, prefix) for record in page]
