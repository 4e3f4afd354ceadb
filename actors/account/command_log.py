"""The record of commands: what the store and the counters learn of them."""

import attrs
import msgspec
import trio

from unifyport.model.message import Answer, CommandState, FetchMedia, MarkRead, PlatformCall, SendCommand
from unifyport.model.unit import CommandChange
from unifyport.storage.contract import Committed, Result

from ..reply import Failed
from .services import Services
from .state import AccountState

RECORD_SECONDS = 5.0  # the shield around recording an outcome


class CommandLog:
    """Sends are recorded. Commands that may be repeated without harm are only counted."""

    def __init__(self, state: AccountState, services: Services) -> None:
        self._state = state
        self._services = services

    async def mark_sending(self, command: SendCommand) -> bool:
        """Record a send as `sending`, before its first byte. False: it must not begin."""
        sending = CommandChange(
            command.id, CommandState.SENDING, self._services.now_ms(), client_ref=command.id
        )
        recorded = isinstance(await self._commit(sending), Committed)
        return recorded and self._services.fleet.held(self._state.lease)

    async def conclude(self, command: SendCommand | MarkRead | PlatformCall, answer: Answer) -> None:
        """Count the outcome and, of a send, make it durable; shielded for `RECORD_SECONDS`."""
        self.count(command, answer)
        if isinstance(command, SendCommand):
            await self.record(command, answer)

    async def record(self, command: SendCommand, answer: Answer) -> None:
        """Make the outcome of a send durable; shielded for `RECORD_SECONDS`."""
        encoded = msgspec.json.encode(answer.as_dict())
        change = CommandChange(command.id, answer.state, self._services.now_ms(), answer=encoded)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + RECORD_SECONDS):
            await self._commit(change)

    def count(self, command: SendCommand | MarkRead | PlatformCall | FetchMedia, answer: Answer) -> None:
        name = command.capability if isinstance(command, PlatformCall) else type(command).__name__
        self._services.tallies.commands[self._state.row.channel, name, answer.state.value] += 1

    async def _commit(self, change: CommandChange) -> Result | Failed:
        unit = attrs.evolve(self._state.unit(), command=change)
        return await self._services.normalizers.commit(unit)
