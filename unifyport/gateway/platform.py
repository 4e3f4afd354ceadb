"""Use cases of an account's platform: what it is asked to do or to tell.

Whether the connector can do it at all is checked first, then whether the account is connected, then the
platform is asked. The accounts actor is the only way to a connector.
"""

from typing import Any

import attrs

from actors.accounts import Accounts, NoSuchAccount
from unifyport.model.account import Account
from unifyport.model.message import Answer, CommandState, PlatformCall
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import Arguments, Capability, Result
from unifyport.providers.registry import Registry

from .errors import UNSUPPORTED, UseCaseError
from .lookup import AccountLookup
from .outcomes import failed, not_running

DEADLINE_MS = 25_000  # from acceptance; the official SDK gives up after 30 s


@attrs.frozen
class PlatformUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`."""

    _registry: Registry
    _accounts: Accounts
    _lookup: AccountLookup
    _clock: Clock

    async def require_capability(
        self, account_id: str, capability: Capability[..., Any]
    ) -> tuple[Account, ConnectionSpec]:
        """The account, whose connector has the capability."""
        account, connection = await self._lookup.find_bound(account_id)
        if not capability.is_declared_by(self._registry.connector(connection)):
            raise UseCaseError(UNSUPPORTED, f"{account.provider} does not support this")
        return account, connection

    async def call(
        self,
        account: Account,
        capability: Capability[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """What the connector returns, within `DEADLINE_MS`. Arguments are given by their places.

        Cancelled: a call that changes something goes on.
        """
        assert not kwargs, "a command carries its arguments by their places"
        return await self.call_until(self.deadline(), account, capability, *args)

    def deadline(self) -> int:
        """By when a call that comes now is answered, in ms of the steady clock."""
        return self._clock.steady_ms() + DEADLINE_MS

    async def call_until(
        self, deadline: int, account: Account, capability: Capability[..., Result], *args: Any
    ) -> Result:
        """`call` with another deadline, in ms of the steady clock."""
        command = PlatformCall(capability.name, args, deadline)
        answer: Answer
        try:
            answer = await self._accounts.call(account.id, command)
        except NoSuchAccount:
            answer = not_running()
        if answer.state is CommandState.SENT:
            result: Result = answer.value
            return result
        raise failed(answer, "done")

    async def ask(
        self,
        account_id: str,
        capability: Capability[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """`require_capability`, then `call`."""
        account, _ = await self.require_capability(account_id, capability)
        return await self.call(account, capability, *args, **kwargs)
