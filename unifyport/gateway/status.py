"""What runs and what does not, in one answer: the gateway, its accounts and its endpoints, problems first.

It is read from memory, so it is answered while the storage takes nothing.
"""

import heapq
from collections import Counter
from collections.abc import Callable

import attrs

from actors.account.actor import AccountActor
from actors.account.explanation import explain_account, refused_calls, wall_time
from actors.accounts import Accounts
from actors.delivery import Deliveries
from unifyport.model.account import ACTIVE
from unifyport.model.auth import WAITING
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.webhook import ENDPOINT_ACTIVE, WebhookEndpoint

from .runtime import reason_of

_WELL = (RuntimeStatus.RUNNING, RuntimeStatus.STARTING)


@attrs.frozen(kw_only=True)
class AccountStatus:
    """One account. Times are RFC 3339; texts are empty where there is nothing to say."""

    id: str
    name: str
    provider: str
    runtime_status: str
    since: str
    reason: str
    detail: str
    next: str
    action: str
    next_retry_at: str
    budget_left: int
    auth_status: str
    last_error: str
    problem: bool


@attrs.frozen(kw_only=True)
class EndpointStatus:
    """One endpoint that is not well. `failing_since`: unix ms."""

    id: str
    name: str
    status: str
    reason: str
    failing_since: int | None
    breaker_open: bool


@attrs.frozen(kw_only=True)
class GatewayStatus:
    """`not_ready`: why the gateway is not ready, or None. `counts`: of all accounts, by runtime status.

    `accounts`: those that were asked for, problems first, as many as were asked for; `matching`: how many
    there are. `problems`, `endpoint_problems`: of all accounts and all endpoints.
    """

    not_ready: str | None
    counts: Counter[str]
    problems: int
    accounts: list[AccountStatus]
    matching: int
    endpoint_count: int
    endpoint_problems: int
    endpoints: list[EndpointStatus]


@attrs.frozen
class StatusUseCases:
    """`ready`: why the gateway is not ready, or None."""

    _accounts: Accounts
    _deliveries: Deliveries
    _ready: Callable[[], str | None]
    _now_ms: Callable[[], int]

    def read(self, words: str, limit: int, *, problems_only: bool = False) -> GatewayStatus:
        """`words`: only accounts whose id, name, provider or runtime status has this in it. No checkpoint."""
        wanted, found, problems = words.casefold(), list[tuple[bool, int, AccountActor]](), 0
        counts: Counter[str] = Counter()
        for actor in self._accounts:
            row, status = actor.row, actor.view.status
            counts[status] += 1
            problem = has_problem(actor)
            problems += problem
            if (problem or not problems_only) and _matches(wanted, row.id, row.name, row.provider, status):
                found.append((not problem, row.no, actor))
        first = heapq.nsmallest(limit, found, key=lambda each: each[:2])
        unwell = [actor.endpoint for actor in self._deliveries if not _is_well(actor.endpoint)]
        return GatewayStatus(
            not_ready=self._ready(),
            counts=counts,
            problems=problems,
            accounts=[self._of_account(actor) for *_, actor in first],
            matching=len(found),
            endpoint_count=len(list(self._deliveries)),
            endpoint_problems=len(unwell),
            endpoints=[self._of_endpoint(endpoint) for endpoint in unwell[:limit]],
        )

    def _of_account(self, actor: AccountActor) -> AccountStatus:
        row, now = actor.row, self._now_ms()
        state = self._accounts.state(row.id)
        reason = reason_of(row, actor)
        found = explain_account(
            row, state, reason, now_ms=now, interactive=actor.interactive, calls=actor.calls
        )
        return AccountStatus(
            id=row.id,
            name=row.name,
            provider=row.provider,
            runtime_status=actor.view.status.value,
            since=wall_time(state.since, now),
            reason=reason,
            detail=found.detail,
            next=found.following,
            action=found.action,
            next_retry_at=wall_time(state.next_retry_at, now),
            budget_left=state.budget_left,
            auth_status=row.auth_status.value,
            last_error=row.last_error or refused_calls(actor.calls) or "",
            problem=has_problem(actor),
        )

    def _of_endpoint(self, endpoint: WebhookEndpoint) -> EndpointStatus:
        actor = self._deliveries.actor(endpoint.id)
        return EndpointStatus(
            id=endpoint.id,
            name=endpoint.name or "",
            status=endpoint.status,
            reason=endpoint.reason or "",
            failing_since=endpoint.failing_since,
            breaker_open=actor is not None and actor.breaker_open,
        )


def has_problem(actor: AccountActor) -> bool:
    """Whether an account that should run does not, or calls of its platform are refused."""
    row = actor.row
    if row.status != ACTIVE or row.desired != "running":
        return False
    if row.terminal is not None or row.auth_status in WAITING or actor.view.status not in _WELL:
        return True
    return actor.calls is not None and actor.calls.are_refused


def _is_well(endpoint: WebhookEndpoint) -> bool:
    return endpoint.status == ENDPOINT_ACTIVE and endpoint.failing_since is None


def _matches(wanted: str, *texts: str) -> bool:
    return not wanted or any(wanted in text.casefold() for text in texts)
