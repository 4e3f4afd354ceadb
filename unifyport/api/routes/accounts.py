"""Accounts: creating, reading, changing and deleting them."""

from typing import Any

import attrs
import msgspec
from msgspec import UNSET

from unifyport.config.declared import with_new_login
from unifyport.config.settings import check_credentials
from unifyport.gateway.gateway import BeingDeleted, Gateway, WriteRefused
from unifyport.model.account import ACTIVE, Account, AuthStatus, Origin
from unifyport.model.ids import new_id
from unifyport.model.proxy import Proxy
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.texts import is_one_line
from unifyport.net.guard import NameNotResolved, UrlNotAllowed
from unifyport.process.redaction import register_secret
from unifyport.providers.contract.base import WEBHOOK, Channel, ConnectionSpec
from unifyport.providers.registry import PROVIDER_NAMES
from unifyport.storage.contract import PutAccount, StoreUnavailable

from .. import schemas
from ..http.errors import (
    DECLARED_IN_FILE,
    INVALID_REQUEST,
    NOT_BOUND,
    NOT_FOUND,
    ApiError,
    ErrorSpec,
    not_found,
)
from ..http.routing import Call, Route

MAX_TEXT = 200
TRIES = 5  # at a change that meets one of the account itself


_PHONE_MISSING = "provider_data.phone: is required"


class _ChangedMeanwhile(Exception):
    """The row is not the one that was read."""


async def find_account(gateway: Gateway, account_id: str) -> Account:
    """The account as stored. Raises 404 `not_found`."""
    account = await gateway.store.account(account_id)
    if account is None:
        raise not_found("account")
    return account


async def bound_account(gateway: Gateway, account_id: str) -> tuple[Account, ConnectionSpec]:
    """The account and its connection. Raises 404 `not_found`, 502 `provider_adapter_not_found`."""
    actor = gateway.accounts.actor(account_id)
    if actor is not None and not actor.leaving:  # what is on its way to the disk counts already
        return actor.row, actor.spec
    account = await find_account(gateway, account_id)
    channel = gateway.registry.find_channel(account.provider)
    connection = channel.connection(account.auth_mode) if channel is not None else None
    if connection is None:
        raise ApiError(502, "provider_adapter_not_found", f"there is no connector for {account.provider}")
    return account, connection


def present_account(gateway: Gateway, account: Account) -> schemas.Account:
    actor = gateway.accounts.actor(account.id)
    channel = gateway.registry.find_channel(account.provider)
    connection = channel.connection(account.auth_mode) if channel is not None else None
    profile = {name: value for name, value in account.profile.items() if value}
    proxy = None if account.proxy is None else account.proxy.masked()
    return schemas.Account(
        id=account.id,
        name=account.name,
        provider=account.provider,  # type: ignore[arg-type]
        region=account.region,
        status=account.status,
        runtime_status=(RuntimeStatus.UNKNOWN if actor is None else actor.view.status).value,
        auth_mode=account.auth_mode,
        capabilities=account.capabilities
        if account.capabilities is not None
        else capabilities(gateway, connection),
        metadata=account.metadata,
        origin=account.origin.value,
        provider_account_ref=account.provider_account_ref,
        provider_profile=schemas.ProviderProfile(**profile) if profile else None,
        receive=account.receive,
        ingress_url=gateway.ingress_url(account) if account.receive == WEBHOOK else None,
        proxy=proxy,
        proxy_config=proxy,
    )


def capabilities(gateway: Gateway, connection: ConnectionSpec | None) -> list[str]:
    """The contract's words for what a connection can do."""
    if connection is None:
        return []
    sends = any(name.startswith("send_") for name in gateway.registry.capabilities(connection))
    return [*(["send_message"] if sends else []), "receive_message"]


async def list_accounts(call: Call) -> list[schemas.Account]:
    return [present_account(call.gateway, account) for account in await call.gateway.store.accounts()]


async def get_account(call: Call) -> schemas.Account:
    return present_account(call.gateway, await find_account(call.gateway, call.path["account_id"]))


