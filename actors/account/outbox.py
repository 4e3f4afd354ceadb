"""The outbox of an account: commands carried out one after another, each with a recorded outcome.

It outlives the connection. The task that works exists only while commands are queued; a lost receive link
pauses it and ends no command. A send is recorded before its first byte and after its answer; commands that
may be repeated without harm (marking as read) are not recorded. Downloads and look-ups run beside the queue.
"""

import logging
from collections import deque
from collections.abc import Callable

import attrs
import msgspec
import trio

from supervisors import split
from unifyport.model.message import Answer, CommandState, FetchMedia, MarkRead, PlatformCall, SendCommand
from unifyport.model.unit import CommandChange
from unifyport.providers.contract.base import Connector
from unifyport.providers.contract.errors import ChannelError, Conflict, LoggedOut, RateLimited, Rejected
from unifyport.storage.contract import Committed, Result

from ..reply import Failed, Reply
from .connection import Connection, ConnectionLease
from .perform import perform
from .services import Services
from .state import AccountState

log = logging.getLogger("unifyport.outbox")

CAPACITY = 256
RECORD_SECONDS = 5.0  # the shield around recording the outcome of a send
BESIDE = 4  # downloads and look-ups at a time

Command = SendCommand | MarkRead | PlatformCall  # carried out in their turn
Beside = FetchMedia | PlatformCall  # carried out beside the queue


class Outbox:
    """`spawn` runs `work` in a nursery that outlives the connection; False when none is open."""

    def __init__(
        self,
        state: AccountState,
        connection: Connection,
        services: Services,
        spawn: Callable[["Outbox"], bool],
    ) -> None:
        self._state = state
        self._connection = connection
        self._services = services
        self._spawn = spawn
        self._queue: deque[tuple[Command, Reply[Answer]]] = deque()
        self._working = False
        self._scope: trio.CancelScope | None = None  # of the command that is being carried out
        self._beside = trio.CapacityLimiter(BESIDE)

    def submit(self, command: Command) -> Reply[Answer]:
        """Queue an accepted command. Never waits. The command goes on even if its reply is abandoned."""
        reply: Reply[Answer] = Reply()
        if len(self._queue) >= CAPACITY:
            reply.answer(Answer(CommandState.NOT_SENT, code="outbox_full", retry_after=1.0))
            return reply
        self._queue.append((command, reply))
        self.resume()
        return reply

    def resume(self) -> None:
        """Start `work` if commands are queued and it does not run."""
        if self._queue and not self._working:
            self._working = self._spawn(self)

    async def work(self) -> None:
        """Carry out what is queued, one after another, and end. Raises nothing.

        Cancelled: the command under way is recorded as it stands, the queued ones as `not_sent`.
        """
        try:
            while self._queue:
                await self._process(*self._queue.popleft())
        finally:
            self._working = False
            while self._queue:
                command, reply = self._queue.popleft()
                answer = Answer(CommandState.NOT_SENT, code="shutting_down")
                await self.record(command, answer)
                reply.answer(answer)

    async def _process(self, command: Command, reply: Reply[Answer]) -> None:
        """One command, from waiting for the connection to the recorded outcome."""
        answer = Answer(CommandState.NOT_SENT, code="account_not_running")
        lease: ConnectionLease | None = None
        try:
            lease = await self._connection.wait_for_lease(command.deadline)
            if lease is None:
                return
            with trio.CancelScope() as self._scope, lease as connector:
                refusal = await self._begin(command)
                if refusal is not None:
                    answer = refusal
                    return
                answer = Answer(CommandState.UNKNOWN, code="cancelled")
                answer = await self._attempt(connector, command)
        except Exception:
            log.exception("account %s: a send crashed", self._state.row.id)
        finally:
            self._scope = None
            self._count(command, answer)
            await self.record(command, answer)
            reply.answer(answer)
            if lease is not None:
                await lease.close_if_unused()

    async def beside(self, command: Beside) -> Answer:
        """Download a file or look something up beside the queue, so that sends do not wait for it.

        Cancelled: the download or look-up ends.
        """
        async with self._beside:
            lease = await self._connection.wait_for_lease(command.deadline)
            if lease is None:
                return Answer(CommandState.NOT_SENT, code="account_not_running")
            try:
                with lease as connector:
                    answer = await self._attempt(connector, command)
                    self._count(command, answer)
                    return answer
            finally:
                await lease.close_if_unused()

    def _count(self, command: Command | FetchMedia, answer: Answer) -> None:
        name = command.capability if isinstance(command, PlatformCall) else type(command).__name__
        self._services.tallies.commands[self._state.row.channel, name, answer.state.value] += 1

    def cut(self) -> None:
        """Cancel the command under way: the grace of a stop has passed."""
        if self._scope is not None:
            self._scope.cancel()

    async def _begin(self, command: Command) -> Answer | None:
        """Record a send as `sending` before its first byte. None: the command may go on; else its answer."""
        now = self._services.now_ms()
        recorded = True
        if isinstance(command, SendCommand):
            sending = CommandChange(command.id, CommandState.SENDING, now, client_ref=command.id)
            recorded = isinstance(await self._step(sending), Committed)
        if recorded and self._services.fleet.held(self._state.lease):
            return None
        return Answer(CommandState.NOT_SENT, code="deadline" if now >= command.deadline else "not_recorded")

    async def _attempt(self, connector: Connector, command: Command | FetchMedia) -> Answer:
        try:
            with trio.move_on_after(max(0.0, (command.deadline - self._services.now_ms()) / 1000)):
                return await perform(connector, command)
            return Answer(CommandState.UNKNOWN, code="timeout")
        except BaseException as caught:
            control, errors = split(caught)
            if control is not None:
                raise control from None
            known = [error for error in errors if isinstance(error, ChannelError)]
            if len(known) == len(errors):  # a nursery may have raised several
                return self._refused(connector, max(known, key=_severity))
            log.error("account %s: a command crashed", self._state.row.id, exc_info=caught)
            return Answer(CommandState.UNKNOWN, code="internal_error")

    def _refused(self, connector: Connector, error: ChannelError) -> Answer:
        if isinstance(error, Rejected):
            return Answer(CommandState.REJECTED, code=error.reason, message=error.detail)
        if isinstance(error, LoggedOut | Conflict):
            self._connection.report_lost(connector, error)
        wait = error.retry_after if isinstance(error, RateLimited) else None
        state = CommandState.UNKNOWN if error.maybe_applied else CommandState.NOT_SENT
        return Answer(state, code=error.reason, retry_after=wait)

    async def record(self, command: Command, answer: Answer) -> None:
        """Commit the outcome of a send, shielded for `RECORD_SECONDS`. Other commands are not recorded."""
        if not isinstance(command, SendCommand):
            return
        change = CommandChange(
            command.id, answer.state, self._services.now_ms(), answer=msgspec.json.encode(answer.as_dict())
        )
        with trio.CancelScope(shield=True, deadline=trio.current_time() + RECORD_SECONDS):
            await self._step(change)

    async def _step(self, change: CommandChange) -> Result | Failed:
        unit = attrs.evolve(self._state.unit(), command=change)
        return await self._services.normalizers.commit(unit)


def _severity(error: ChannelError) -> tuple[bool, bool]:
    """Of several errors the one counts that may have been applied, then the one that ends the login."""
    return error.maybe_applied, isinstance(error, LoggedOut | Conflict)
