"""The writer: one actor, one connection, group commit.

It commits the writes that have queued up, about 1,000 rows in a transaction, and answers each producer
between the return of the commit and its own next checkpoint. It never waits for more writes: the next group
queues up while one commits.

A full disk, a lock or an I/O error is a state and not a crash: the batch is kept and tried again with
back-off, mailboxes fill, receivers stop reading, and nothing is acknowledged until the store works again.
"""

import logging
from collections.abc import Callable, Sequence

import trio

from unifyport.model.tally import Tally
from unifyport.model.unit import Unit
from unifyport.storage.contract import (
    AcceptCommand,
    ChangeApiKey,
    Committed,
    DeleteApiKey,
    EraseMessages,
    Fenced,
    PutApiKey,
    Refused,
    Result,
    Settle,
    Store,
    StoreUnavailable,
    Together,
    Write,
)

from .actor import Actor, Job, Stickiness
from .reply import Failed, Reply

log = logging.getLogger("unifyport.writer")

MAX_ROWS = 1000
IN_HAND_SECONDS = 20.0
_FIRST_RETRY, _LAST_RETRY = 0.1, 5.0
_LOG_EVERY = 60.0


class OutcomeUnknown(Exception):
    """A commit takes longer than the caller waits; it may still succeed or fail."""


