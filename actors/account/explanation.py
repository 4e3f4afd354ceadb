"""In plain words: why an account is not running, what happens by itself, and what the operator must do."""

import math

import attrs
import trio

from supervisors import ChildState, Desired, Phase
from unifyport.model.account import ACTIVE, Account, AuthStatus, Origin
from unifyport.model.auth import WAITING
from unifyport.model.times import rfc3339

from .platform_calls import PlatformCalls

# What the operator must do about a reason. A reason that is not here needs no action, or not the operator's.
ACTIONS = {
    "invalid_credentials": (
        "give new credentials (PATCH provider_data), or POST auth/start if these are right"
    ),
    "refresh_token_refused": (
        "the authorization has ended: give consent anew (`unifyport login`, or POST auth/start), or a new"
        " refresh token (PATCH provider_data)"
    ),
    "oauth_client_refused": (
        "check the id and the secret of the app, in the account or in [providers.<channel>], then POST"
        " auth/start"
    ),
    "permission_missing": (
        "give the token the permissions that the channel's page lists, then POST auth/start"
    ),
    "unknown_phone_number_id": "check phone_number_id and that the token may see it, then POST auth/start",
    "duplicate_provider_account": "delete one of the two accounts that have this identity",
    "other_poller": "stop the other program that polls with this token",
    "webhook_moved": "stop the other program that points this bot's webhook elsewhere",
    "foreign_webhook": (
        "another program has set the webhook: remove it there, or take it over with take_over = true"
        " (PATCH take_over)"
    ),
    "webhook_refused": "check that server.public_url is https and can be reached from outside",
    "public_url_missing": "set server.public_url in the configuration file, or receive to poll",
    "authorization_revoked": "the user has taken the authorization back: give consent anew (POST auth/start)",
    "bearer_token_refused": "check the app's bearer token, in the account or in [providers.<channel>]",
    "stream_in_use": "stop the other programs that read this app's stream",
    "webhook_invalid": "the platform got no right answer to its check: see that ingress_url can be reached",
    "credits_depleted": "buy credits for the app in the platform's console",
    "client_outdated": (
        "put the current version of the platform's own client into [providers.<channel>] (docs/channels),"
        " reload, then POST runtime/reset"
    ),
    "passkey_required": "none: the platform links this identity with a passkey only",
    "too_many_codes": "wait before you ask for another code, or use an account with auth_mode qrcode",
    "banned": "see in the platform's app what can be done about the ban; afterwards log it in again",
    "account_locked": "unlock the account in the platform's app, then log it in again",
    "proxy_error": "check the account's proxy",
    "proxy_not_allowed": "permit the proxy's address in security.proxy_allow, or choose another one",
    "calls_refused": (
        "compare the secret of the webhook (docs/channels) with the platform's, and give the right one (PATCH"
        " provider_data)"
    ),
}

# The same for an account that the configuration file declares: the API cannot change it.
ACTIONS_IN_FILE = ACTIONS | {
    "invalid_credentials": (
        "change its credentials in the configuration file and reload, or POST auth/start if these are right"
    ),
    "refresh_token_refused": (
        "the authorization has ended: give consent anew (`unifyport login`, or POST auth/start), or a new"
        " refresh token in the configuration file, and reload"
    ),
    "unknown_phone_number_id": (
        "check phone_number_id in the configuration file and that the token may see it; then reload, or POST"
        " auth/start if the file is unchanged"
    ),
    "duplicate_provider_account": (
        "take one of the two accounts that have this identity out of the configuration file and reload with"
        " prune, or delete the other one"
    ),
    "foreign_webhook": (
        "another program has set the webhook: remove it there, or take it over with take_over = true"
        " in the configuration file and reload"
    ),
    "public_url_missing": (
        "set server.public_url in the configuration file and restart, or set receive to poll and reload"
    ),
    "proxy_error": "check the account's proxy in the configuration file; after a change reload",
    "calls_refused": (
        "compare the secret of the webhook (docs/channels) with the platform's, and change it in the"
        " configuration file and reload"
    ),
}

LOG_IN = "log it in: `unifyport login`, or the routes under /auth"

_NEXT = {
    Phase.WAITING: "it starts as soon as it is its turn",
    Phase.STARTING: "it connects, or fails within its start_timeout",
    Phase.RUNNING: "",
    Phase.BACKING_OFF: "the next try is at {at}",
    Phase.DEFERRED: "the platform asked to wait; the next try is at {at}",
    Phase.PARKED: "its restarts are used up; one try at {at}, then one every park_interval",
    Phase.TERMINAL: "nothing, until it is logged in again",
    Phase.COMPLETED: "nothing: it has ended, and its policy does not restart it",
    Phase.FAILED: "nothing: its policy does not restart it",
    Phase.EXHAUSTED: "nothing: its restarts are used up; POST runtime/reset begins anew",
    Phase.STOPPING: "it stops",
    Phase.STOPPED: "nothing, until it is started",
    Phase.STUCK: "it was told to stop and has not; no new connection is made until it has ended",
}


