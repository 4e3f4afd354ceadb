"""What the end of a login, or of its session, changes in the account's row."""

from collections.abc import Mapping
from typing import Any

from unifyport.model.account import AuthStatus
from unifyport.model.texts import one_line
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.login import WrongPasscode

MAX_DETAIL = 256  # characters of what is shown to a human


def changes_to_pending_login() -> dict[str, Any]:
    """The row before a login: neither shown as failed nor barred from starting."""
    return {"auth_status": AuthStatus.PENDING_AUTH, "terminal": None, "last_error": None}


def changes_to_show_nothing() -> dict[str, Any]:
    """The row of an account that shows nothing to log in with."""
    return {"auth_payload": {}, "auth_expires_at": None}


def known_guesses(auth_payload: Mapping[str, Any]) -> int | None:
    """How many wrong passcodes the platform still takes, as far as the row of the account says it."""
    left = auth_payload.get("guesses_left")
    return left if isinstance(left, int) else None


def shown_of_failure(error: BaseException) -> dict[str, Any]:
    """`auth_payload` of a login that has failed: what `last_error`, a word for programs, does not say.

    Only a refusal's detail, which its connector has written for humans: another error of an import might
    quote the session.
    """
    if isinstance(error, WrongPasscode):
        return {"guesses_left": error.guesses_left}
    if isinstance(error, Rejected) and error.detail:
        return {"detail": one_line(error.detail, MAX_DETAIL)}
    return {}


def changes_to_no_session() -> dict[str, Any]:
    """The row once the session of a device is forgotten."""
    return {
        **changes_to_pending_login(),
        **changes_to_show_nothing(),
        "provider_account_ref": None,
        "profile": {},
    }
