"""Items of a platform's request, routed to the accounts that they name, and committed.

Platforms register one address per app, so a request may hold items of several accounts. What an item says
about itself is believed only after the secrets of the account that it names have verified the request, too.
A request may be long and hold thousands of items: what looks through a long body does so beside the event
loop, and the items are read in slices.
"""

import copy
import hmac
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import attrs
import trio

from actors.account.actor import AccountActor
from actors.accounts import Accounts
from supervisors import Slices
from unifyport.model.inbound import Unparsed, dedupe_key
from unifyport.model.json_depth import too_deep, too_many_parts
from unifyport.process.clock import Clock
from unifyport.providers.contract.ingress import Addressed, InboundHook

LONG = 256 * 1024  # bytes of a body that is looked through beside the event loop

Routed = dict[AccountActor, list[Addressed]]
T = TypeVar("T")


@attrs.frozen
class SignedRequest:
    """A request of a platform. `hook`: of the account whose address it came to. Header names: lower case."""

    hook: InboundHook
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen
class Router:
    """`keep_ms`: how old an item may be; an older one could be a repeat, and is set aside."""

    _accounts: Accounts
    _clock: Clock
    _keep_ms: int
    _turn: trio.CapacityLimiter = attrs.field(init=False, factory=lambda: trio.CapacityLimiter(1))

    async def verify_beside(self, request: SignedRequest, actor: AccountActor) -> bool:
        """`verify`, of a long body beside the event loop."""
        return await look_through(request.body, self._turn, self.verify, request, actor)

    def verify(self, request: SignedRequest, actor: AccountActor) -> bool:
        """Whether the secrets of an account verify a request; its age is not checked by a clock in doubt."""
        hook = request.hook
        verify = hook.verify
        if hook.verify_at_any_time is not None and self._clock.in_doubt:
            verify = hook.verify_at_any_time
        return verify(actor.credentials, request.headers, request.body)

    async def read(self, request: SignedRequest, actor: AccountActor) -> Routed:
        """The items of a request to `actor`, by the account that each names, in their order."""
        items = _items(request, actor.row.id, actor.known_identity or "")
        if len(request.body) > LONG:  # it is looked through several times before its first item is there
            first = await look_through(request.body, self._turn, next, items, None)
            items = itertools.chain([] if first is None else [first], items)
        return await self._route(request, actor, items)

    async def _route(self, request: SignedRequest, actor: AccountActor, items: Iterator[Addressed]) -> Routed:
        known: dict[str, AccountActor] = {}
        members: dict[str, list[AccountActor]] = {}  # by group
        routed: Routed = {}
        slices = Slices()
        oldest = -math.inf if self._clock.in_doubt else self._clock.now_ms() - self._keep_ms
        for item in items:
            stale = item.at is not None and item.at < oldest
            if item.group and not stale:
                if item.group not in members:
                    members[item.group] = await self._members(request, actor, item.group, slices)
                for member in members[item.group]:
                    routed.setdefault(member, []).append(copy.deepcopy(item))
            else:
                if item.identity not in known:
                    known[item.identity] = self._holder(request, actor, item.identity) or actor
                target = known[item.identity]
                if self._accounts.identified(actor.row.channel, item.identity) is not target:
                    item.event, item.state = Unparsed(item.event.key, item.raw, "no_such_account"), []
                elif stale:
                    item.event, item.state = Unparsed(item.event.key, item.raw, "stale"), []
                routed.setdefault(target, []).append(item)
            await slices.pause()
        return routed

    async def _members(
        self, request: SignedRequest, actor: AccountActor, group: str, slices: Slices
    ) -> list[AccountActor]:
        """The accounts of a group whose own secrets verify the request; if there is none, `actor`."""
        hook = request.hook
        if hook.group is None:
            return [actor]
        found = []
        for account in list(self._accounts):
            if hook_of(account) is hook and hook.group(account.credentials) == group:
                if account is actor or self.verify(request, account):
                    found.append(account)
                await slices.pause()
        return found or [actor]

    def _holder(self, request: SignedRequest, actor: AccountActor, identity: str) -> AccountActor | None:
        """The account that holds an identity, of this app: its own secrets must verify the request too."""
        found = self._accounts.identified(actor.row.channel, identity)
        if found is None or found is actor:
            return found
        if hook_of(found) is not request.hook or not self.verify(request, found):
            return None
        return found


def _items(request: SignedRequest, account_id: str, identity: str) -> Iterator[Addressed]:
    body = request.body
    if (deep := too_deep(body)) or too_many_parts(body):
        key = dedupe_key("ingress", account_id, hmac.digest(b"deep", body, "sha256").hex())
        reason = "too_deep" if deep else "too_many_parts"
        yield Addressed(identity, Unparsed(key, body, reason), body)
    else:
        yield from request.hook.parse(body, identity)


async def look_through(
    body: bytes, turn: trio.CapacityLimiter, function: Callable[..., T], *arguments: Any
) -> T:
    """What a function returns that looks through the whole body: if it is long, beside the event loop."""
    if len(body) <= LONG:
        return function(*arguments)
    return await trio.to_thread.run_sync(function, *arguments, limiter=turn)


def hook_of(actor: AccountActor) -> InboundHook | None:
    """How the platform of an account calls us; None if it does not."""
    return actor.spec.ingress if actor.called_by_platform else None


async def commit(routed: Routed, size: int) -> bool:
    """Whether the items of every account are durable; `size`: bytes of their request."""
    if len(routed) == 1:
        [(target, items)] = routed.items()
        return await _ingest(target, items, size)
    durable: list[bool] = []

    async def ingest(target: AccountActor, items: list[Addressed]) -> None:
        durable.append(await _ingest(target, items, size))

    async with trio.open_nursery() as nursery:
        for target, items in routed.items():
            nursery.start_soon(ingest, target, items)
    return all(durable)


async def _ingest(target: AccountActor, items: list[Addressed], size: int) -> bool:
    state = [change for item in items for change in item.state]
    return await target.ingest([item.event for item in items], size, state)
