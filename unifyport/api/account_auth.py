"""Account auth: where the login of an account stands."""

from . import schemas
from .accounts import find
from .errors import NOT_FOUND
from .routing import Call, Route


async def get_auth_state(call: Call) -> schemas.AccountSession:
    account = await find(call.gateway, call.path["account_id"])
    return schemas.AccountSession(
        account_id=account.id, status=account.auth_status.value, last_error=account.last_error
    )


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
    )
]
