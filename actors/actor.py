"""The base of actors that work through a mailbox of jobs.

The base owns the batch. If the actor crashes or is cancelled, every job of the batch that was neither
answered nor handed on is answered `Failed` before the next incarnation begins: a producer never waits for a
dead actor, and no job is lost without an answer. Jobs in the mailbox stay there for the next incarnation.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs
import trio

from supervisors import Incarnation

from .mailbox import BATCH, Mailbox
from .reply import Failed, Reply

W = TypeVar("W")
A = TypeVar("A")


@attrs.define
class Job(Generic[W, A]):
    """Work and the reply that its producer waits for."""

    work: W
    reply: Reply[A | Failed]
    size: int = 0
    handed_on: bool = False  # another actor owns the reply now
    in_hand: bool = False  # it is being done now: its producer cannot withdraw it
    in_doubt: bool = False  # it may have been done, though it is to be tried again
    withdrawn: bool = False  # its producer no longer wants it done


class Actor(Generic[W, A]):
    """Subclasses implement `handle`. `batch`: how many jobs one turn takes at most."""

    batch = BATCH

    def __init__(self) -> None:
        self.mailbox: Mailbox[Job[W, A]] = Mailbox(key_of=lambda job: self.key_of(job.work))

    def key_of(self, work: W) -> Hashable:
        """Whose work it is: the jobs of one key stay in their order, and keys take turns."""
        return None

    async def submit(self, work: W, size: int = 0) -> A | Failed:
        """Put `work` and wait for its answer. Cancelled: the work may still be done."""
        reply: Reply[A | Failed] = Reply()
        await self.mailbox.put(Job(work, reply, size), size)
        return await reply.wait()

    async def run(self, incarnation: Incarnation) -> None:
        """Work until asked to stop; then finish the jobs in the mailbox, and return."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._interrupt_on_stop, incarnation)
            incarnation.started()
            while not incarnation.stop_requested or len(self.mailbox):
                await self._handle_all(await self.mailbox.take(self.batch))
            nursery.cancel_scope.cancel()

    async def _handle_all(self, batch: list[Job[W, A]]) -> None:
        try:
            await self.handle(batch)
        finally:
            for job in batch:
                if not job.handed_on and not job.reply.answered:
                    self.failed(job)
                    job.reply.answer(Failed("actor_failed"))

    async def handle(self, batch: list[Job[W, A]]) -> None:
        """Answer each job, or hand it on."""
        raise NotImplementedError

    def failed(self, job: Job[W, A]) -> None:
        """Called for each job that the base answers `Failed`."""

    async def _interrupt_on_stop(self, incarnation: Incarnation) -> None:
        await incarnation.stopping()
        self.mailbox.interrupt()


class Stickiness:
    """The generations that failed: after a unit of a generation failed, no later unit of it may commit."""

    def __init__(self) -> None:
        self._failed: dict[int, int] = {}

    def fail(self, account_no: int, generation: int | None) -> None:
        if generation is not None:
            self._failed[account_no] = max(generation, self._failed.get(account_no, 0))

    def refuses(self, account_no: int, generation: int | None) -> bool:
        if generation is None or account_no not in self._failed:
            return False
        if generation > self._failed[account_no]:
            del self._failed[account_no]
            return False
        return True
