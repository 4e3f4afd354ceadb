"""Accounts by their id, as the store and the accounts actor know them."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from actors.accounts import Accounts
from unifyport.config.settings import Settings
from unifyport.model.account import Account
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Store

from .errors import NO_ADAPTER, UseCaseError, not_found


@attrs.frozen
class AccountLookup:
    """What every use case of an account begins with."""

    _store: Store
    _registry: Registry
    _accounts: Accounts
    _settings: Callable[[], Settings]

    async def find_stored(self, account_id: str) -> Account:
        """The account as stored. Raises `UseCaseError` (`not_found`), `StoreUnavailable`."""
        account = await self._store.account(account_id)
        if account is None:
            raise not_found("account")
        return account

    async def find_bound(self, account_id: str) -> tuple[Account, ConnectionSpec]:
        """The account and its connection, changes included that are not durable yet.

        Reads the store only for an account that does not run. Raises `UseCaseError` (`not_found`, or
        `provider_adapter_not_found` if there is no connector), `StoreUnavailable`.
        """
        actor = self._accounts.actor(account_id)
        if actor is not None and not actor.leaving:
            return actor.row, actor.spec
        account = await self.find_stored(account_id)
        connection = self.connection_of(account)
        if connection is None:
            raise UseCaseError(NO_ADAPTER, f"there is no connector for {account.provider}")
        return account, connection

    def credentials_of(self, account: Account, connection: ConnectionSpec) -> Mapping[str, Any]:
        """The account's own, and those of its channel's app that it lacks."""
        return connection.with_app(account.credentials, self._settings().apps.get(account.channel, {}))

    def connection_of(self, account: Account) -> ConnectionSpec | None:
        """The declaration of the account's connection; None if this gateway has no such connection."""
        channel = self._registry.find_channel(account.provider)
        if channel is None:
            return None
        return channel.connection(account.auth_mode, account.credentials)
