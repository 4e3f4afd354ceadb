"""The record of commands: what the store and the counters learn of them."""

import logging
from collections.abc import Callable

import attrs
import msgspec
import trio

from unifyport.model.message import Answer, CommandState, FetchMedia, MarkRead, PlatformCall, SendCommand
from unifyport.model.unit import CommandChange, Unit
from unifyport.storage.contract import Committed, Result

from ..actor import Job
from ..reply import Failed, Reply
from .services import Services
from .state import AccountState

log = logging.getLogger("unifyport.outbox")

RECORD_SECONDS = 5.0  # the shield around recording an outcome
LATE_SECONDS = 2.0  # after its deadline an outcome is waited for so long at most: its caller must get it


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
            command.id, CommandState.SENDING, self._services.now_ms(), client_ref=command.id
        )
        recorded = isinstance(await self._commit(sending), Committed)
        return recorded and self._services.fleet.held(self._state.lease)

    async def conclude(self, command: SendCommand | MarkRead | PlatformCall, answer: Answer) -> None:
        """Count the outcome and, of a send, make it durable; waits as `record`."""
        self.count(command, answer)
        if isinstance(command, SendCommand):
            await self.record(command, answer)

    async def record(self, command: SendCommand, answer: Answer) -> None:
        """Make the outcome of a send durable. Waits, shielded, as long as `recording`, and goes on later."""
        encoded = msgspec.json.encode(answer.as_dict())
        change = CommandChange(command.id, answer.state, self._services.now_ms(), answer=encoded)
        job = self._job(change)
        on_the_road = self._services.normalizers.put_nowait(job)
        with self.recording(command):
            if not on_the_road:
                await self._services.normalizers.put(job)
                on_the_road = True
            await job.reply.wait()
        if not on_the_road and not self._spawn(self._services.normalizers.put, job):
            log.error("account %s: the outcome of send %s is not recorded", self._state.row.id, command.id)

    def recording(self, command: SendCommand) -> trio.CancelScope:
        """A shield of `RECORD_SECONDS`, which ends at most `LATE_SECONDS` after the deadline."""
        left = (command.deadline - self._services.now_ms()) / 1000
        seconds = min(RECORD_SECONDS, max(0.0, left) + LATE_SECONDS)
        return trio.CancelScope(shield=True, deadline=trio.current_time() + seconds)

    def count(self, command: SendCommand | MarkRead | PlatformCall | FetchMedia, answer: Answer) -> None:
        name = command.capability if isinstance(command, PlatformCall) else type(command).__name__
        self._services.tallies.commands[self._state.row.channel, name, answer.state.value] += 1

    async def _commit(self, change: CommandChange) -> Result | Failed:
        job = self._job(change)
        await self._services.normalizers.put(job)
        return await job.reply.wait()

    def _job(self, change: CommandChange) -> Job[Unit, Result]:
        return Job(attrs.evolve(self._state.unit(), command=change), Reply())
