"""The record of commands: what the store and the counters learn of them."""

import logging
from collections.abc import Callable

import msgspec
import trio

from unifyport.model.message import Answer, CommandState, FetchMedia, PlatformCall, SendCommand
from unifyport.model.unit import CommandChange, Unit
from unifyport.storage.contract import Committed, Result

from ..actor import Job
from ..reply import Failed, Reply
from .lanes import Command
from .services import Services
from .state import AccountState

log = logging.getLogger("unifyport.outbox")

RECORD_SECONDS = 5.0  # the shield around recording an outcome
LATE_SECONDS = 2.0  # after its deadline a record is waited for so long at most: the caller must be answered
SHORTEST_SECONDS = 0.5


class CommandLog:
    """Sends are recorded. Commands that may be repeated without harm are only counted.

    `spawn` starts a task that outlives the command; False when none is possible.
    """

    def __init__(self, state: AccountState, services: Services, spawn: Callable[..., bool]) -> None:
        self._state = state
        self._services = services
        self._spawn = spawn

    async def mark_sending(self, command: SendCommand) -> bool:
        """Record a send as `sending`, before its first byte. False: it must not begin."""
        sending = CommandChange(
            command.id, CommandState.SENDING, self._services.steady_ms(), client_ref=command.id
        )
        job = self._job(sending)
        await self._services.normalizers.put(job)
        recorded = isinstance(await job.reply.wait(), Committed)
        return recorded and self._services.fleet.held(self._state.lease)

    async def conclude(self, command: Command, answer: Answer, done: Callable[[], None]) -> None:
        """Count the outcome and, of a send, put it on the road; `done` is called once it is recorded.

        Not a checkpoint, unless the road is full: then waits, shielded, as long as `recording`, and it goes
        on later.
        """
        self.count(command, answer)
        if not isinstance(command, SendCommand):
            done()
            return
        encoded = msgspec.json.encode(answer)
        change = CommandChange(command.id, answer.state, self._services.steady_ms(), answer=encoded)
        job = self._job(change, lambda result: done())
        if self._services.normalizers.put_nowait(job):
            return
        with self.recording(command):
            await self._services.normalizers.put(job)
            return
        if not self._spawn(self._services.normalizers.put, job):
            log.error("account %s: the outcome of send %s is not recorded", self._state.row.id, command.id)

    def recording(self, command: SendCommand) -> trio.CancelScope:
        """A shield that ends when it is `too_late`."""
        return trio.CancelScope(shield=True, deadline=self.too_late(command))

    def too_late(self, command: Command) -> float:
        """How long (trio's clock) the record of an outcome that is known now is waited for: `RECORD_SECONDS`,
        but not until more than `LATE_SECONDS` after the deadline, as far as that lies ahead.
        """
        left = (command.deadline - self._services.steady_ms()) / 1000
        return trio.current_time() + min(RECORD_SECONDS, max(SHORTEST_SECONDS, left + LATE_SECONDS))

    def count(self, command: Command | FetchMedia, answer: Answer) -> None:
        name = command.capability if isinstance(command, PlatformCall) else type(command).__name__
        self._services.tallies.commands[self._state.row.channel, name, answer.state.value] += 1

    def _job(
        self, change: CommandChange, on_answer: Callable[[Result | Failed], None] | None = None
    ) -> Job[Unit, Result]:
        unit = self._state.unit()
        unit.command = change
        return Job(unit, Reply(on_answer))
