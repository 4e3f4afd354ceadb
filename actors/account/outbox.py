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

A send that finds all of this at once reserves it and is recorded as `sending` with its acceptance.

A send that cannot begin in time is refused before it is recorded; at its turn the same test makes it
`not_sent`. Commands that may be repeated without harm (marking as read) are not recorded. Downloads and
look-ups run beside the lanes.
"""

from collections.abc import Awaitable, Callable

import trio

from unifyport.model.message import Answer, CommandState, SendCommand
from unifyport.model.send_pace import Pacer

from .admission import Admission
from .attempts import Attempts
from .carrier import Carrier
from .command_log import CommandLog
from .connection import Connection
from .execution import STOPPING, Execution
from .lanes import Command, Lane, Lanes, Place, Prepare, SendFigures, Wanted, wanted_by
from .lookups import LookUps
from .services import Services
from .state import AccountState
from .turns import Turns

ANSWER_SECONDS = 2.5  # after its deadline of 25 s; the official SDK gives up after 30 s
NO_ANSWER = Answer(CommandState.UNKNOWN, code="timeout")
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
        self._services = services
        self._spawn = spawn
        pacer = Pacer(services.pace_of(state.row, state.spec.pace))
        self._lanes = Lanes(state.spec.parallel_sends)
        self._admission = Admission(self._lanes, pacer)
        self._turns = Turns(pacer, self._lanes)
        self._commands = CommandLog(state, services, spawn)
        execution = Execution(
            state,
            services,
            attempts=attempts,
            commands=self._commands,
            pacer=pacer,
            report_lost=connection.report_lost,
        )
        self._carrier = Carrier(
            state,
            connection,
            attempts=attempts,
            commands=self._commands,
            execution=execution,
            admission=self._admission,
            lanes=self._lanes,
            turns=self._turns,
        )
        self.lookups = LookUps(connection, execution, self._commands)

    # -- places ---------------------------------------------------------------------------------------------

    def reserve(self, command: Command) -> Place | Answer:
        """A place for a command that is not recorded yet, or the answer that refuses it. Never waits.

        The caller passes it to `carry_out` or to `release`, whatever happens to the caller.
        """
        wanted, now = wanted_by(command, self._state.spec.canonical), trio.current_time()
        left = (command.deadline - self._services.steady_ms()) / 1000
        refusal = self._admission.refusal(wanted, now, left)
        if refusal is not None:
            self._services.tallies.refused[self._state.row.channel, refusal.code] += 1
            return refusal
        return self._lanes.reserve(wanted)

    def reserve_all(self, place: Place) -> int | None:
        """Reserve for a send all that it needs to begin as soon as it is recorded: then it may be recorded as
        `sending`, under the epoch that is returned. None: it must wait for something; nothing is reserved.
        """
        state, lease = self._state, self._connection.lease
        if lease is None or not lease.in_service or state.spec.marks_sending:
            return None
        if not (state.may_come_up and self._services.fleet.held(state.lease)):
            return None
        if place.lane.places[0] is not place or not self._turns.take_now(place):
            return None
        place.lease = lease
        return state.lease.epoch

    async def release(self, place: Place) -> None:
        """There is no command for `place`."""
        self._turns.give_back(place)
        place.decided = True
        await self._attend(place.lane)

    async def carry_out(
        self, place: Place, command: Command, prepare: Prepare | None = None, *, begins: bool = False
    ) -> Answer:
        """Have the command of a place done at its turn, its file fetched by `prepare`. The answer comes by
        its deadline, or `ANSWER_SECONDS` later at most. `begins`: it is recorded as `sending`.

        Cancelled: the command goes on. So it does where its own end takes longer, and then it is `unknown`.
        """
        place.fill(command, prepare)
        if not begins:
            place.lease = None  # slot and tokens are kept for its turn
        await self._attend(place.lane)
        left = (command.deadline - self._services.steady_ms()) / 1000
        with trio.move_on_after(max(0.0, left) + ANSWER_SECONDS) as place.patience:
            await place.reply.wait()
        return place.answer or NO_ANSWER

    async def record_dropped(self, command: SendCommand) -> None:
        """Record that a send will not begin, of which it is not known whether it is recorded at all."""
        await self._commands.conclude(command, STOPPING, lambda: None)

    def drop_waiting(self) -> None:
        """The account stops: commands that have not begun are `not_sent`, those in progress finish."""
        for place in self._lanes.places():
            place.drop()

    def read_figures(self) -> SendFigures:
        begins_in, _ = self._admission.begins_in(Wanted("", paced=True), trio.current_time())
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

    def reopen(self) -> None:
        """Forget that the platform told the account or a conversation to wait."""
        self._turns.reopen()

    # -- lanes ----------------------------------------------------------------------------------------------

    async def _attend(self, lane: Lane) -> None:
        """Have the commands of a lane carried out, as far as they are decided. Waits as `_drop`."""
        while lane.ready and lane.places[0].command is None:
            self._lanes.leave(lane.places[0])
        if lane.ready:
            lane.working = self._spawn(self._work, lane)
            await self._drop(lane)  # there is no task for it

    async def _work(self, lane: Lane) -> None:
        """Carry out the commands of a lane, one after another, as far as they are decided. Raises nothing.

        Cancelled: the command in progress is recorded as it stands, those behind it as `not_sent`.
        """
        try:
            while lane.places and (place := lane.places[0]).decided:
                try:
                    if place.command is not None:
                        await self._carrier.carry_out(place, place.command)
                finally:
                    self._lanes.leave(place)
        finally:
            lane.working = False
            await self._drop(lane)

    async def _drop(self, lane: Lane) -> None:
        """The accounts end: what is decided and has no task is `not_sent`. Waits only for a full road."""
        if not lane.ready:
            return
        with trio.CancelScope(shield=True):  # each is bounded by itself
            async with trio.open_nursery() as nursery:
                while lane.ready:
                    place = lane.places[0]
                    self._lanes.leave(place)
                    if place.command is not None:
                        nursery.start_soon(self._carrier.conclude, place, place.command, STOPPING)
