"""What the end of a login, or of its session, changes in the account's row."""

from typing import Any

from unifyport.model.account import AuthStatus


def changes_to_pending_login() -> dict[str, Any]:
    """The row before a login: neither shown as failed nor barred from starting."""
    return {"auth_status": AuthStatus.PENDING_AUTH, "terminal": None, "last_error": None}


def changes_to_show_nothing() -> dict[str, Any]:
    """The row of an account that shows nothing to log in with."""
    return {"auth_payload": {}, "auth_expires_at": None}


def changes_to_no_session() -> dict[str, Any]:
    """The row once the session of a device is forgotten."""
    return {
        **changes_to_pending_login(),
        **changes_to_show_nothing(),
        "provider_account_ref": None,
        "profile": {},
    }
