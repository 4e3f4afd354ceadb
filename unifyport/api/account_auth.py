"""Account auth: where the login of an account stands."""

from actors.accounts import NoSuchAccount
from unifyport.model.account import ACTIVE, AuthStatus

from . import schemas
from .accounts import find
from .errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ApiError, ErrorSpec
from .routing import Call, Route


async def get_auth_state(call: Call) -> schemas.AccountSession:
    account = await find(call.gateway, call.path["account_id"])
    return schemas.AccountSession(
        account_id=account.id, status=account.auth_status.value, last_error=account.last_error
    )


async def start_auth(call: Call) -> schemas.AccountSession:
    """A token account presents its credentials again; the answer is the state after that was set going."""
    gateway = call.gateway
    account = await find(gateway, call.path["account_id"])
    if account.auth_status is AuthStatus.AUTHORIZED:
        raise ApiError(409, "account_already_authorized", "the account is logged in")
    if account.status != ACTIVE:
        raise ApiError(409, NOT_BOUND.code, f"the account's status is {account.status}")
    try:
        await gateway.accounts.log_in_again(account.id)
    except NoSuchAccount:
        raise ApiError(409, NOT_BOUND.code, "the account is not bound to a running connector") from None
    return await get_auth_state(call)


ROUTES = [
    Route(
        "getAccountAuthState",
        "GET",
        "/v1/accounts/{account_id}/auth",
        get_auth_state,
        "Account Auth",
        "Read the login state of an account",
        "get_auth_state_failed",
        schemas.AccountSession,
        errors=(NOT_FOUND,),
    ),
    Route(
        "startAccountAuth",
        "POST",
        "/v1/accounts/{account_id}/auth/start",
        start_auth,
        "Account Auth",
        "Log in, or present the credentials again",
        "run_auth_action_failed",
        schemas.AccountSession,
        dict,
        body_required=False,
        errors=(INVALID_REQUEST, ErrorSpec(409, "account_already_authorized"), NOT_BOUND, NOT_FOUND),
    ),
]
