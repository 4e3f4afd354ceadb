"""Commands in progress: which of them have begun, and which may still begin.

A connection that declares `marks_sending` calls `Session.sending` in the middle of a send; this is where the
session learns which command the message belongs to, and where the outbox learns that its first byte may be
written.
"""

import contextlib
from collections.abc import Iterator

import attrs

from unifyport.model.message import Answer, CommandState, FetchMedia, OutboundMessage, SendCommand
from unifyport.model.unit import CommandChange
from unifyport.providers.contract.errors import NotBegun

from .connection_lease import ConnectionLease
from .lanes import Command
from .services import Services
from .state import AccountState

MAX_CLIENT_REF = 64
REPLACED = "connection_replaced"


@attrs.define(eq=False)
class Attempt:
    """The tries of a command on one connection after another. `begun`: bytes of it may have been written."""

    command: Command | FetchMedia
    lease: ConnectionLease | None = None  # the one that it is tried on
    accepted_as_sending: bool = False
    answer: Answer | None = None  # what came of it
    begun: bool = False
    handed_over: bool = False  # the change that marks it as `sending` is on its way to the disk


class Attempts:
    """The sends in progress, by the id of their command, which is their message's `client_ref`."""

    def __init__(self, state: AccountState, services: Services) -> None:
        self._state = state
        self._services = services
        self._sends: dict[str, Attempt] = {}

    @contextlib.contextmanager
    def registered(self, attempt: Attempt) -> Iterator[None]:
        """The attempt is in progress. One of another command than a send needs no registration."""
        command = attempt.command
        if not isinstance(command, SendCommand):
            yield
            return
        self._sends[command.id] = attempt
        try:
            yield
        finally:
            del self._sends[command.id]

    def begin(self, message: OutboundMessage, client_ref: str | None) -> CommandChange:
        """The change that records the message as `sending`.

        Raises `NotBegun` when it must not begin, `ValueError` for a bad `client_ref`, `RuntimeError` for a
        message that is not in progress or was handed over already.
        """
        attempt = self._sends.get(message.client_ref)
        if attempt is None or attempt.handed_over or not isinstance(attempt.command, SendCommand):
            raise RuntimeError("this message is not in progress, or was marked as sending already")
        ref = attempt.command.id if client_ref is None else client_ref
        if not (0 < len(ref) <= MAX_CLIENT_REF and ref.isascii()):
            raise ValueError(f"client_ref must have 1 to {MAX_CLIENT_REF} ASCII characters")
        if refusal := self.refusal(attempt):
            raise NotBegun(refusal)
        attempt.handed_over = True
        now = self._services.steady_ms()
        return CommandChange(attempt.command.id, CommandState.SENDING, now, client_ref=ref)

    def refusal(self, attempt: Attempt) -> str:
        """Why not a byte of the command may be written; empty if it may begin."""
        if self._services.steady_ms() >= attempt.command.deadline:
            return "deadline"
        if not self._services.fleet.held(self._state.lease):
            return "lease_lost"
        if not self._state.may_come_up:
            return "shutting_down"
        if attempt.lease is None or not attempt.lease.in_service:
            return REPLACED
        return ""

    def confirm(self, message: OutboundMessage) -> None:
        """The change is durable: bytes may be written."""
        attempt = self._sends.get(message.client_ref)
        if attempt is not None:
            attempt.begun = True
