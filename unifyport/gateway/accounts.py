"""Use cases of accounts: reading, creating, changing and deleting them."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from actors.accounts import Accounts
from supervisors import map_in_slices
from unifyport.config.declared import with_new_login
from unifyport.config.settings import Settings
from unifyport.model.account import ACTIVE, Account, AuthStatus
from unifyport.model.ids import new_id
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.providers.contract.base import WEBHOOK, Channel, ConnectionSpec
from unifyport.providers.registry import Registry
from unifyport.storage.contract import PutAccount, Store, StoreUnavailable

from .account_fields import (
    AccountChecks,
    AccountFields,
    check_connection,
    check_media_fetch,
    check_texts,
    refuse_declared,
)
from .deletion import AccountDeletion, BeingDeleted
from .errors import AUTHORIZED, BUSY, DUPLICATE, NO_LEASES, QUOTA_EXCEEDED, UseCaseError, binding, invalid
from .lookup import AccountLookup
from .remarks import Remarks
from .writes import TimedWriter, WriteRefused

TRIES = 5  # of a change that meets changes of the account itself


class _ChangedMeanwhile(Exception):
    """The stored row is not the one that was read."""


@attrs.frozen
class AccountView:
    """An account with what is observed of it. `ingress_url`: where its platform must call, if it does.

    `media_fetch`: the one in force.
    """

    account: Account
    runtime_status: RuntimeStatus
    capabilities: list[str]
    ingress_url: str | None
    media_fetch: str


@attrs.frozen(kw_only=True)
class AccountUseCases:
    """`changing` is held by each change that could break a rule between two accounts: quota and identity."""

    _store: Store
    _registry: Registry
    _accounts: Accounts
    _lookup: AccountLookup
    _checks: AccountChecks
    _writes: TimedWriter
    _deletion: AccountDeletion
    _changing: trio.Lock
    _settings: Callable[[], Settings]
    _now_ms: Callable[[], int]
    _ingress_url: Callable[[Account], str]

    # -- reading ---------------------------------------------------------------------------------------------

    async def list_accounts(self) -> list[AccountView]:
        """Raises `StoreUnavailable`."""
        return await map_in_slices(self._view, await self._store.accounts())

    async def read_account(self, account_id: str) -> AccountView:
        """Raises `UseCaseError`, `StoreUnavailable`."""
        return self._view(await self._lookup.find_stored(account_id))

    def _view(self, account: Account) -> AccountView:
        actor = self._accounts.actor(account.id)
        capabilities = account.capabilities
        if capabilities is None:
            capabilities = self._capabilities(self._lookup.connection_of(account))
        return AccountView(
            account,
            RuntimeStatus.UNKNOWN if actor is None else actor.view.status,
            capabilities,
            self._ingress_url(account) if account.receive == WEBHOOK else None,
            account.media_fetch or self._settings().media.fetch,
        )

    def _capabilities(self, connection: ConnectionSpec | None) -> list[str]:
        """What a connection can do, in the contract's words."""
        if connection is None:
            return []
        sends = any(name.startswith("send_") for name in self._registry.capabilities(connection))
        return [*(["send_message"] if sends else []), "receive_message"]

    # -- changing --------------------------------------------------------------------------------------------

    async def create_account(self, fields: AccountFields, remarks: Remarks | None = None) -> AccountView:
        """Store an account and run it. Raises `UseCaseError`, `StoreUnavailable`."""
        if fields.provider is None:
            raise invalid("provider", "is required")
        channel = self._checks.check_channel(fields.provider)
        region = self._checks.check_region(fields.region or self._settings().workspace.regions[0])
        auth_mode, given = fields.auth_mode or channel.connections[0].auth_mode, fields.credentials or {}
        connection = check_connection(channel, auth_mode, given)
        check_texts(fields)
        _settle(remarks, channel, connection, fields)
        proxy = await self._checks.check_proxies(fields.proxies, None)
        credentials = self._checks.check_login_data(channel, connection.auth_mode, given)
        wanted = fields.receive or connection.receive[0]
        receive = self._checks.check_receive(channel, connection, wanted, given=bool(fields.receive))
        now, account_id = self._now_ms(), new_id("acct")
        account = Account(
            id=account_id,
            name=fields.name or f"{fields.provider}-{account_id[-6:]}",
            provider=fields.provider,
            channel=channel.name,
            region=region,
            auth_mode=connection.auth_mode,
            status=fields.status or ACTIVE,
            metadata=fields.metadata or {},
            capabilities=fields.capabilities,
            credentials=credentials,
            receive=receive,
            take_over=bool(fields.take_over),
            media_fetch=check_media_fetch(fields.media_fetch, ""),
            proxy=proxy,
            created_at=now,
            updated_at=now,
        )
        async with self._changing:
            await self._refuse_too_many()
            await self._refuse_duplicate(connection, account, fields.provider_account_ref)
            try:
                [lease] = await self._accounts.claim([account_id])
            except StoreUnavailable:
                raise UseCaseError(NO_LEASES, "storage is unavailable, try again", retry_after=1) from None
            account = await self._put(account)
            self._accounts.add(account, lease)  # no checkpoint since it was stored
        return self._view(account)

    async def update_account(
        self, account_id: str, fields: AccountFields, remarks: Remarks | None = None
    ) -> AccountView:
        """Change the fields that are given. Raises `UseCaseError`, `StoreUnavailable`."""
        for _ in range(TRIES):
            try:
                return await self._update(account_id, fields, remarks)
            except _ChangedMeanwhile:
                continue
        raise _busy()

    async def _update(self, account_id: str, fields: AccountFields, remarks: Remarks | None) -> AccountView:
        account = await self._lookup.find_stored(account_id)
        refuse_declared(account)
        if fields.provider is not None and fields.provider != account.provider:
            raise invalid("provider", "cannot be changed")
        channel = self._checks.check_channel(account.provider)
        given = fields.credentials or account.credentials
        connection = check_connection(channel, fields.auth_mode or account.auth_mode, given)
        check_texts(fields)
        _settle(remarks, channel, connection, fields)
        receive = account.receive if account.receive in connection.receive else connection.receive[0]
        if fields.receive is not None:
            receive = self._checks.check_receive(channel, connection, fields.receive, given=True)
        changed = attrs.evolve(
            account,
            receive=receive,
            take_over=account.take_over if fields.take_over is None else fields.take_over,
            media_fetch=check_media_fetch(fields.media_fetch, account.media_fetch),
            proxy=await self._checks.check_proxies(fields.proxies, account.proxy),
            name=fields.name or account.name,
            region=account.region if fields.region is None else self._checks.check_region(fields.region),
            auth_mode=connection.auth_mode,
            status=fields.status or account.status,
            metadata=account.metadata if fields.metadata is None else fields.metadata,
            capabilities=account.capabilities if fields.capabilities is None else fields.capabilities,
            updated_at=self._now_ms(),
        )
        new_login = fields.credentials is not None or connection.auth_mode != account.auth_mode
        if new_login:
            changed = self._with_new_login(channel, account, changed, fields.credentials)
        moved = any(
            getattr(changed, name) != getattr(account, name) for name in ("receive", "take_over", "proxy")
        )
        async with self._changing:
            if new_login:
                await self._refuse_duplicate(connection, changed)
            changed = await self._put(changed)
            with binding():
                self._accounts.update(
                    changed, reconnect=new_login or moved
                )  # no checkpoint since it was stored
        return self._view(changed)

    def _with_new_login(
        self, channel: Channel, account: Account, changed: Account, credentials: dict[str, Any] | None
    ) -> Account:
        """`changed` with other credentials. Raises `UseCaseError`.

        The session of a linked device must be dropped by `cancel` of its login, which tells the platform.
        """
        old = channel.connection(account.auth_mode, account.credentials)
        authorized = account.auth_status is AuthStatus.AUTHORIZED
        if (
            authorized
            and old is not None
            and self._registry.is_interactive(old, self._lookup.credentials_of(account, old))
        ):
            raise UseCaseError(AUTHORIZED, "the account is logged in; auth/cancel drops that login first")
        data = self._checks.check_login_data(channel, changed.auth_mode, credentials or account.credentials)
        return with_new_login(attrs.evolve(changed, credentials=data))

    async def change_proxy(self, account_id: str, field: str, value: Any) -> None:
        """Give an account another proxy; `field` is what the caller calls it.

        Raises `UseCaseError`, `StoreUnavailable`.
        """
        for _ in range(TRIES):
            account = await self._lookup.find_stored(account_id)
            proxy = await self._checks.check_proxy(field, value, account.proxy)
            if proxy == account.proxy:
                return
            refuse_declared(account)
            changed = attrs.evolve(account, proxy=proxy, updated_at=self._now_ms())
            async with self._changing:
                try:
                    changed = await self._put(changed)
                except _ChangedMeanwhile:
                    continue
                with binding():
                    self._accounts.update(changed, reconnect=True)
            return
        raise _busy()

    async def delete_account(self, account_id: str) -> None:
        """Stop an account and delete it. Raises `UseCaseError`, `StoreUnavailable`.

        An account that has left the configuration file may be deleted.
        """
        account = await self._lookup.find_stored(account_id)
        if account.name in {declared.name for declared in self._settings().accounts}:
            refuse_declared(account)
        try:
            await self._deletion.delete(account.id)
        except BeingDeleted:
            raise UseCaseError(BUSY, "the account is being deleted") from None

    async def _refuse_too_many(self) -> None:
        settings = self._settings()
        quota = settings.workspace.account_quota
        if quota and await self._store.account_count() >= quota:
            raise UseCaseError(QUOTA_EXCEEDED, f"the workspace may have {quota} accounts")
        if self._accounts.full:
            most = settings.supervision.max_children
            raise UseCaseError(QUOTA_EXCEEDED, f"this gateway runs at most {most} accounts")

    async def _refuse_duplicate(
        self, connection: ConnectionSpec, account: Account, named: str | None = None
    ) -> None:
        """Refuse an identity that another account has: by the credentials, and as the caller `named` it.

        The login checks it again, and the store refuses what both have missed.
        """
        credentials = self._lookup.credentials_of(account, connection)
        for identity in (connection.identify(credentials), named):
            if identity is None:
                continue
            known = self._accounts.identified(account.channel, identity)
            stored = await self._store.account_of(account.channel, identity)
            if {known.row.id if known is not None else None, stored} - {None, account.id}:
                raise _duplicate()

    async def _put(self, account: Account) -> Account:
        """Raises `_ChangedMeanwhile`, `UseCaseError`, `StoreUnavailable`."""
        try:
            stored = await self._writes.write(PutAccount(account))
        except WriteRefused as refused:
            if refused.reason == DUPLICATE:
                raise _duplicate() from None
            raise _ChangedMeanwhile from None
        assert isinstance(stored, Account)
        return stored


def _settle(
    remarks: Remarks | None, channel: Channel, connection: ConnectionSpec, fields: AccountFields
) -> None:
    """Remark on fields of `provider_data` that the connection does not know. Raises `UseCaseError`."""
    if remarks is None:
        return
    known = {credential.name for credential in connection.credentials}
    others = {each.name for spec in channel.connections for each in spec.credentials} - known
    for name in fields.credentials or {}:
        if name in others:
            remarks.no_effect(f"provider_data.{name}", f"has no effect with auth_mode {connection.auth_mode}")
        elif name not in known:
            remarks.unknown(f"provider_data.{name}", known)
    remarks.settle()


def _duplicate() -> UseCaseError:
    return UseCaseError(DUPLICATE, "another account has this provider identity")


def _busy() -> UseCaseError:
    return UseCaseError(BUSY, "the account keeps changing, try again")
