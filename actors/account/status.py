"""What is shown of an account: supervisor states become `runtime_status`, changes become events.

Publishing never waits. A change goes into the account's slot and one pump (`pump.py`) carries all slots down
the ordinary road, each account's changes in the order in which they happened. While the road is blocked a
slot holds 16 changes; beyond that the newest two merge, and the event says how many were left out.
"""

from typing import Any

import attrs

from supervisors import ChildState, Ended, Kind, Phase
from unifyport.model.account import OF_A_LOGIN, Account
from unifyport.model.auth import fields_of
from unifyport.model.event import EventType
from unifyport.model.runtime_status import RuntimeStatus, Trigger, next_status
from unifyport.model.times import rfc3339
from unifyport.model.unit import Announcement

SLOT = 16
WAITING = "waiting_for_admission"
NETWORK = "network"  # so many accounts are silent together that the network is the cause
_STATUSES = (EventType.ACCOUNT_STATUS_UPDATED, EventType.ACCOUNT_STARTED)


@attrs.define
class Change:
    """One change of an account: its events, and the fields of its row. `login`: of which credentials."""

    announcements: list[Announcement]
    account_changes: dict[str, Any] = attrs.field(factory=dict)
    coalesced: int = 0
    login: int = 0
    number: int = 0  # in the order of publishing

    def changes_for(self, login: int) -> dict[str, Any]:
        """The fields that still hold for the credentials `login`; results of an older login do not."""
        if self.login == login:
            return self.account_changes
        return {name: value for name, value in self.account_changes.items() if name not in OF_A_LOGIN}


class StatusSlot:
    """Changes of one account that are not on the road yet, oldest first."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: list[Change] = []

    def publish(self, change: Change) -> None:
        if len(self._changes) >= SLOT:
            left_out = self._changes.pop()
            change.announcements = [
                announcement for announcement in left_out.announcements if announcement.type not in _STATUSES
            ] + change.announcements
            change.account_changes = {**left_out.changes_for(change.login), **change.account_changes}
            change.coalesced = left_out.coalesced + 1
            for announcement in change.announcements:
                announcement.data = {**announcement.data, "coalesced": change.coalesced}
        self._changes.append(change)

    def take(self) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes

    def put_back(self, changes: list[Change]) -> None:
        self._changes = changes + self._changes

    def __bool__(self) -> bool:
        return bool(self._changes)


def trigger_of(state: ChildState) -> Trigger | None:
    """The trigger of `runtime_status` that a supervisor's state of a child is; None: nothing changes."""
    match state.phase:
        case Phase.WAITING | Phase.STARTING:
            return Trigger.START
        case Phase.RUNNING:
            return Trigger.CONNECTED
        case Phase.BACKING_OFF | Phase.DEFERRED:
            return Trigger.LINK_LOST
        case Phase.PARKED | Phase.EXHAUSTED | Phase.FAILED | Phase.COMPLETED:
            return Trigger.CRASH_PARKED if _crashed(state) else Trigger.EXHAUSTED
        case Phase.TERMINAL:
            return Trigger.LOGIN_LOST
        case Phase.STOPPING:
            return Trigger.STOP
        case Phase.STOPPED:
            return Trigger.STOPPED
        case Phase.STUCK:
            return Trigger.STUCK


def _crashed(state: ChildState) -> bool:
    last = state.last
    return last is not None and last.failure is not None and last.failure.kind is Kind.BUG


def reason_of(state: ChildState) -> str:
    """The reason, in one machine-readable word; empty when nothing is wrong."""
    if state.phase is Phase.TERMINAL:
        return state.terminal or ""
    if state.phase is Phase.RUNNING and state.probe_restart_held:
        return NETWORK
    if state.phase in (Phase.RUNNING, Phase.STOPPED, Phase.STOPPING):
        return ""
    last = state.last
    if last is None or last.ended is not Ended.FAILED or last.failure is None:
        return ""
    return last.failure.reason


