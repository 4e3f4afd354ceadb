"""The outbox of an account: commands carried out side by side, each with a recorded outcome.

It outlives the connection. A command takes a place in the lane of its conversation (`lanes.py`), and at its
turn goes through these steps, all before its deadline:

    its file is fetched                       holds the conversation, neither a slot nor the pace
    the pace of the conversation allows it
    one of `parallel_sends` slots is free     first come, first served over conversations
    the connection is up                      a reconnect keeps the queue
    the pace of the account allows it
    `sending` is on the disk                  from here on the outcome may be `unknown`
    the platform answers
    the outcome is on the disk

A send that cannot begin in time is refused before it is recorded; at its turn the same test makes it
`not_sent`. Commands that may be repeated without harm (marking as read) are not recorded. Downloads and
look-ups run beside the lanes.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import trio

from unifyport.model.message import Answer, SendCommand
from unifyport.model.send_pace import Pacer
from unifyport.providers.contract.base import Connector

from .attempts import Attempt, Attempts
from .command_log import CommandLog
from .connection import Connection
from .connection_lease import ConnectionLease
from .execution import AGAIN, CUT, LATE, NOT_RECORDED, NOT_RUNNING, STOPPING, Execution, crashed
from .lanes import Command, Lane, Lanes, NotPrepared, Place, SendFigures, Wanted, wanted_by
from .lookups import LookUps
from .services import Services
from .state import AccountState
from .turns import Turns

log = logging.getLogger("unifyport.outbox")

MAX_ATTEMPTS = 3  # connections on which a command is tried that has not begun
Spawn = Callable[[Callable[[Lane], Awaitable[None]], Lane], bool]


class Outbox:
    """`spawn` starts a task in a nursery that outlives the connection; False when none is open."""

    def __init__(
        self,
        state: AccountState,
        connection: Connection,
        *,
        attempts: Attempts,
        services: Services,
        spawn: Spawn,
    ) -> None:
        self._state = state
        self._connection = connection
        self._attempts = attempts
        self._services = services
        self._spawn = spawn
        pacer = Pacer(services.pace_of(state.row, state.spec.pace))
        self._lanes = Lanes(pacer, state.spec.parallel_sends)
        self._turns = Turns(pacer, self._lanes)
        self._commands = CommandLog(state, services, spawn)
        self._execution = Execution(
            state,
            services,
            commands=self._commands,
            pacer=pacer,
            report_lost=connection.report_lost,
        )
        self.lookups = LookUps(connection, self._execution, self._commands)

    # -- places ---------------------------------------------------------------------------------------------

    def reserve(self, command: Command) -> Place | Answer:
        """A place for a command that is not recorded yet, or the answer that refuses it. Never waits.

        The caller fills the place or releases it, whatever happens to the caller.
        """
        wanted, now = wanted_by(command, self._state.spec.canonical), trio.current_time()
        left = (command.deadline - self._services.now_ms()) / 1000
        refusal = self._lanes.refusal(wanted, now, left)
        if refusal is not None:
            self._services.tallies.refused[self._state.row.channel, refusal.code] += 1
            return refusal
        place = self._lanes.reserve(wanted)
        self.resume()
        return place

    def resume(self) -> None:
        """Have every lane carried out that has places and no task."""
        for lane in self._lanes.unattended():
            lane.working = self._spawn(self._work, lane)

    def read_figures(self) -> SendFigures:
        begins_in, _ = self._lanes.begins_in(Wanted("", paced=True), trio.current_time())
        return SendFigures(
            queued=self._lanes.queued,
            in_progress=self._turns.taken,
            slots=self._lanes.slots,
            service_seconds=self._lanes.service_seconds,
            begins_in=begins_in,
        )

    def adopt(self) -> None:
        """Take over what configuration and declaration say now of the pace and of the slots."""
        spec = self._state.spec
        self._turns.adopt(self._services.pace_of(self._state.row, spec.pace), spec.parallel_sends)

    async def record_dropped(self, command: SendCommand) -> Answer:
        """Record a send whose place is gone, because the accounts have stopped since it was reserved."""
        await self._commands.conclude(command, STOPPING)
        return STOPPING

    def reopen(self) -> None:
        """Forget that the platform told the account or a conversation to wait."""
        self._turns.reopen()

    def drop_waiting(self) -> None:
        """The account stops: commands that have not begun are `not_sent`, those in progress finish."""
        for place in self._lanes.places():
            place.drop()

    # -- one lane -------------------------------------------------------------------------------------------

    async def _work(self, lane: Lane) -> None:
        """Carry out the commands of a lane, one after another, until there is none. Raises nothing.

        Cancelled: the command in progress is recorded as it stands, those behind it as `not_sent`.
        """
        try:
            while lane.places:
                place = lane.places[0]
                await place.decided.wait()
                if place.command is not None:
                    await self._process(place, place.command)
                self._lanes.leave(place)
        finally:
            lane.working = False
            with trio.CancelScope(shield=True):  # each is bounded by itself
                async with trio.open_nursery() as nursery:
                    for place in lane.places:
                        nursery.start_soon(self._drop, place)
            for place in list(lane.places):
                if place.command is not None and not place.reply.answered:  # filled meanwhile
                    place.reply.answer(STOPPING)
                self._lanes.leave(place)

    async def _drop(self, place: Place) -> None:
        """The accounts end before the turn of a command."""
        if place.command is not None and not place.reply.answered:
            await self._commands.conclude(place.command, STOPPING)
            place.reply.answer(STOPPING)

    async def _process(self, place: Place, command: Command) -> None:
        """One command, from its turn to its recorded outcome."""
        answer: Answer | None = None
        attempt = Attempt(command)
        try:
            async with AsyncExitStack() as held:
                answer = await self._carry_out(place, command, attempt, held)
        except NotPrepared as refused:
            answer = refused.answer
        except Exception:
            log.exception("account %s: a command crashed", self._state.row.id)
            if answer is None:  # its answer is kept if only giving back its file or slot has crashed
                answer = crashed(begun=attempt.begun)
        finally:
            if answer is None:  # it was cancelled
                answer = CUT if attempt.begun else STOPPING
            await self._commands.conclude(command, answer)
            place.reply.answer(answer)

    async def _carry_out(
        self, place: Place, command: Command, attempt: Attempt, held: AsyncExitStack
    ) -> Answer | None:
        """The answer of a command; None: it was cut. Until it has begun, the next connection may try it."""
        ready = await self._await_turn(place, command, held)
        if ready is None:
            return self._why_not_begun(place)
        attempt.command = ready
        for _ in range(MAX_ATTEMPTS):
            lease = await self._await_connection(place, ready, other_than=attempt.lease)
            if lease is None:
                return self._why_not_begun(place)
            answer: Answer | None = None
            attempt.lease, attempt.handed_over = lease, False
            with self._attempts.registered(attempt):
                async with lease.use() as connector:
                    answer = await self._execute(attempt, connector)
            if answer is not AGAIN:
                return answer
        return NOT_RECORDED

    async def _execute(self, attempt: Attempt, connector: Connector) -> Answer:
        began = trio.current_time()
        try:
            return await self._execution.run(attempt, connector)
        finally:
            self._lanes.observe_service(trio.current_time() - began)

    # -- the turn of a command ------------------------------------------------------------------------------

    async def _await_turn(self, place: Place, command: Command, held: AsyncExitStack) -> Command | None:
        """The command with its file, once it has a slot; None: it does not begin.

        What it keeps until its end, the file and the slot, is pushed on `held`. Raises `NotPrepared`.
        """
        with self._in_time(place, command):
            if place.prepare is not None and isinstance(command, SendCommand):
                command = await held.enter_async_context(place.prepare(command))
            await self._turns.take_slot(place, held)
            return command
        return None

    async def _await_connection(
        self, place: Place, command: Command, *, other_than: ConnectionLease | None
    ) -> ConnectionLease | None:
        """The connection to try next; None: the command does not begin."""
        deadline = command.deadline
        with self._in_time(place, command):
            while lease := await self._connection.wait_for_lease(deadline, other_than=other_than):
                await self._turns.take_tokens(place)
                if lease.in_service:  # it was not replaced meanwhile
                    return lease
        return None

    @contextlib.contextmanager
    def _in_time(self, place: Place, command: Command) -> Iterator[None]:
        """Cancels the block when too little time is left for the command, or when the account stops."""
        left = (command.deadline - self._services.now_ms()) / 1000 - self._lanes.needs
        with trio.CancelScope(deadline=trio.current_time() + left) as place.waiting:
            if place.dropped:
                place.waiting.cancel()
            yield

    def _why_not_begun(self, place: Place) -> Answer:
        if place.dropped:
            return STOPPING
        return NOT_RUNNING if self._connection.lease is None else LATE
