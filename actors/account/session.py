"""The session of one incarnation: reads see what was handed over, writes travel the account's road in order.

`hand_over` never waits, so that the order of the road is the order of the calls and a cancelled caller cannot
leave a change half handed over. A unit goes straight into the mailbox of the account's normalizer; while that
is full, units wait in a queue that one task empties. When a unit is answered, what it changed is durable, or
the session is lost.
"""

import contextlib
import math
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import TypeVar

import trio

from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange, Unit
from unifyport.providers.contract.errors import SessionLost
from unifyport.providers.contract.session import MAX_PAGE, MAX_SEEN, check_changes, check_place
from unifyport.storage.contract import Committed, Duplicate, Fenced, Refused, Result, StoreUnavailable

from ..actor import Job
from ..reply import Failed, Reply
from .attempts import Attempts
from .failures import ROAD_RETRY_SECONDS, LeaseLost, NotDurable
from .in_flight import InFlight, Since
from .services import Services
from .state import AccountState

T = TypeVar("T")
Answer = Result | Failed


class AccountSession:
    """Implements `providers.contract.session.Session`. `spawn` starts a task that outlives the incarnation;
    `lost` is called once, synchronously, with the reason why this session ended by itself.
    """

    def __init__(
        self,
        state: AccountState,
        services: Services,
        generation: int,
        *,
        attempts: Attempts,
        spawn: Callable[[Callable[[], Awaitable[None]]], bool],
        lost: Callable[[Exception], None],
    ) -> None:
        self.closed = False
        self._state = state
        self._services = services
        self._generation = generation
        self._login = state.row.login
        self._attempts = attempts
        self._spawn = spawn
        self._lost = lost
        self._in_flight = InFlight()
        self._queue: deque[Job[Unit, Result]] = deque()  # while the mailbox is full
        self._waiting = 0  # callers that wait for the disk
        self._held_up_until = -math.inf

    # -- writing --------------------------------------------------------------------------------------------

    async def deliver(self, unit: Unit, size: int) -> None:
        """Make a unit of events (`size` bytes) and changes durable. Raises `SessionLost`, `ValueError`,
        `TypeError`.
        """
        check_changes(unit.session)
        await self._durable(unit, size)

    async def commit(self, changes: Sequence[SessionChange]) -> None:
        check_changes(changes)
        unit = self._state.unit(self._generation)
        unit.session = list(changes)
        await self._durable(unit)

    async def keep(self, change: SessionChange) -> None:
        if not self.closed:
            with contextlib.suppress(SessionLost):  # closed meanwhile
                return await self.commit([change])
        check_changes([change])
        unit = self._state.unit()  # of no incarnation: that one has failed does not refuse it
        unit.session, unit.login = [change], self._login
        try:
            await self._state.commit(unit)
        except (LeaseLost, NotDurable):
            raise SessionLost from None

    async def sending(
        self,
        message: OutboundMessage,
        changes: Sequence[SessionChange] = (),
        *,
        client_ref: str | None = None,
    ) -> None:
        check_changes(changes)
        self._check_open()
        unit = self._state.unit(self._generation)
        unit.session, unit.command = list(changes), self._attempts.begin(message, client_ref)
        await self._durable(unit)
        self._attempts.confirm(message)

    async def _durable(self, unit: Unit, size: int = 0) -> None:
        """Cancelled: the unit is handed over and goes on. Raises `SessionLost`."""
        reply = self._hand_over(unit, size)
        self._waiting += 1
        try:
            answer = await reply.wait()
        finally:
            self._waiting -= 1
            self._held_up_until = trio.current_time()
        if not isinstance(answer, Committed | Duplicate):
            raise SessionLost

    def held_up_until(self) -> float:
        """Until when (trio's clock) a task of the connector waited for the disk; infinity: one waits now."""
        return math.inf if self._waiting else self._held_up_until

    def _hand_over(self, unit: Unit, size: int) -> Reply[Answer]:
        """Raises `SessionLost` when nothing more is taken."""
        self._check_open()
        reply: Reply[Answer] = Reply(lambda answer: self._settle(unit, answer))
        self._in_flight.add(unit)
        job: Job[Unit, Result] = Job(unit, reply, size)
        if self._queue or not self._services.normalizers.put_nowait(job):
            self._queue.append(job)
            if len(self._queue) == 1 and not self._spawn(self._empty_queue):
                self._give_up_queue()
        return reply

    async def _empty_queue(self) -> None:
        try:
            while self._queue:
                await self._services.normalizers.put(self._queue[0])
                self._queue.popleft()
        finally:
            self._give_up_queue()

    def _give_up_queue(self) -> None:
        """Nothing carries the queue on: its units will not be durable."""
        while self._queue:
            self._queue.popleft().reply.answer(Failed("not_handed_over"))

    def _settle(self, unit: Unit, answer: Answer) -> None:
        """A unit is answered: its changes are durable, or this session is lost. Never waits."""
        self._in_flight.remove(unit)
        if not isinstance(answer, Committed | Duplicate) and not self.closed:
            self.closed = True
            self._lost(_reason_of(answer))

    # -- the end --------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take nothing more; every later call raises `SessionLost`, and `lost` is not called any more."""
        self.closed = True
        self._lost = _ignore  # it refers to the connection, which refers to this session

    async def drained(self) -> None:
        """Wait until everything that was handed over is answered: then the next incarnation may read."""
        await self._in_flight.drained()

    # -- reading --------------------------------------------------------------------------------------------

    async def get(self, name: str, key: bytes = b"") -> bytes | None:
        check_place(name, key)
        place = (name, key)
        self._check_open()
        if place in self._in_flight.newest:
            value = self._in_flight.newest[place]
            await trio.lowlevel.checkpoint()
            return value
        with self._reading() as since:
            stored = await self._read(lambda: self._services.store.session_record(self._no, name, key))
        return since.values.get(place, stored)

    async def scan(
        self, name: str, prefix: bytes = b"", *, after: bytes | None = None, limit: int = 100
    ) -> list[tuple[bytes, bytes]]:
        if not 0 < limit <= MAX_PAGE:
            raise ValueError(f"limit: must be from 1 to {MAX_PAGE}")
        check_place(name, prefix)
        while True:
            page, complete = await self._scan_once(name, prefix, after=after, limit=limit)
            if complete:
                return page

    async def _scan_once(
        self, name: str, prefix: bytes, *, after: bytes | None, limit: int
    ) -> tuple[list[tuple[bytes, bytes]], bool]:
        """A page; False if records were deleted while it was read, so that it may be too short."""
        overlay = {key: value for (of, key), value in self._in_flight.newest.items() if of == name}
        page = limit + len(overlay)  # each change may hide one of the rows
        with self._reading() as since:
            rows = await self._read(
                lambda: self._services.store.session_page(
                    self._no, name, prefix=prefix, after=after, limit=page
                )
            )
        last = rows[-1][0] if len(rows) == page else None  # the store may hold more beyond it
        found: dict[bytes, bytes | None] = dict(rows)
        overlay |= {key: value for (of, key), value in since.values.items() if of == name}
        for key, value in overlay.items():
            within = key.startswith(prefix) and (after is None or key > after)
            if within and (last is None or key <= last):
                found[key] = value
        records = sorted((key, value) for key, value in found.items() if value is not None)[:limit]
        return records, last is None or len(records) == limit

    async def seen(self, keys: Collection[bytes]) -> set[bytes]:
        if len(keys) > MAX_SEEN:
            raise ValueError(f"at most {MAX_SEEN} keys")
        in_flight = {key for key in keys if key in self._in_flight.keys}
        with self._reading() as since:
            stored = await self._read(lambda: self._services.store.seen(self._no, list(keys)))
        return stored | in_flight | (since.keys & set(keys))

    @property
    def _no(self) -> int:
        return self._state.row.no

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Since]:
        """The store is read. Raises `SessionLost` at the end if the session was closed meanwhile."""
        with self._in_flight.reading() as since:
            yield since
        self._check_open()

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        """Waits while the store is unavailable."""
        while True:
            self._check_open()
            try:
                return await read()
            except StoreUnavailable:
                await trio.sleep(ROAD_RETRY_SECONDS)

    def _check_open(self) -> None:
        if self.closed:
            raise SessionLost


def _ignore(_: Exception) -> None:
    """Why a session was lost that is closed already."""


def _reason_of(answer: Answer) -> Exception:
    """Why the incarnation ends."""
    match answer:
        case Fenced():
            return LeaseLost()
        case Refused(reason=reason) | Failed(reason=reason):
            return NotDurable(reason)
    raise AssertionError("a unit that was committed loses nothing")
