"""Accounts: creating, reading, changing and deleting them."""

from typing import Any

from msgspec import UNSET

from supervisors import map_in_slices
from unifyport.gateway import errors as codes
from unifyport.gateway.account_fields import AccountFields
from unifyport.gateway.accounts import AccountView

from .. import schemas
from ..http.errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, error
from ..http.routing import Call, Route


def present_account(view: AccountView) -> schemas.Account:
    account = view.account
    profile = {name: value for name, value in account.profile.items() if value}
    proxy = None if account.proxy is None else account.proxy.masked()
    return schemas.Account(
        id=account.id,
        name=account.name,
        provider=account.provider,  # type: ignore[arg-type]
        region=account.region,
        status=account.status,
        runtime_status=view.runtime_status.value,
        auth_mode=account.auth_mode,
        capabilities=view.capabilities,
        metadata=account.metadata,
        origin=account.origin.value,
        provider_account_ref=account.provider_account_ref,
        provider_profile=schemas.ProviderProfile(**profile) if profile else None,
        receive=account.receive,
        take_over=account.take_over,
        media_fetch=view.media_fetch,  # type: ignore[arg-type]
        ingress_url=view.ingress_url,
        proxy=proxy,
        proxy_config=proxy,
    )


def read_fields(body: schemas.AccountRequest) -> AccountFields:
    """`provider_data` holds the credentials, and may hold the proxy beside them."""
    data = body.provider_data or {}
    given: dict[str, Any] = {"proxy": body.proxy, "proxy_config": body.proxy_config}
    if "proxy_config" in data:
        given["provider_data.proxy_config"] = data["proxy_config"]
    credentials = {name: value for name, value in data.items() if name != "proxy_config"}
    return AccountFields(
        provider=body.provider,
        region=body.region,
        name=body.name,
        status=body.status,
        auth_mode=body.auth_mode,
        capabilities=body.capabilities,
        metadata=body.metadata,
        provider_account_ref=body.provider_account_ref,
        credentials=credentials or None,
        receive=body.receive,
        take_over=body.take_over,
        media_fetch=body.media_fetch,
        proxies={name: value for name, value in given.items() if value is not UNSET},
    )


def _read(call: Call) -> AccountFields:
    """The fields of a request, with remarks on those that have no effect."""
    if call.body.runtime_status is not None:
        call.remarks.no_effect("runtime_status", "the routes under /runtime change it")
    return read_fields(call.body)


async def list_accounts(call: Call) -> list[schemas.Account]:
    return await map_in_slices(present_account, await call.gateway.accounts.list_accounts())


async def get_account(call: Call) -> schemas.Account:
    return present_account(await call.gateway.accounts.read_account(call.path["account_id"]))


async def create_account(call: Call) -> schemas.Account:
    return present_account(await call.gateway.accounts.create_account(_read(call), call.remarks))


async def update_account(call: Call) -> schemas.Account:
    accounts, fields = call.gateway.accounts, _read(call)
    return present_account(await accounts.update_account(call.path["account_id"], fields, call.remarks))


async def delete_account(call: Call) -> None:
    await call.gateway.accounts.delete_account(call.path["account_id"])


_WRITES = (
    INVALID_REQUEST,
    error(codes.UNSUPPORTED_AUTH_MODE),
    error(codes.PHONE_REQUIRED),
    error(codes.NO_SERVER),
    error(codes.DUPLICATE),
    error(codes.BUSY),
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
        errors=(*_WRITES, error(codes.QUOTA_EXCEEDED), error(codes.NO_LEASES)),
        settles=True,
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
        errors=(*_WRITES, error(codes.DECLARED_IN_FILE), error(codes.AUTHORIZED), NOT_FOUND),
        settles=True,
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
            error(codes.DECLARED_IN_FILE),
            error(codes.BUSY),
            NOT_FOUND,
            error(codes.NO_ADAPTER),
        ),
    ),
]