async def create_account(call: Call) -> schemas.Account:
    gateway, body = call.gateway, call.body
    if body.provider is None:
        raise ApiError(400, "invalid_request", "provider: is required")
    channel = _channel(gateway, body.provider)
    region = _region(gateway, body.region or gateway.settings.workspace.regions[0])
    connection = _connection(channel, body.auth_mode or channel.connections[0].auth_mode)
    _check_texts(body)
    proxy = await _proxy(gateway, body, None)
    credentials = _credentials(channel, connection.auth_mode, _without_proxy(body.provider_data or {}))
    receive = _receive(gateway, connection, body.receive or connection.receive[0], asked=body.receive)
    now, account_id = gateway.now_ms(), new_id("acct")
    account = Account(
        id=account_id,
        name=body.name or f"{body.provider}-{account_id[-6:]}",
        provider=body.provider,
        channel=channel.name,
        region=region,
        auth_mode=connection.auth_mode,
        status=body.status or ACTIVE,
        metadata=body.metadata or {},
        capabilities=body.capabilities,
        credentials=credentials,
        receive=receive,
        proxy=proxy,
        created_at=now,
        updated_at=now,
    )
    async with gateway.changing_accounts:
        quota = gateway.settings.workspace.account_quota
        if quota and await gateway.store.account_count() >= quota:
            raise ApiError(
                409, "workspace_account_quota_exceeded", f"the workspace may have {quota} accounts"
            )
        if gateway.accounts.full:
            raise ApiError(
                409,
                "workspace_account_quota_exceeded",
                f"this gateway runs at most {gateway.settings.supervision.max_children} accounts",
            )
        await _refuse_duplicate(gateway, connection, account, body.provider_account_ref)
        try:
            [lease] = await gateway.accounts.claim([account_id])
        except StoreUnavailable:
            raise ApiError(503, _NO_LEASES.code, "storage is unavailable, try again", retry_after=1) from None
        account = await _put(gateway, account)
        gateway.accounts.add(account, lease)  # no checkpoint since it was stored
    return present_account(gateway, account)


async def update_account(call: Call) -> schemas.Account:
    for _ in range(TRIES):
        try:
            return await _update(call)
        except _ChangedMeanwhile:
            continue
    raise ApiError(409, "account_allocation_busy", "the account keeps changing, try again")


async def _update(call: Call) -> schemas.Account:
    gateway, body = call.gateway, call.body
    account = await find_account(gateway, call.path["account_id"])
    _refuse_declared(account)
    if body.provider is not None and body.provider != account.provider:
        raise ApiError(400, "invalid_request", "provider: cannot be changed")
    channel = _channel(gateway, account.provider)
    connection = _connection(channel, body.auth_mode or account.auth_mode)
    _check_texts(body)
    receive = account.receive if account.receive in connection.receive else connection.receive[0]
    if body.receive is not None:
        receive = _receive(gateway, connection, body.receive, asked=body.receive)
    changed = attrs.evolve(
        account,
        receive=receive,
        proxy=await _proxy(gateway, body, account.proxy),
        name=body.name or account.name,
        region=_region(gateway, body.region) if body.region is not None else account.region,
        auth_mode=connection.auth_mode,
        status=body.status or account.status,
        metadata=account.metadata if body.metadata is None else body.metadata,
        capabilities=account.capabilities if body.capabilities is None else body.capabilities,
        updated_at=gateway.now_ms(),
    )
    new_login = body.provider_data is not None or connection.auth_mode != account.auth_mode
    data = _without_proxy(body.provider_data or {})
    if body.provider_data is not None and not data:
        new_login = connection.auth_mode != account.auth_mode  # it held nothing but a proxy
    if new_login and account.auth_status is AuthStatus.AUTHORIZED:
        _refuse_to_leave_a_session(gateway, channel, account)
    if new_login:
        credentials = _credentials(channel, connection.auth_mode, data or account.credentials)
        changed = with_new_login(attrs.evolve(changed, credentials=credentials))
    moved = (changed.receive, changed.proxy) != (account.receive, account.proxy)
    async with gateway.changing_accounts:
        if new_login:
            await _refuse_duplicate(gateway, connection, changed)
        changed = await _put(gateway, changed)
        gateway.accounts.update(changed, reconnect=new_login or moved)  # no checkpoint since it was stored
    return present_account(gateway, changed)


def _refuse_to_leave_a_session(gateway: Gateway, channel: Channel, account: Account) -> None:
    """A device that somebody has linked is let go of on purpose, and at its platform too."""
    old = channel.connection(account.auth_mode)
    if old is not None and gateway.registry.is_interactive(old):
        raise ApiError(
            409, "account_already_authorized", "the account is logged in; auth/cancel drops that login first"
        )


