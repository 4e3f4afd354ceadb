"""What runs and what does not, in one answer: the gateway, its accounts and its endpoints, problems first.

It is read from memory, so it is answered while the storage takes nothing.
"""

import contextlib
import heapq
from collections import Counter
from collections.abc import Callable

import attrs

from actors.account.actor import AccountActor
from actors.account.explanation import explain_account, refused_calls, wall_time
from actors.accounts import Accounts, NoSuchAccount
from actors.delivery import Deliveries
from actors.endpoint import EndpointActor
from supervisors import Slices
from unifyport.delivery.verdict import NAME_NOT_RESOLVED
from unifyport.model.account import ACTIVE
from unifyport.model.auth import WAITING
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.webhook import ENDPOINT_ACTIVE
from unifyport.process.clock import Clock

from .runtime import reason_of

_WELL = (RuntimeStatus.RUNNING, RuntimeStatus.STARTING)


Position = tuple[bool, int]  # whether an account has no problem, and its number: they are in this order


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
    """One endpoint that is not well. `failing_since`: unix ms. `last_error`: empty if none is known."""

    id: str
    name: str
    status: str
    reason: str
    failing_since: int | None
    last_error: str
    breaker_open: bool


@attrs.frozen(kw_only=True)
class GatewayStatus:
    """`not_ready`: why the gateway is not ready, or None. `counts`: of all accounts, by runtime status.

    `accounts`: those that were asked for, problems first, as many as were asked for; `matching`: how many
    there are; `last`: the position of the last one if there are more. `problems`, `endpoint_problems`: of all
    accounts and all endpoints.
    """

    not_ready: str | None
    counts: Counter[str]
    problems: int
    accounts: list[AccountStatus]
    matching: int
    last: Position | None
    endpoint_count: int
    endpoint_problems: int
    endpoints: list[EndpointStatus]


@attrs.frozen
class StatusUseCases:
    """`ready`: why the gateway is not ready, or None."""

    _accounts: Accounts
    _deliveries: Deliveries
    _ready: Callable[[], str | None]
    _clock: Clock

    async def read(
        self, words: str, limit: int, *, problems_only: bool = False, after: Position | None = None
    ) -> GatewayStatus:
        """`words`: only accounts whose id, name, provider or runtime status has this in it. `after`: only
        those behind this position; one that got or lost a problem meanwhile may be shown twice, or not.
        """
        wanted, found, problems = words.casefold(), list[tuple[bool, int, AccountActor]](), 0
        counts: Counter[str] = Counter()
        slices = Slices()
        for actor in list(self._accounts):
            row, status = actor.row, actor.view.status
            counts[status] += 1
            problem = has_problem(actor)
            problems += problem
            if (problem or not problems_only) and _matches(wanted, row.id, row.name, row.provider, status):
                found.append((not problem, row.no, actor))
            await slices.pause()
        behind = found if after is None else [each for each in found if each[:2] > after]
        first = heapq.nsmallest(limit, behind, key=lambda each: each[:2])
        unwell, endpoints = list[EndpointActor](), list(self._deliveries)
        for endpoint in endpoints:
            if not _is_well(endpoint):
                unwell.append(endpoint)
            await slices.pause()
        accounts = await self._of_accounts([actor for *_, actor in first], slices)
        shown = list[EndpointStatus]()
        for endpoint in unwell[:limit]:
            shown.append(self._of_endpoint(endpoint))
            await slices.pause()
        return GatewayStatus(
            not_ready=self._ready(),
            counts=counts,
            problems=problems,
            accounts=accounts,
            matching=len(found),
            last=first[-1][:2] if len(behind) > len(first) else None,
            endpoint_count=len(endpoints),
            endpoint_problems=len(unwell),
            endpoints=shown,
        )

    async def _of_accounts(self, actors: list[AccountActor], slices: Slices) -> list[AccountStatus]:
        """Of those that are still there."""
        found = list[AccountStatus]()
        for actor in actors:
            with contextlib.suppress(NoSuchAccount):
                found.append(self._of_account(actor))
            await slices.pause()
        return found

    def _of_account(self, actor: AccountActor) -> AccountStatus:
        row, now = actor.row, self._clock.now_ms()
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

    def _of_endpoint(self, actor: EndpointActor) -> EndpointStatus:
        endpoint, since = actor.endpoint, actor.endpoint.failing_since
        return EndpointStatus(
            id=endpoint.id,
            name=endpoint.name or "",
            status=endpoint.status,
            reason=endpoint.reason or "",
            failing_since=None if since is None else self._clock.wall_of(since),
            last_error=actor.last_error,
            breaker_open=actor.breaker_open,
        )


def has_problem(actor: AccountActor) -> bool:
    """Whether an account that should run does not, or calls of its platform are refused."""
    row = actor.row
    if row.status != ACTIVE or row.desired != "running":
        return False
    if row.terminal is not None or row.auth_status in WAITING or actor.view.status not in _WELL:
        return True
    return actor.calls is not None and actor.calls.are_refused


def _is_well(actor: EndpointActor) -> bool:
    active, since = actor.endpoint.status == ENDPOINT_ACTIVE, actor.endpoint.failing_since
    return active and since is None and actor.last_error != NAME_NOT_RESOLVED


def _matches(wanted: str, *texts: str) -> bool:
    return not wanted or any(wanted in text.casefold() for text in texts)
