"""The outbox of an account: commands worked off one after another, each with a recorded outcome.

It outlives the connection. The task that works exists only while there is something to do; a lost receive link
pauses it and cuts nothing short. A send is recorded before its first byte and after its answer; what may be
repeated without harm (marking as read) is not recorded at all. Files are fetched beside the queue.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

import attrs
import msgspec
import trio

from supervisors import split
from unifyport.fleet.leases import Fleet, Lease
from unifyport.model.account import Account
from unifyport.model.message import Answer, CommandState, FetchMedia, MarkRead, PlatformCall, SendCommand
from unifyport.model.unit import CommandChange, Unit
from unifyport.process import disk
from unifyport.providers.contract.base import Connector
from unifyport.providers.contract.capabilities import (
    CAPABILITIES,
    DOWNLOAD_MEDIA,
    MARK_READ,
    SEND_REPLY,
    capability_to_send,
)
from unifyport.providers.contract.errors import (
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)
from unifyport.storage.contract import Committed, Result

from ..normalizer import Normalizers
from ..reply import Failed, Reply
from .connection import ConnectionLease

log = logging.getLogger("unifyport.outbox")

CAPACITY = 256
RECORD_SECONDS = 5.0  # the shield around recording what became of a send
BESIDE = 4  # files that are fetched, and look-ups, at a time

Command = SendCommand | MarkRead | PlatformCall  # in their turn
Beside = FetchMedia | PlatformCall  # beside them


@attrs.define
class Tallies:
    """What accounts have done, by channel: counted here, as an account may be deleted."""

    incarnations: Counter[str] = attrs.field(factory=Counter)
    commands: Counter[tuple[str, str, str]] = attrs.field(factory=Counter)  # channel, command, outcome


class Host(Protocol):
    """The account actor, as its outbox sees it."""

    row: Account
    lease: Lease

    @property
    def may_come_up(self) -> bool: ...
    def own_unit(self) -> Unit: ...
    async def connection_by(self, deadline_ms: int) -> ConnectionLease | None:
        """The live connection, waiting for it until then; None when there will be none."""

    def lost(self, connector: Connector, error: ChannelError) -> None:
        """The platform does not take our login any more."""


class Outbox:
    """`spawn` runs `work` in a nursery that outlives the connection; False when there is none now."""

    def __init__(
        self,
        account: Host,
        normalizers: Normalizers,
        fleet: Fleet,
        now_ms: Callable[[], int],
        tallies: Tallies,
        spawn: Callable[["Outbox"], bool],
    ) -> None:
        self._account = account
        self._normalizers = normalizers
        self._fleet = fleet
        self._now_ms = now_ms
        self._tallies = tallies
        self._spawn = spawn
        self._queue: deque[tuple[Command, Reply[Answer]]] = deque()
        self._working = False
        self._scope: trio.CancelScope | None = None  # of the command that is being carried out
        self._beside = trio.CapacityLimiter(BESIDE)

    def submit(self, command: Command) -> Reply[Answer]:
        """Queue an accepted command. Never waits; the reply may be abandoned, the command goes on."""
        reply: Reply[Answer] = Reply()
        if len(self._queue) >= CAPACITY:
            reply.answer(Answer(CommandState.NOT_SENT, code="outbox_full", retry_after=1.0))
            return reply
        self._queue.append((command, reply))
        self.resume()
        return reply

    def resume(self) -> None:
        """Work off what is queued, unless that is being done or nobody runs us now."""
        if self._queue and not self._working:
            self._working = self._spawn(self)

    async def work(self) -> None:
        """Do what is queued, one after another, and end. Nothing but cancellation leaves this."""
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
        connection: ConnectionLease | None = None
        try:
            connection = await self._account.connection_by(command.deadline)
            if connection is None:
                return
            with trio.CancelScope() as self._scope, connection as connector:
                refusal = await self._begin(command)
                if refusal is not None:
                    answer = refusal
                    return
                answer = Answer(CommandState.UNKNOWN, code="cancelled")
                answer = await self._attempt(connector, command)
        except Exception:
            log.exception("account %s: a send crashed", self._account.row.id)
        finally:
            self._scope = None
            self._count(command, answer)
            await self.record(command, answer)
            reply.answer(answer)
            if connection is not None:
                await connection.close_if_unused()

    async def beside(self, command: Beside) -> Answer:
        """Fetch a file or look something up, beside the queue: sends do not wait for it."""
        async with self._beside:
            connection = await self._account.connection_by(command.deadline)
            if connection is None:
                return Answer(CommandState.NOT_SENT, code="account_not_running")
            try:
                with connection as connector:
                    answer = await self._attempt(connector, command)
                    self._count(command, answer)
                    return answer
            finally:
                await connection.close_if_unused()

    def _count(self, command: Command | FetchMedia, answer: Answer) -> None:
        name = command.capability if isinstance(command, PlatformCall) else type(command).__name__
        self._tallies.commands[self._account.row.channel, name, answer.state.value] += 1

    def cut(self) -> None:
        """The grace has passed: end the command that is being carried out."""
        if self._scope is not None:
            self._scope.cancel()

    async def _begin(self, command: Command) -> Answer | None:
        """Record `sending` before the first byte; None when the command may go on."""
        now = self._now_ms()
        recorded = True
        if isinstance(command, SendCommand):
            sending = CommandChange(command.id, CommandState.SENDING, now, client_ref=command.id)
            recorded = isinstance(await self._step(sending), Committed)
        if recorded and self._fleet.held(self._account.lease):
            return None
        return Answer(CommandState.NOT_SENT, code="deadline" if now >= command.deadline else "not_recorded")

    async def _attempt(self, connector: Connector, command: Command | FetchMedia) -> Answer:
        try:
            with trio.move_on_after(max(0.0, (command.deadline - self._now_ms()) / 1000)):
                return await _perform(connector, command)
            return Answer(CommandState.UNKNOWN, code="timeout")
        except BaseException as caught:
            control, errors = split(caught)
            if control is not None:
                raise control from None
            known = [error for error in errors if isinstance(error, ChannelError)]
            if len(known) == len(
                errors
            ):  # a nursery may have raised several: the one that says the most counts
                return self._refused(connector, max(known, key=_weight))
            log.error("account %s: a command crashed", self._account.row.id, exc_info=caught)
            return Answer(CommandState.UNKNOWN, code="internal_error")

    def _refused(self, connector: Connector, error: ChannelError) -> Answer:
        if isinstance(error, Rejected):
            return Answer(CommandState.REJECTED, code=error.reason, message=error.detail)
        if isinstance(error, LoggedOut | Conflict):
            self._account.lost(connector, error)
        wait = error.retry_after if isinstance(error, RateLimited) else None
        state = CommandState.UNKNOWN if error.maybe_applied else CommandState.NOT_SENT
        return Answer(state, code=error.reason, retry_after=wait)

    async def record(self, command: Command, answer: Answer) -> None:
        """Commit the outcome of a send, shielded for a few seconds. Of what may be repeated nothing is kept."""
        if not isinstance(command, SendCommand):
            return
        change = CommandChange(
            command.id, answer.state, self._now_ms(), answer=msgspec.json.encode(answer.as_dict())
        )
        with trio.CancelScope(shield=True, deadline=trio.current_time() + RECORD_SECONDS):
            await self._step(change)

    async def _step(self, change: CommandChange) -> Result | Failed:
        unit = attrs.evolve(self._account.own_unit(), command=change)
        return await self._normalizers.commit(unit)


def _weight(error: ChannelError) -> tuple[bool, bool]:
    """Of several errors: what may have been applied goes first, then what is wrong with the login."""
    return error.maybe_applied, isinstance(error, LoggedOut | Conflict)


async def _perform(connector: Connector, command: Command | FetchMedia) -> Answer:
    """What a command asks of its connector. The API has asked for the capability before."""
    match command:
        case SendCommand(message=message) if message.reply_to_message_id is not None:
            sent = await SEND_REPLY.call(connector, message, message.reply_to_message_id)
        case SendCommand(message=message):
            sent = await capability_to_send(message).call(connector, message)
        case MarkRead():
            await MARK_READ.call(connector, command.conversation_id, command.message_id)
            return Answer(CommandState.SENT)
        case FetchMedia():
            await _download(connector, command)
            return Answer(CommandState.SENT)
        case PlatformCall(capability=name, arguments=arguments):
            return Answer(CommandState.SENT, value=await CAPABILITIES[name].call(connector, *arguments))
    return Answer(CommandState.SENT, sent.message_id, sent.provider_ref)


async def _download(connector: Connector, command: FetchMedia) -> None:
    """Raises failure classes; `Transient("disk")` when the file cannot be written."""
    try:
        with await disk.run(lambda: open(command.path, "xb")) as file:

            async def sink(chunk: bytes) -> None:
                await disk.run(file.write, chunk)

            await DOWNLOAD_MEDIA.call(connector, command.file_id, sink, command.limit)
    except OSError as error:
        log.warning("a file cannot be kept: %s", error.strerror)
        raise Transient("disk") from None
