"""One command on one connection: marked, performed, and what came of it as an answer."""

import logging
from collections.abc import Callable

import trio

from supervisors import split
from unifyport.model.message import Answer, CommandState, SendCommand
from unifyport.model.send_pace import Pacer
from unifyport.providers.contract.base import Connector
from unifyport.providers.contract.errors import (
    ACCOUNT,
    ChannelError,
    Conflict,
    LoggedOut,
    NotBegun,
    RateLimited,
    Rejected,
    SessionLost,
)

from .attempts import REPLACED, Attempt, Attempts
from .command_log import CommandLog
from .perform import Command, perform
from .services import Services
from .state import AccountState

log = logging.getLogger("unifyport.outbox")

NOT_RUNNING = Answer(CommandState.NOT_SENT, code="account_not_running")
STOPPING = Answer(CommandState.NOT_SENT, code="shutting_down")
CUT = Answer(CommandState.UNKNOWN, code="cancelled")
TIMEOUT = Answer(CommandState.UNKNOWN, code="timeout")
LATE = Answer(CommandState.NOT_SENT, code="deadline")
NOT_RECORDED = Answer(CommandState.NOT_SENT, code="not_recorded")
LONGEST = 60.0  # seconds of an attempt, should the clock be set back
AGAIN = Answer(CommandState.NOT_SENT, code=REPLACED)  # the next connection is to try
_NOT_BEGUN = {"deadline": LATE, "shutting_down": STOPPING}


def crashed(*, begun: bool) -> Answer:
    """The answer to a command in which a bug showed."""
    return Answer(CommandState.UNKNOWN if begun else CommandState.NOT_SENT, code="internal_error")


class Execution:
    """`report_lost` is told of a connector whose login the platform no longer accepts."""

    def __init__(
        self,
        state: AccountState,
        services: Services,
        *,
        attempts: Attempts,
        commands: CommandLog,
        pacer: Pacer,
        report_lost: Callable[[Connector, ChannelError], None],
    ) -> None:
        self._state = state
        self._services = services
        self._attempts = attempts
        self._commands = commands
        self._pacer = pacer
        self._report_lost = report_lost

    async def run(self, attempt: Attempt, connector: Connector) -> Answer:
        """The answer of a command; `AGAIN`: it has not begun, another connection may try.

        Cancelled at its deadline, or otherwise: `attempt.begun` tells whether it may have been applied.
        """
        command = attempt.command
        if isinstance(command, SendCommand):
            refusal = await self._mark(attempt, command)
            if refusal is not None:
                return refusal
        else:
            attempt.begun = True
        try:
            answer = await perform(connector, command)
            if isinstance(command, SendCommand) and not attempt.begun:
                attempt.begun = True
                with self._commands.recording(command):
                    await self._mark_late(command)
            return answer
        except BaseException as caught:
            control, errors = split(caught)
            if control is not None:
                raise control from None
            known = [error for error in errors if isinstance(error, ChannelError)]
            if len(known) == len(errors):  # a nursery may have raised several
                return self._answer_to(max(known, key=_severity), attempt, connector)
            log.error("account %s: a command crashed", self._state.row.id, exc_info=caught)
            return crashed(begun=attempt.begun)

    async def _mark(self, attempt: Attempt, command: SendCommand) -> Answer | None:
        """See that the send is recorded as `sending`, unless its connector does so; an answer: it must not
        begin.
        """
        if attempt.accepted_as_sending:
            refusal = self._attempts.refusal(attempt)
            if refusal:
                return _NOT_BEGUN.get(refusal) or Answer(CommandState.NOT_SENT, code=refusal)
        elif self._state.spec.marks_sending:
            return None
        else:
            marked = await self._commands.mark_sending(command)
            late = self._services.steady_ms() >= command.deadline
            if late or not marked:
                return LATE if late else NOT_RECORDED
        attempt.begun = True
        return None

    def left(self, command: Command) -> float:
        """Seconds until its deadline."""
        left = (command.deadline - self._services.steady_ms()) / 1000
        return min(LONGEST, max(0.0, left))

    async def _mark_late(self, command: SendCommand) -> None:
        """The connector has sent a message without `Session.sending`: a bug, but the outcome is recorded."""
        log.error("account %s: its connector did not call Session.sending", self._state.row.id)
        await self._commands.mark_sending(command)

    def _answer_to(self, error: ChannelError, attempt: Attempt, connector: Connector) -> Answer:
        match error:
            case Rejected(reason=reason, detail=detail, code=code):
                return Answer(CommandState.REJECTED, code=reason, message=detail, provider_code=code)
            case SessionLost(reason=reason) | NotBegun(reason=reason) if attempt.begun:
                return Answer(CommandState.UNKNOWN, code=reason)
            case SessionLost() | NotBegun(reason="connection_replaced"):
                return AGAIN
            case LoggedOut() | Conflict():
                self._report_lost(connector, error)
            case RateLimited() if isinstance(attempt.command, SendCommand):
                self._close_bucket(attempt.command, error)
        unknown = attempt.begun and error.maybe_applied
        wait = error.retry_after if isinstance(error, RateLimited) else None
        state = CommandState.UNKNOWN if unknown else CommandState.NOT_SENT
        return Answer(state, code=error.reason, retry_after=wait)

    def _close_bucket(self, command: SendCommand, error: RateLimited) -> None:
        """Send nothing in the scope of the platform's limit before it allows it."""
        now = trio.current_time()
        if error.scope == ACCOUNT:
            self._pacer.close_account(now + error.retry_after)
        else:
            conversation = self._state.spec.canonical(command.message.conversation_id)
            self._pacer.close_conversation(conversation, now + error.retry_after, now)


def _severity(error: ChannelError) -> tuple[bool, bool]:
    """Of several errors the one counts that may have been applied, then the one that ends the login."""
    return error.maybe_applied, isinstance(error, LoggedOut | Conflict)