def _actions_of(account: Account) -> dict[str, str]:
    return ACTIONS_IN_FILE if account.origin is Origin.FILE else ACTIONS


def explain(
    account: Account, state: ChildState, reason: str, at: str, *, interactive: bool = False
) -> tuple[str, str, str]:
    """(why, next, action). `at`: when the next try is, as text; empty when none is planned."""
    declared, actions = account.origin is Origin.FILE, _actions_of(account)
    if account.status != ACTIVE:
        action = (
            "declare it in the configuration file again and reload" if declared else "PATCH status to active"
        )
        return f"its status is {account.status}", "nothing", action
    if state.phase is Phase.RUNNING:
        return "", "", ""
    if account.auth_status in WAITING:
        return f"a login waits for a human ({account.auth_status})", "it starts when that is done", LOG_IN
    if state.phase is Phase.STOPPED and account.auth_status is not AuthStatus.AUTHORIZED and interactive:
        error = account.last_error or ""
        return error or "it has not been logged in yet", "nothing", actions.get(error, LOG_IN)
    following = _NEXT[state.phase].format(at=at or "any moment")
    if account.desired == "stopped":
        return "an operator stopped it", following, "POST runtime/start"
    word = state.terminal or reason
    if state.phase is Phase.STOPPED and state.desired is Desired.RUNNING:  # its supervisor ends
        return "the gateway stops", "it starts again with the gateway", ""
    if state.phase is Phase.TERMINAL:  # whatever the platform's word is, a human must act
        action = actions.get(word, LOG_IN if interactive else actions["invalid_credentials"])
        return word or account.last_error or "its login is void", following, action
    return word or "it has only begun", following, actions.get(word, "")


@attrs.frozen
class Explanation:
    """Empty: nothing to say. `detail`: what `why` does not say, such as the host that cannot be reached."""

    why: str = ""
    following: str = ""
    action: str = ""
    detail: str = ""


def explain_account(
    row: Account,
    state: ChildState,
    reason: str,
    *,
    now_ms: int,
    interactive: bool = False,
    calls: PlatformCalls | None = None,
) -> Explanation:
    """`explain` at a time (unix ms). `calls`: of an account that its platform calls, else None."""
    at = wall_time(state.next_retry_at, now_ms)
    why, following, action = explain(row, state, reason, at, interactive=interactive)
    if state.phase is Phase.RUNNING and row.status == ACTIVE:
        if calls is None:
            return Explanation(why, following, action)
        if calls.are_refused:
            return Explanation(CALLS_REFUSED, "", _actions_of(row)[CALLS_REFUSED], describe_calls(calls))
        return Explanation(why, following, action, describe_calls(calls))
    return Explanation(why, following, action, _cause(state) or str(row.auth_payload.get("detail", "")))


CALLS_REFUSED = "calls_refused"


def describe_calls(calls: PlatformCalls) -> str:
    """When the platform called last, in words."""
    accepted = "none accepted" if calls.accepted_at is None else f"last accepted {rfc3339(calls.accepted_at)}"
    if calls.refused_at is None:
        refused = "none refused"
    else:
        refused = f"last refused {rfc3339(calls.refused_at)} because {calls.refused_because}"
    return f"calls of the platform since the gateway started: {accepted}, {refused}"


def refused_calls(calls: PlatformCalls | None) -> str | None:
    """What is wrong with the calls of an account's platform, as its `last_error`; None: nothing."""
    if calls is None or not calls.are_refused:
        return None
    return f"{CALLS_REFUSED}: {describe_calls(calls)}"


def wall_time(at: float | None, now_ms: int) -> str:
    """A time of trio's clock as RFC 3339; empty for none, and for one that no calendar has."""
    if at is None or not math.isfinite(at):
        return ""
    try:
        return rfc3339(now_ms + int((at - trio.current_time()) * 1000))
    except (OverflowError, ValueError, OSError):
        return ""


def _cause(state: ChildState) -> str:
    """What is known of the last failure beside its reason; of a bug the class of its exception."""
    failed = state.last is not None and state.phase not in (Phase.STOPPED, Phase.STOPPING, Phase.RUNNING)
    failure = state.last.failure if failed and state.last is not None else None
    return "" if failure is None else failure.error