class Writer(Actor[Write, Result]):
    """`on_events` is called after each commit that wrote events, with the bits of their kinds.

    `on_keys` is called after each commit that may have changed API keys, whatever its outcome, and before its
    writes are answered. `on_erased` is called after each commit that deleted messages, with their account and
    their keys; `on_files` for each committed provider event that brought files, with their account and the
    links to them. All are synchronous: they may ring bells, and must not block.
    """

    batch = 256

    def __init__(
        self,
        store: Store,
        on_events: Callable[[int], None] = lambda kinds: None,
        on_keys: Callable[[], None] = lambda: None,
        on_erased: Callable[[str, Sequence[bytes]], None] = lambda account_id, messages: None,
        *,
        on_files: Callable[[str, Sequence[str]], None] = lambda account_id, links: None,
    ) -> None:
        super().__init__()
        self._store = self.store = store
        self._on_events = on_events
        self._on_keys = on_keys
        self._on_erased = on_erased
        self._on_files = on_files
        self._sticky = Stickiness()
        self.unavailable: str | None = None  # the reason while the store takes no writes
        self.writes = 0  # committed
        self.commits = Tally()

    def offer(self, write: Write) -> bool:
        """Queue a write without waiting for it. False if the store takes none now, or the mailbox is full."""
        return self.unavailable is None and self.mailbox.put_nowait(Job(write, Reply()))

    async def submit_within(self, seconds: float, write: Write) -> Result | Failed:
        """`submit`, but withdraw the write after `seconds`: `Failed` means that it will never be done.

        A write that is being committed at that time, or may have been before, cannot be withdrawn: waits
        `IN_HAND_SECONDS` more for it, then raises `OutcomeUnknown`.
        """
        job: Job[Write, Result] = Job(write, Reply())
        answer: Result | Failed | None = None
        with trio.move_on_after(seconds):
            await self.mailbox.put(job)
            answer = await job.reply.wait()
        if answer is None and (job.in_hand or job.in_doubt):
            with trio.move_on_after(IN_HAND_SECONDS):
                answer = await job.reply.wait()
        if answer is None and job.reply.answered:  # in the moment in which the time was over
            answer = await job.reply.wait()
        if answer is None:
            if job.in_hand or job.in_doubt:
                raise OutcomeUnknown
            job.withdrawn = True
            return Failed("not_in_time")
        if isinstance(answer, Failed) and job.in_doubt:
            raise OutcomeUnknown
        return answer

    def key_of(self, work: Write) -> int | None:
        """The account whose writes stay in their order: its units, and the commands that it accepts."""
        return work.account_no if isinstance(work, Unit | AcceptCommand) else None

    async def handle(self, batch: list[Job[Write, Result]]) -> None:
        while batch:
            group, batch = self._split(batch)
            if group:
                await self._commit(group)
        if self._has_to_look():
            await self._commit([])

    def _split(
        self, batch: Sequence[Job[Write, Result]]
    ) -> tuple[list[Job[Write, Result]], list[Job[Write, Result]]]:
        """Jobs until `MAX_ROWS` rows are reached, and the rest. It answers units of failed generations."""
        group: list[Job[Write, Result]] = []
        rows = 0
        for index, job in enumerate(batch):
            if job.withdrawn:
                continue
            if group and rows >= MAX_ROWS:
                return group, list(batch[index:])
            if isinstance(job.work, Unit) and self._sticky.refuses(job.work.account_no, job.work.generation):
                job.reply.answer(Failed("generation_failed"))
                continue
            group.append(job)
            rows += _count_rows(job.work)
        return group, []

    async def _commit(self, group: list[Job[Write, Result]]) -> None:
        """Commit a group, however long that takes, and answer each job; while the store is away, look again
        until it is back or other writes have come.
        """
        pause, logged = _FIRST_RETRY, -_LOG_EVERY
        while group or self._has_to_look():
            began = trio.current_time()
            _mark_in_hand(group, True)
            try:
                results = await self._write(group)
            except StoreUnavailable as error:
                _mark_in_hand(group, False)
                self._answer(group, error.done)
                group = group[len(error.done) :]
                for job in group:
                    job.in_doubt = job.in_doubt or error.maybe_committed
                self.unavailable = error.reason
                if trio.current_time() - logged >= _LOG_EVERY:
                    logged = trio.current_time()
                    log.error("storage unavailable, %d writes wait: %s", len(group), error.reason)
                await trio.sleep(pause)
                pause = min(pause * 2, _LAST_RETRY)
                group = [job for job in group if not job.withdrawn]
                continue
            self.commits.observe(trio.current_time() - began)
            self._answer(group, results)
            if self.unavailable is not None:
                log.warning("storage available again")
                self.unavailable = None
            return

    def _has_to_look(self) -> bool:
        """Whether the store took no writes, and no write waits that would show when it takes them again."""
        idle = not len(self.mailbox) and not self.mailbox.interrupted
        return self.unavailable is not None and idle

    async def _write(self, group: Sequence[Job[Write, Result]]) -> list[Result]:
        """Commit. An error does not say that nothing was committed, so `on_keys` is called in any case."""
        try:
            return await self._store.commit([job.work for job in group])
        finally:
            if any(_changes_keys(job.work) for job in group):
                self._on_keys()

    def _answer(self, group: Sequence[Job[Write, Result]], results: Sequence[Result]) -> None:
        kinds = 0
        for job, result in zip(group, results, strict=False):
            if isinstance(job.work, Unit) and isinstance(result, Committed):
                for item in job.work.items:
                    if item.files:
                        self._on_files(job.work.account_id, item.files)
                    for event in item.events:
                        kinds |= 1 << event.kind
            if isinstance(job.work, Unit) and isinstance(result, Refused | Fenced):
                self.failed(job)
            elif erased := _erased_by(job.work):
                self._on_erased(*erased)
            job.reply.answer(result)
        self.writes += len(results)
        if kinds:
            self._on_events(kinds)

    def failed(self, job: Job[Write, Result]) -> None:
        if isinstance(job.work, Unit):
            self._sticky.fail(job.work.account_no, job.work.generation)


def _mark_in_hand(group: Sequence[Job[Write, Result]], in_hand: bool) -> None:
    for job in group:
        job.in_hand = in_hand


def _erased_by(write: Write) -> tuple[str, list[bytes]] | None:
    """The account, and the keys of the messages that a write deletes."""
    if isinstance(write, EraseMessages):
        return write.account_id, write.messages
    if isinstance(write, Unit) and (keys := [key for item in write.items for key in item.erases]):
        return write.account_id, keys
    return None


def _changes_keys(write: Write) -> bool:
    if isinstance(write, Together):
        return any(map(_changes_keys, write.writes))
    return isinstance(write, PutApiKey | ChangeApiKey | DeleteApiKey)


def _count_rows(write: Write) -> int:
    if isinstance(write, Unit):
        return write.rows
    return 1 + len(write.outcomes) if isinstance(write, Settle) else 1
