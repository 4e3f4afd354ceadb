"""Use cases of conversations that need more than a call of the platform."""

import attrs
import msgspec

from actors.accounts import Accounts
from actors.normalizer import Normalizers
from unifyport.model.account import Account
from unifyport.model.event import EventType
from unifyport.model.message import CommandState, MarkRead
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import (
    CONVERSATION_NOT_FOUND,
    MARK_READ,
    MUTE_CONVERSATION,
    SHOW_TYPING,
)
from unifyport.storage.contract import Store

from .errors import INVALID_REQUEST, UseCaseError, binding, invalid
from .fields import check_id, read_future
from .outcomes import failed
from .platform import DEADLINE_MS, PlatformUseCases

LONGEST_MUTE = 100 * 365 * 86_400  # seconds


@attrs.frozen
class ConversationUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`. Cancelled: the command goes on."""

    _store: Store
    _normalizers: Normalizers
    _accounts: Accounts
    _platform: PlatformUseCases
    _clock: Clock

    async def mark_read(self, account_id: str, conversation_id: str, message_id: str | None) -> None:
        """Mark messages as read up to one; with None, the whole conversation.

        A platform that needs a message id gets that of the newest message that came in.
        """
        account, connection = await self._platform.require_capability(account_id, MARK_READ)
        if message_id is None and connection.mark_read_needs_message:
            message_id = await self._newest_message(account, connection, conversation_id)
            if message_id is None:
                text = (
                    f"{account.provider} marks as read up to a message, and none of this chat is known:"
                    " give up_to_message_id and up_to_message_sender_id"
                )
                raise UseCaseError(CONVERSATION_NOT_FOUND, text)
        command = MarkRead(conversation_id, message_id, self._clock.steady_ms() + DEADLINE_MS)
        with binding():
            answer = await self._accounts.call(account.id, command)
        if answer.state is not CommandState.SENT:
            raise failed(answer, "marked as read")

    async def show_typing(self, account_id: str, conversation_id: str) -> None:
        """Show the customer a typing indicator."""
        account, connection = await self._platform.require_capability(account_id, SHOW_TYPING)
        message_id = None
        if connection.typing_needs_message:
            message_id = await self._newest_message(account, connection, conversation_id)
            if message_id is None:
                text = (
                    f"{account.provider} shows it as an answer to a message, and none of this chat is known"
                )
                raise UseCaseError(CONVERSATION_NOT_FOUND, text)
        await self._platform.call(account, SHOW_TYPING, conversation_id, message_id)

    async def _newest_message(
        self, account: Account, connection: ConnectionSpec, conversation_id: str
    ) -> str | None:
        """The id of the newest message that came in, among the events that are kept."""
        alias = await self._normalizers.find_alias(account.no, connection.canonical(conversation_id))
        named = connection.canonical(conversation_id) if alias is None else alias.lane
        lane = self._normalizers.lane(account.id, named)
        newest = await self._store.newest_in_lane(account.no, lane, EventType.MESSAGE_RECEIVED.number)
        return None if newest is None else str(msgspec.json.decode(newest)["message_id"])

    async def mute(
        self, account_id: str, conversation_id: str, *, duration: int | None, mute_until: str | None
    ) -> None:
        """Mute a conversation for `duration` seconds or until an RFC 3339 time; without an end if neither is
        given.
        """
        until = self._end_of_mute(duration, mute_until)
        check_id("conversation_id", conversation_id)
        await self._platform.ask(account_id, MUTE_CONVERSATION, conversation_id, until)

    def _end_of_mute(self, duration: int | None, mute_until: str | None) -> int | None:
        """In unix seconds. A duration of 0 has no end."""
        now = self._clock.now_ms() // 1000
        if duration is not None and mute_until is not None:
            raise UseCaseError(INVALID_REQUEST, "duration and mute_until exclude each other")
        if duration is not None:
            if not 0 <= duration <= LONGEST_MUTE:
                raise invalid("duration", f"must be from 0 to {LONGEST_MUTE} seconds")
            return now + duration if duration else None
        if mute_until is None:
            return None
        return read_future("mute_until", mute_until, self._clock) // 1000