async def delete_account(call: Call) -> None:
    gateway = call.gateway
    account = await find_account(gateway, call.path["account_id"])
    if account.name in {declared.name for declared in gateway.settings.accounts}:
        _refuse_declared(account)  # what has left the file may go
    try:
        await gateway.delete_account(account.id)
    except BeingDeleted:
        raise ApiError(409, "account_allocation_busy", "the account is being deleted") from None


async def _put(gateway: Gateway, account: Account) -> Account:
    try:
        stored = await gateway.write(PutAccount(account))
    except WriteRefused as refused:
        if refused.reason == "duplicate_provider_account":
            raise ApiError(409, refused.reason, "another account has this provider identity") from None
        raise _ChangedMeanwhile from None
    assert isinstance(stored, Account)
    return stored


def _channel(gateway: Gateway, provider: str) -> Channel:
    if provider not in PROVIDER_NAMES:
        raise ApiError(400, "invalid_request", f"provider: must be one of {', '.join(PROVIDER_NAMES)}")
    channel = gateway.registry.find_channel(provider)
    if channel is None:
        raise ApiError(409, "no_allocatable_server", f"there is no connector for {provider} yet")
    return channel


def _connection(channel: Channel, auth_mode: str) -> ConnectionSpec:
    connection = channel.connection(auth_mode)
    if connection is None:
        known = ", ".join(known.auth_mode for known in channel.connections)
        raise ApiError(400, "unsupported_provider_auth_mode", f"auth_mode: {channel.name} has {known}")
    return connection


def _region(gateway: Gateway, region: str) -> str:
    regions = gateway.settings.workspace.regions
    if region not in regions:
        raise ApiError(409, "no_allocatable_server", f"region: must be one of {', '.join(regions)}")
    return region


def _receive(gateway: Gateway, connection: ConnectionSpec, receive: str, *, asked: str | None) -> str:
    if receive not in connection.receive:
        raise ApiError(400, "invalid_request", f"receive: must be one of {', '.join(connection.receive)}")
    if asked == WEBHOOK and gateway.settings.server.public_url is None:
        raise ApiError(400, "invalid_request", "receive: a webhook needs server.public_url in the file")
    return receive


async def _refuse_duplicate(
    gateway: Gateway, connection: ConnectionSpec, account: Account, named: str | None = None
) -> None:
    """By what the credentials say, and by what the caller names: nobody may be two accounts.

    The login asks again, and the store refuses what all of them have missed.
    """
    for identity in (connection.identify(account.credentials), named):
        if identity is None:
            continue
        known = gateway.accounts.identified(account.channel, identity)
        stored = await gateway.store.account_of(account.channel, identity)
        if {known.row.id if known is not None else None, stored} - {None, account.id}:
            raise ApiError(409, "duplicate_provider_account", "another account has this provider identity")


def _credentials(channel: Channel, auth_mode: str, data: dict[str, Any]) -> dict[str, Any]:
    problems = check_credentials(channel, auth_mode, data)
    if problems:
        problems = [problem.replace("credentials.", "provider_data.") for problem in problems]
        if problems == [_PHONE_MISSING]:
            raise ApiError(400, "auth_mode_phone_required", f"auth_mode {auth_mode}: {problems[0]}")
        raise ApiError(400, "invalid_request", "; ".join(problems), problems=problems)
    return data


def _check_texts(body: schemas.AccountRequest) -> None:
    problems = [
        f"{name}: must be 1 to {MAX_TEXT} printable characters"
        for name in ("name", "status", "provider_account_ref")
        if (value := getattr(body, name)) is not None
        and not (0 < len(value) <= MAX_TEXT and is_one_line(value))
    ]
    if problems:
        raise ApiError(400, "invalid_request", "; ".join(problems), problems=problems)


