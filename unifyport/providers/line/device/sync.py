"""The list of operations, read by long polls: each answer is one batch of events with the new revisions.

    what an answer brings         what is done
    --------------------------    ------------------------------------------------------------------------
    operations                    told, each once; the revisions become durable with their events
    nothing, or silence           asked again
    no replay from our revision   what the chats hold since the last operation is told, then read on
    an expired revision           as no replay, from the server's newest revision

The position is never the server's while there is one of ours. Keys and names that an operation makes void are
forgotten before the operations after it are read.
"""

import logging
from collections.abc import Sequence

import attrs
import trio

from unifyport.model.inbound import ProviderEvent
from unifyport.model.json_text import UNREADABLE
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Batch, Link

from . import call_structures as of
from .chats import is_id
from .echoes import Echoes
from .errors import EXPIRED_REVISION
from .history import History
from .keyring import Keyring
from .opening import Opener
from .operations import CHANGED_CHATS, CHANGED_CONTACTS, read_operation
from .people import People
from .records import REVISIONS, Me, Records
from .revisions import Page, Revisions, after
from .structures import RECEIVE_MESSAGE, SEND_MESSAGE, Message, Operation, SyncAnswer
from .talk import Silence, Talk, TalkRefusal

log = logging.getLogger(__name__)
EMPTY_SECONDS = 1.0  # after an answer without anything, which the server should have held
BATCH = 200  # events that are delivered at a time


@attrs.frozen(kw_only=True)
class Readers:
    """What operations are read with."""

    opener: Opener
    echoes: Echoes
    people: People
    keyring: Keyring
    history: History


class Sync:
    """Reads what happens to one account."""

    def __init__(self, talk: Talk, records: Records, me: Me, readers: Readers, clock: Clock) -> None:
        self._talk = talk
        self._records = records
        self._me = me
        self._with = readers
        self._clock = clock

    async def run(self, link: Link) -> None:
        """Until cancelled. Raises a failure class."""
        revisions = await self._begin(link)
        while True:
            started = trio.current_time()
            page = await self._next(revisions)
            link.observed()
            page = attrs.evolve(page, revisions=self._dated(page.revisions))
            if page.gap:
                await self._tell_missed(link, revisions.at)
            revisions = await self._tell(link, page, revisions)
            if not page.operations and not page.more:
                await trio.sleep(max(started + EMPTY_SECONDS - trio.current_time(), 0))

    async def _begin(self, link: Link) -> Revisions:
        stored = await self._records.get(*REVISIONS)
        if stored is not None:
            try:
                return Revisions.load(stored)
            except UNREADABLE:
                log.warning("line: the revisions that were stored cannot be read")
        revisions = Revisions(await self._newest(), at=self._clock.now_ms())
        await self._records.deliver(link, Batch([], [_change(revisions)]))
        return revisions

    async def _newest(self) -> int:
        newest: int = await self._talk.read("getLastOpRevision", of.NoArguments())
        return max(newest, 0)

    async def _next(self, revisions: Revisions) -> Page:
        """What the next answer brings. Raises a failure class."""
        try:
            answer: SyncAnswer = await self._talk.poll(of.SyncArguments(revisions.request()))
        except Silence:
            return Page((), revisions)
        except TalkRefusal as refused:
            if refused.error.code != EXPIRED_REVISION:
                raise refused.failure from None
            newest = attrs.evolve(revisions, operation=await self._newest())
            return Page((), newest, gap=True)
        return after(revisions, answer)

    def _dated(self, revisions: Revisions) -> Revisions:
        """With a time that is not ahead of the clock, whatever the operations say."""
        return attrs.evolve(revisions, at=min(revisions.at, self._clock.now_ms()))

    async def _tell(self, link: Link, page: Page, revisions: Revisions) -> Revisions:
        """Deliver what a page brings, with the revisions after it. The server chooses how much it brings: a
        part of it moves on to its own last operation.
        """
        *parts, rest = _parts(page.operations)
        reached = revisions
        for part in parts:
            reached = attrs.evolve(reached, operation=max(reached.operation, part[-1].revision or 0))
            await self._tell_part(link, attrs.evolve(page, operations=part, revisions=reached))
        await self._tell_part(link, attrs.evolve(page, operations=rest))
        return page.revisions

    async def _tell_part(self, link: Link, page: Page) -> None:
        events: list[ProviderEvent] = []
        changes: list[SessionChange] = []
        for operation in page.operations:
            await trio.lowlevel.checkpoint()
            await self._forget(operation)
            settled = await self._with.echoes.settle(operation)
            if settled is not None:
                events += settled[0]
                changes += settled[1]
            else:
                events.append(await self._read(operation))
        if events or page.gap or page.more:
            await self._with.people.name(events)
            size = sum(_size(operation) for operation in page.operations)
            await self._records.deliver(link, Batch(events, [*changes, _change(page.revisions)], size))

    async def _read(self, operation: Operation) -> ProviderEvent:
        content = None
        if operation.message is not None and operation.type in (SEND_MESSAGE, RECEIVE_MESSAGE):
            content = await self._with.opener.content(operation.message)
        return read_operation(operation, self._me.mid, content)

    async def _tell_missed(self, link: Link, at: int) -> None:
        """Deliver what chats hold from `at` on. The revisions stay until all of it is durable."""
        if not at:
            return
        log.info("line: operations were missed; the chats are looked through")
        async for messages in self._with.history.since(at):
            for start in range(0, len(messages), BATCH):
                part = [self._operation(message) for message in messages[start : start + BATCH]]
                events = [await self._read_missed(operation) for operation in part]
                await self._with.people.name(events)
                await self._records.deliver(link, Batch(events, size=sum(map(_size, part))))

    async def _read_missed(self, operation: Operation) -> ProviderEvent:
        known = None if operation.message is None else self._with.echoes.in_history(operation.message)
        return await self._read(operation) if known is None else known

    def _operation(self, message: Message) -> Operation:
        """A message of a chat as the operation that would have brought it."""
        type_ = SEND_MESSAGE if message.sender == self._me.mid else RECEIVE_MESSAGE
        return Operation(created=message.created, type=type_, message=message)

    async def _forget(self, operation: Operation) -> None:
        """Names and keys that an operation makes void."""
        changed = operation.param1 or ""
        if operation.type in CHANGED_CHATS and is_id(changed):
            self._with.people.forget(changed)
            await self._with.keyring.forget_group(changed)
        elif operation.type in CHANGED_CONTACTS:
            self._with.people.forget(changed)


def _parts(operations: Sequence[Operation]) -> list[Sequence[Operation]]:
    """At least one."""
    return [operations[start : start + BATCH] for start in range(0, len(operations), BATCH)] or [()]


def _change(revisions: Revisions) -> SessionChange:
    return SessionChange(*REVISIONS, revisions.dump())


def _size(operation: Operation) -> int:
    message = operation.message
    return 256 + (sum(map(len, message.chunks or ())) + len(message.text or "") if message is not None else 0)
