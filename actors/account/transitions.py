"""One log line for each change of an account's runtime status: why, what comes next, what must be done.

    account 'support-bot': running -> disconnected (invalid_credentials)

with the fields `account_id`, `account`, `was`, `status`, `reason`, `detail`, `next` and `action`, each where
there is something to say. Beginning and ending by order (`starting`, `stopping`) are shown at level debug.
"""

import logging

from supervisors import ChildState
from unifyport.model.account import Account
from unifyport.model.runtime_status import RuntimeStatus

from .explanation import explain_account
from .status import RuntimeView

log = logging.getLogger("unifyport.account")

_LEVELS = {
    RuntimeStatus.STARTING: logging.DEBUG,
    RuntimeStatus.STOPPING: logging.DEBUG,
    RuntimeStatus.RECONNECTING: logging.WARNING,
    RuntimeStatus.DISCONNECTED: logging.WARNING,
    RuntimeStatus.ERROR: logging.WARNING,
}


def log_transition(
    row: Account,
    child: ChildState,
    view: RuntimeView,
    before: RuntimeStatus,
    *,
    now_ms: int,
    interactive: bool,
) -> None:
    """Log that the account, which was `before`, is as `view` says now."""
    level = _LEVELS.get(view.status, logging.INFO)
    if not log.isEnabledFor(level):
        return
    found = explain_account(row, child, view.reason, now_ms=now_ms, interactive=interactive)
    fields = {
        "account_id": row.id,
        "account": row.name,
        "was": before.value,
        "status": view.status.value,
        "reason": view.reason,
        "detail": found.detail,
        "next": found.following,
        "action": found.action,
    }
    why = f" ({view.reason})" if view.reason else ""
    shown = {name: text for name, text in fields.items() if text}
    log.log(level, "account %r: %s -> %s%s", row.name, before.value, view.status.value, why, extra=shown)
