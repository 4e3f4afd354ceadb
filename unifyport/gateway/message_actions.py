"""Use cases of messages that are there already: edit, take back, react, pin."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

from unifyport.model.account import Account
from unifyport.model.aliases import Alias
from unifyport.model.inbound import message_key
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import REVOKE_MESSAGE, Capability, Target
from unifyport.storage.contract import EraseMessages

from .platform import PlatformUseCases
from .remarks import Remarks
from .writes import TimedWriter


@attrs.frozen
class MessageActionUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`. Cancelled: the action goes on."""

    _platform: PlatformUseCases
    _writes: TimedWriter
    _find_alias: Callable[[int, str], Awaitable[Alias | None]]  # account number, conversation id

    async def act(
        self,
        account_id: str,
        capability: Capability[..., Any],
        target: Target,
        *arguments: Any,
        remarks: Remarks,
    ) -> None:
        """Have it done to a message, where its conversation is now. A message that is taken back leaves no
        files here, whoever sent it.
        """
        account, connection = await self._platform.require_capability(account_id, capability)
        there = await self._find_conversation(account, connection, target, remarks)
        target = attrs.evolve(target, conversation_id=there)
        await self._platform.call(account, capability, target, *arguments)
        if capability is REVOKE_MESSAGE:
            key = message_key(connection.canonical(there), target.message_id)
            with trio.CancelScope(shield=True):  # the write has a time limit of its own
                await self._writes.write(EraseMessages(account.no, account.id, [key]))

    async def _find_conversation(
        self, account: Account, connection: ConnectionSpec, target: Target, remarks: Remarks
    ) -> str:
        """The id that its conversation has now; that it is another one is remarked."""
        named = connection.canonical(target.conversation_id)
        alias = await self._find_alias(account.no, named)
        if alias is None or alias.canonical == named:
            return target.conversation_id
        remarks.aliased("conversation_id", f"the conversation is {alias.canonical} now")
        return alias.canonical