async def change_proxy(gateway: Gateway, account_id: str, value: Any) -> None:
    """Give an account another proxy, as `proxy_config` says. Raises `ApiError`."""
    for _ in range(TRIES):
        account = await find_account(gateway, account_id)
        proxy = await _parsed(gateway, "proxy_config", value, account.proxy)
        if proxy == account.proxy:
            return
        _refuse_declared(account)
        changed = attrs.evolve(account, proxy=proxy, updated_at=gateway.now_ms())
        async with gateway.changing_accounts:
            try:
                changed = await _put(gateway, changed)
            except _ChangedMeanwhile:
                continue
            gateway.accounts.update(changed, reconnect=True)
        return
    raise ApiError(409, "account_allocation_busy", "the account keeps changing, try again")


async def _proxy(gateway: Gateway, body: schemas.AccountRequest, old: Proxy | None) -> Proxy | None:
    """The account's proxy from whichever of the accepted places names it; `old` when none does."""
    given = {"proxy": body.proxy, "proxy_config": body.proxy_config}
    data = body.provider_data or {}
    if "proxy_config" in data:
        given["provider_data.proxy_config"] = data["proxy_config"]
    named = {name: value for name, value in given.items() if value is not UNSET}
    if len({msgspec.json.encode(value, order="deterministic") for value in named.values()}) > 1:
        raise ApiError(400, "invalid_request", f"{' and '.join(named)}: say different things")
    for name, value in named.items():
        return await _parsed(gateway, name, value, old)
    return old


async def _parsed(gateway: Gateway, name: str, value: Any, old: Proxy | None) -> Proxy | None:
    """The proxy that a field says. Raises `ApiError`."""
    if value is None or value == "":
        return None
    try:
        proxy = Proxy.parse(value).keeping_password_of(old)
        await gateway.proxy_guard.address(proxy.host)
    except NameNotResolved:
        pass  # it is asked again at every connect
    except UrlNotAllowed as error:
        raise ApiError(
            400, "invalid_request", f"{name}.host: {error}; the file's security.proxy_allow can permit it"
        ) from None
    except ValueError as error:
        raise ApiError(400, "invalid_request", f"{name}: {error}") from None
    register_secret(proxy.password)
    return proxy


def _without_proxy(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "proxy_config"}


def _refuse_declared(account: Account) -> None:
    if account.origin is Origin.FILE:
        raise ApiError(
            409, "declared_in_file", "this account belongs to the configuration file; change it there"
        )


_NO_LEASES = ErrorSpec(503, "allocation_service_unavailable")  # who may run an account is in the store
_WRITES = (
    INVALID_REQUEST,
    ErrorSpec(400, "unsupported_provider_auth_mode"),
    ErrorSpec(400, "auth_mode_phone_required"),
    ErrorSpec(409, "no_allocatable_server"),
    ErrorSpec(409, "duplicate_provider_account"),
    ErrorSpec(409, "account_allocation_busy"),
)

ROUTES = [
    Route(
        "listAccounts",
        "GET",
        "/v1/accounts",
        list_accounts,
        "Accounts",
        "List all accounts",
        "list_accounts_failed",
        list[schemas.Account],
    ),
    Route(
        "createAccount",
        "POST",
        "/v1/accounts",
        create_account,
        "Accounts",
        "Create an account; it logs in by itself where its credentials are enough",
        "create_account_failed",
        schemas.Account,
        schemas.AccountRequest,
        success=201,
        errors=(*_WRITES, ErrorSpec(409, "workspace_account_quota_exceeded"), _NO_LEASES),
    ),
    Route(
        "getAccount",
        "GET",
        "/v1/accounts/{account_id}",
        get_account,
        "Accounts",
        "Read one account",
        "get_account_failed",
        schemas.Account,
        errors=(NOT_FOUND,),
    ),
    Route(
        "updateAccount",
        "PATCH",
        "/v1/accounts/{account_id}",
        update_account,
        "Accounts",
        "Change an account; fields that are left out stay",
        "update_account_failed",
        schemas.Account,
        schemas.AccountRequest,
        errors=(*_WRITES, DECLARED_IN_FILE, ErrorSpec(409, "account_already_authorized"), NOT_FOUND),
    ),
    Route(
        "deleteAccount",
        "DELETE",
        "/v1/accounts/{account_id}",
        delete_account,
        "Accounts",
        "Stop an account and delete it",
        "delete_account_failed",
        success=204,
        errors=(
            NOT_BOUND,
            DECLARED_IN_FILE,
            ErrorSpec(409, "account_allocation_busy"),
            NOT_FOUND,
            ErrorSpec(502, "provider_adapter_not_found"),
        ),
    ),
]