class RuntimeView:
    """The observed `runtime_status` of one account and its reason."""

    __slots__ = ("next_retry_at", "reason", "since", "status")

    def __init__(self) -> None:
        self.status = RuntimeStatus.UNKNOWN
        self.reason = ""
        self.since = 0
        self.next_retry_at: float | None = None  # trio's clock

    def observe(self, state: ChildState, now_ms: int) -> bool:
        """Take over a supervisor's state. True: the status or its reason changed."""
        trigger = trigger_of(state)
        self.next_retry_at = state.next_retry_at
        if trigger is None or (trigger is Trigger.STOPPED and self.status is RuntimeStatus.UNKNOWN):
            return False
        status, reason = next_status(self.status, trigger), reason_of(state)
        if state.phase is Phase.WAITING:  # shown, but no event of its own
            changed, self.status, self.reason = status is not self.status, status, WAITING
            self.since = now_ms if changed else self.since
            return changed
        if self.reason == WAITING and status is self.status:
            self.reason = reason
            return False
        if status is RuntimeStatus.RECONNECTING and not reason:
            reason = self.reason  # the next try keeps the reason of the last failure
        if (status, reason) == (self.status, self.reason):
            return False
        self.status, self.reason, self.since = status, reason, now_ms
        return True


def status_changed(row: Account, view: RuntimeView, now_ms: int, *, was_up: bool) -> list[Announcement]:
    """The events of a changed runtime status: `account.started` when it came up, then the general one."""
    events = auth_changed(row, view, now_ms)
    if view.status is RuntimeStatus.RUNNING and not was_up:
        events.insert(0, Announcement(EventType.ACCOUNT_STARTED, dict(events[0].data), now_ms))
    return events


def auth_changed(row: Account, view: RuntimeView, now_ms: int) -> list[Announcement]:
    """`account.status.updated` alone."""
    data: dict[str, Any] = {"auth_status": row.auth_status, "runtime_status": view.status}
    account: dict[str, Any] = {}
    if row.provider_account_ref is not None:
        account["provider_account_ref"] = row.provider_account_ref
    if view.reason:
        data["reason"] = view.reason
    data["account"] = account
    return [Announcement(EventType.ACCOUNT_STATUS_UPDATED, data, now_ms)]


def auth_failed(row: Account, reason: str, now_ms: int) -> list[Announcement]:
    """The events of a login that was lost or refused: the failure, then that a new login is required."""
    [failed] = login_failed(row, reason, now_ms)
    return [failed, Announcement(EventType.ACCOUNT_AUTH_REQUIRED, dict(failed.data), now_ms)]


def login_failed(row: Account, reason: str, now_ms: int) -> list[Announcement]:
    """The event of a login that failed."""
    data = {
        "auth_status": row.auth_status,
        "runtime_status": RuntimeStatus.DISCONNECTED,
        "last_error": reason,
        "account": {"provider_account_ref": row.provider_account_ref or ""},
    }
    if "guesses_left" in row.auth_payload:
        data["guesses_left"] = row.auth_payload["guesses_left"]
    return [Announcement(EventType.ACCOUNT_AUTH_FAILED, data, now_ms)]


def auth_required(row: Account, runtime_status: RuntimeStatus, now_ms: int) -> list[Announcement]:
    """The event of a login that waits for a person. It expires with the code or picture that it shows."""
    fields = fields_of(row.auth_status, row.auth_payload, imports=False)
    data: dict[str, Any] = {
        "auth_status": row.auth_status,
        "runtime_status": runtime_status,
        "sequence": row.auth_sequence,
    }
    if row.auth_payload:
        data["auth_payload"] = row.auth_payload
    if fields:
        data["auth_fields"] = [attrs.asdict(field) for field in fields]
    if row.auth_expires_at is not None:
        data["expires_at"] = rfc3339(row.auth_expires_at)
    if row.last_error is not None:
        data["last_error"] = row.last_error
    return [Announcement(EventType.ACCOUNT_AUTH_REQUIRED, data, now_ms, row.auth_expires_at)]


def auth_succeeded(row: Account, now_ms: int) -> list[Announcement]:
    profile = {
        "display_name": row.profile.get("display_name", ""),
        "picture_url": row.profile.get("avatar_url", ""),
        "region": row.profile.get("region") or row.region,
        "status_message": row.profile.get("bio", ""),
    }
    account = {"provider_account_ref": row.provider_account_ref, **profile}
    data = {"auth_status": row.auth_status, "account": account, **profile}
    return [Announcement(EventType.ACCOUNT_AUTH_SUCCEEDED, data, now_ms)]
