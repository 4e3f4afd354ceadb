"""Carries out one command, from its turn to its outcome on the road.

One cancel scope holds all of it. While the command waits for what it needs, the scope ends early enough for
the work that follows; from then on at the deadline. Stopping the account cancels what waits; cutting the
connection cancels what uses it.
"""

import logging

import trio

from unifyport.model.message import Answer, FetchMedia, SendCommand
from unifyport.providers.contract.base import Connector

from .admission import Admission
from .attempts import Attempt, Attempts
from .command_log import CommandLog
from .connection import Connection
from .connection_lease import ConnectionLease
from .execution import (
    AGAIN,
    CUT,
    LATE,
    NOT_RECORDED,
    NOT_RUNNING,
    STOPPING,
    TIMEOUT,
    Execution,
    crashed,
)
from .lanes import Command, Lanes, NotPrepared, Place
from .state import AccountState
from .turns import Turns

log = logging.getLogger("unifyport.outbox")

MAX_ATTEMPTS = 3  # connections on which a command is tried that has not begun


class Carrier:
    """Knows what a command needs: its turn, a connection, and the execution on it."""

    def __init__(
        self,
        state: AccountState,
        connection: Connection,
        *,
        attempts: Attempts,
        commands: CommandLog,
        execution: Execution,
        admission: Admission,
        lanes: Lanes,
        turns: Turns,
    ) -> None:
        self._state = state
        self._connection = connection
        self._attempts = attempts
        self._commands = commands
        self._execution = execution
        self._admission = admission
        self._lanes = lanes
        self._turns = turns

    async def carry_out(self, place: Place, command: Command) -> None:
        """From its turn until its outcome is on the road; `place.answer` is that outcome.

        Cancelled: the outcome is recorded as it stands.
        """
        attempt = Attempt(command, place.lease, accepted_as_sending=place.lease is not None)
        try:
            with trio.CancelScope(deadline=self._deadline(command)) as scope:
                place.scope = scope
                await self._try(place, attempt)
        except NotPrepared as refused:
            attempt.answer = refused.answer
        except Exception:
            log.exception("account %s: a command crashed", self._state.row.id)
            if attempt.answer is None:  # it is kept if only giving back a file has crashed
                attempt.answer = crashed(begun=attempt.begun)
        finally:
            place.scope = None
            self._turns.free_slot(place)
            await self.conclude(place, command, attempt.answer or self._why_cancelled(place, attempt, scope))
            if attempt.lease is not None:
                await attempt.lease.close_if_unused()

    async def conclude(self, place: Place, command: Command, answer: Answer) -> None:
        """Record the outcome and answer the caller: once it is recorded, or when it waits no longer."""
        place.answer = answer
        if place.patience is not None:
            place.patience.deadline = self._commands.too_late(command)
        await self._commands.conclude(command, answer, lambda: place.reply.answer(answer))

    async def _try(self, place: Place, attempt: Attempt) -> None:
        """Sets `attempt.answer`, unless it is cancelled. Raises `NotPrepared`."""
        command = attempt.command
        if place.lease is not None:
            attempt.answer = await self._begin_at_once(place, attempt, place.lease)
        elif place.prepare is None or not isinstance(command, SendCommand):
            attempt.answer = await self._await_turn(place, attempt)
        else:
            self._wait_early(place)
            async with place.prepare(command) as attempt.command:
                attempt.answer = await self._await_turn(place, attempt)

    async def _begin_at_once(self, place: Place, attempt: Attempt, lease: ConnectionLease) -> Answer:
        """It has all that it needs, except for what happened while it was recorded."""
        if place.dropped:
            return STOPPING
        if self._execution.left(attempt.command) < self._admission.needs:
            return LATE
        return await self._execute(place, attempt, lease)

    async def _await_turn(self, place: Place, attempt: Attempt) -> Answer:
        """Once it has a slot, on one connection after another until it has begun."""
        self._wait_early(place)
        await self._turns.take_slot(place)
        for _ in range(MAX_ATTEMPTS):
            self._wait_early(place)
            lease = await self._await_connection(place, other_than=attempt.lease)
            if lease is None:
                return STOPPING if place.dropped else NOT_RUNNING
            if attempt.lease is not None:
                await attempt.lease.close_if_unused()
            answer = await self._execute(place, attempt, lease)
            if answer is not AGAIN:
                return answer
        return NOT_RECORDED

    async def _await_connection(
        self, place: Place, *, other_than: ConnectionLease | None
    ) -> ConnectionLease | None:
        while lease := await self._connection.next_lease(other_than):
            await self._turns.take_tokens(place)
            if lease.in_service:  # it was not replaced meanwhile
                return lease
        return None

    def _wait_early(self, place: Place) -> None:
        """What follows waits: it ends when too little time is left, or when the account stops."""
        assert place.scope is not None
        assert place.command is not None
        place.waiting = True
        place.scope.deadline = self._deadline(place.command) - self._admission.needs
        if place.dropped:
            place.scope.cancel()

    def _deadline(self, command: Command | FetchMedia) -> float:
        """By trio's clock."""
        return trio.current_time() + self._execution.left(command)

    async def _execute(self, place: Place, attempt: Attempt, lease: ConnectionLease) -> Answer:
        """One attempt, which ends at the deadline."""
        scope, command = place.scope, attempt.command
        assert scope is not None
        if place.waiting:
            if scope.cancel_called:  # in the moment in which it got what it waited for
                await trio.lowlevel.checkpoint_if_cancelled()
            place.waiting, scope.deadline = False, self._deadline(command)
        began = trio.current_time()
        attempt.lease, attempt.handed_over = lease, False
        lease.enter(scope)
        try:
            return await self._run(attempt, lease.connector)
        finally:
            lease.leave(scope)
            self._lanes.observe_service(trio.current_time() - began)

    async def _run(self, attempt: Attempt, connector: Connector) -> Answer:
        if not self._state.spec.marks_sending:
            return await self._execution.run(attempt, connector)
        with self._attempts.registered(attempt):
            return await self._execution.run(attempt, connector)

    def _why_cancelled(self, place: Place, attempt: Attempt, scope: trio.CancelScope) -> Answer:
        was_cut = attempt.lease is not None and attempt.lease.was_cut
        timed_out = scope.cancelled_caught and not place.dropped and not was_cut
        if attempt.begun:
            return TIMEOUT if timed_out else CUT
        if not timed_out:
            return STOPPING
        return NOT_RUNNING if attempt.lease is None and self._connection.lease is None else LATE
