"""Platforms that call us: verify, read, route, commit. Only then is there an acknowledgement.

A request without a valid signature learns nothing: an account that does not exist, one of another provider
and a wrong signature get the same outcome after the same work. What an item says about itself is believed
only after the secrets of the account that it names have verified the request as well.
"""

import copy
import enum
import hmac
import logging
import math
from collections.abc import Callable, Mapping

import trio

from actors.account.actor import AccountActor
from actors.account.platform_calls import BEFORE_LOGIN, SIGNATURE, TOO_OLD
from actors.accounts import Accounts
from unifyport.model.inbound import Unparsed, dedupe_key
from unifyport.model.json_depth import too_deep, too_many_parts
from unifyport.process.clock import Clock
from unifyport.providers.contract.ingress import Addressed, InboundHook
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Store, StoreUnavailable

from .entry_turns import STRANGER, EntryTurns

log = logging.getLogger("unifyport.ingress")

SMALLEST_LIMIT = 64 * 1024  # bytes, for a provider without ingress
_DAY_MS = 86_400_000


class IngressOutcome(enum.Enum):
    """The outcome of a request."""

    COMMITTED = "committed"  # durable: acknowledge
    UNAUTHORIZED = "unauthorized"
    GONE = "gone"  # there was such an account
    UNAVAILABLE = "unavailable"  # not durable, or the account is stopped: the platform must keep it


class Ingress:
    """`dedupe_ms`: how long the key of an event is remembered; older items could be repeats and are set
    aside.

    `ready`: why the gateway is not ready, or None.
    """

    def __init__(
        self,
        accounts: Accounts,
        registry: Registry,
        store: Store,
        *,
        clock: Clock,
        ready: Callable[[], str | None],
        dedupe_ms: int,
        turns: EntryTurns,
    ) -> None:
        self._accounts = accounts
        self._registry = registry
        self._store = store
        self._clock = clock
        self._ready = ready
        self._keep_ms = dedupe_ms - _DAY_MS
        self._turns = turns

    @property
    def accepting(self) -> bool:
        """Whether requests can be taken at all."""
        return self._accounts.accepting and self._ready() is None

    def runs(self, account_id: str) -> bool:
        """Whether this gateway has an account of that id, of any provider."""
        return self._accounts.actor(account_id) is not None

    def account_name(self, account_id: str) -> str:
        """Empty if this gateway has no such account."""
        actor = self._accounts.actor(account_id)
        return "" if actor is None else actor.row.name

    def channel_name(self, provider: str) -> str | None:
        """The channel of a provider; None if there is none."""
        channel = self._registry.find_channel(provider)
        return None if channel is None else channel.name

    def limit(self, provider: str) -> int:
        """The longest body in bytes that this provider may send."""
        channel = self._registry.find_channel(provider)
        limits = [c.ingress.limit for c in channel.connections if c.ingress] if channel is not None else []
        return max(limits, default=SMALLEST_LIMIT)

    def challenge(self, provider: str, account_id: str, query: Mapping[str, str]) -> str | None:
        """The answer to a platform that checks our address; None: the check is refused."""
        actor = self._actor(provider, account_id)
        hook = _hook(actor) if actor is not None else self._any_hook(provider)
        if hook is None or hook.challenge is None:
            return None
        answer = hook.challenge(actor.credentials if actor is not None else {}, query)
        return answer if actor is not None else None

    def acknowledgement(self, provider: str, account_id: str, body: bytes) -> bytes:
        """The JSON that answers a committed request of a platform that reads our answers; empty: none."""
        actor = self._actor(provider, account_id)
        hook = None if actor is None else _hook(actor)
        return b"" if hook is None or hook.acknowledge is None else hook.acknowledge(body)

    async def receive(
        self,
        provider: str,
        account_id: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        verified: Callable[[], None] = lambda: None,
        refused: Callable[[str], None] = lambda check: None,
    ) -> IngressOutcome:
        """One request of a platform. Header names are in lower case.

        `verified` is called once the signature is known to be good; what it raises ends the request.
        `refused` is called with the check that failed, in words for the operator. Cancelled: the request
        may still be committed.
        """
        actor = self._actor(provider, account_id)
        key = STRANGER if actor is None else actor.row.id
        await self._turns.enter(key)
        try:
            hook = _hook(actor) if actor is not None else None
            if actor is None or hook is None:
                self._feign(provider, headers, body)
                refused(self._describe_address(provider, account_id))
            elif self._verify(hook, actor, headers, body):
                verified()
                outcome = await self._take(actor, hook, headers, body)
                if outcome is IngressOutcome.COMMITTED:
                    actor.state.calls.accepted(self._clock.now_ms())
                elif actor.known_identity is None:
                    actor.state.calls.refused(self._clock.now_ms(), BEFORE_LOGIN)
                    refused(BEFORE_LOGIN)
                return outcome
            else:
                check = _describe_signature(hook, actor.credentials, headers, body)
                actor.state.calls.refused(self._clock.now_ms(), check)
                refused(check)
            return await self._refuse(account_id)
        finally:
            self._turns.leave(key)

    # -- the account -----------------------------------------------------------------------------------------

    def _actor(self, provider: str, account_id: str) -> AccountActor | None:
        """The account, if it is of this provider and its platform calls us."""
        actor, channel = self._accounts.actor(account_id), self._registry.find_channel(provider)
        if actor is None or channel is None or channel.name != actor.row.channel:
            return None
        return actor if _hook(actor) is not None else None

    def _any_hook(self, provider: str) -> InboundHook | None:
        channel = self._registry.find_channel(provider)
        if channel is None:
            return None
        return next((c.ingress for c in channel.connections if c.ingress is not None), None)

    def _describe_address(self, provider: str, account_id: str) -> str:
        """What is wrong with the address of a request that no account takes."""
        actor = self._accounts.actor(account_id)
        if actor is None:
            return "no account has the id in its path"
        if self.channel_name(provider) != actor.row.channel:
            return f"the account is one of {actor.row.channel}, which its path does not say"
        return "the account takes no calls: its connection fetches by itself"

    async def _refuse(self, account_id: str) -> IngressOutcome:
        try:
            gone = await self._store.account_deleted(account_id)
        except StoreUnavailable:
            return IngressOutcome.UNAVAILABLE
        return IngressOutcome.GONE if gone else IngressOutcome.UNAUTHORIZED

    def _verify(
        self, hook: InboundHook, actor: AccountActor, headers: Mapping[str, str], body: bytes
    ) -> bool:
        """Whether the secrets of an account verify a request; its age is not checked by a clock in doubt."""
        verify = hook.verify
        if hook.verify_at_any_time is not None and self._clock.in_doubt:
            verify = hook.verify_at_any_time
        return verify(actor.credentials, headers, body)

    def _feign(self, provider: str, headers: Mapping[str, str], body: bytes) -> None:
        """Do the work of a verification, so that the time of the answer says nothing."""
        hook = self._any_hook(provider)
        if hook is not None:
            hook.verify({}, headers, body)
            _describe_signature(hook, {}, headers, body)
        else:
            hmac.digest(b"no account", body, "sha256")

    # -- the events ------------------------------------------------------------------------------------------

    async def _take(
        self, actor: AccountActor, hook: InboundHook, headers: Mapping[str, str], body: bytes
    ) -> IngressOutcome:
        if actor.known_identity is None:  # before the first login it is not known whom an item is for
            return IngressOutcome.UNAVAILABLE
        routed, durable = self._read(actor, hook, headers, body), False
        with trio.move_on_after(hook.commit_seconds):
            if len(routed) == 1:
                [(target, items)] = routed.items()
                durable = await _ingest(target, items, len(body))
            else:
                durable = await _ingest_all(routed, len(body))
        return IngressOutcome.COMMITTED if durable else IngressOutcome.UNAVAILABLE

    def _read(
        self, actor: AccountActor, hook: InboundHook, headers: Mapping[str, str], body: bytes
    ) -> dict[AccountActor, list[Addressed]]:
        identity = actor.known_identity or ""
        if (deep := too_deep(body)) or too_many_parts(body):
            key = dedupe_key("ingress", actor.row.id, hmac.digest(b"deep", body, "sha256").hex())
            reason = "too_deep" if deep else "too_many_parts"
            items = [Addressed(identity, Unparsed(key, body, reason), body)]
        else:
            items = hook.parse(body, identity)
        return self._route(actor, hook, items, headers=headers, body=body)

    def _route(
        self,
        actor: AccountActor,
        hook: InboundHook,
        items: list[Addressed],
        *,
        headers: Mapping[str, str],
        body: bytes,
    ) -> dict[AccountActor, list[Addressed]]:
        """The items by the account that each names, in their order."""
        known: dict[str, AccountActor] = {}
        routed: dict[AccountActor, list[Addressed]] = {}
        oldest = -math.inf if self._clock.in_doubt else self._clock.now_ms() - self._keep_ms
        for item in items:
            stale = item.at is not None and item.at < oldest
            if item.group and not stale:
                for member in self._members(actor, hook, item.group, headers=headers, body=body):
                    routed.setdefault(member, []).append(copy.deepcopy(item))
                continue
            if item.identity not in known:
                known[item.identity] = (
                    self._holder(actor, hook, item.identity, headers=headers, body=body) or actor
                )
            target = known[item.identity]
            if self._accounts.identified(actor.row.channel, item.identity) is not target:
                item.event, item.state = Unparsed(item.event.key, item.raw, "no_such_account"), []
            elif stale:
                item.event, item.state = Unparsed(item.event.key, item.raw, "stale"), []
            routed.setdefault(target, []).append(item)
        return routed

    def _members(
        self,
        actor: AccountActor,
        hook: InboundHook,
        group: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
    ) -> list[AccountActor]:
        """The accounts of a group whose own secrets verify the request; if there is none, `actor`."""
        if hook.group is None:
            return [actor]
        found = [
            account
            for account in self._accounts
            if _hook(account) is hook
            and hook.group(account.credentials) == group
            and (account is actor or self._verify(hook, account, headers, body))
        ]
        return found or [actor]

    def _holder(
        self,
        actor: AccountActor,
        hook: InboundHook,
        identity: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
    ) -> AccountActor | None:
        """The account that holds an identity, of this app: its own secrets must verify the request too."""
        found = self._accounts.identified(actor.row.channel, identity)
        if found is None or found is actor:
            return found
        if _hook(found) is not hook or not self._verify(hook, found, headers, body):
            return None
        return found


async def _ingest(target: AccountActor, items: list[Addressed], size: int) -> bool:
    """Whether the items of an account are durable."""
    state = [change for item in items for change in item.state]
    return await target.ingest([item.event for item in items], size, state)


async def _ingest_all(routed: Mapping[AccountActor, list[Addressed]], size: int) -> bool:
    """Whether the items of every account are durable."""
    durable: list[bool] = []

    async def ingest(target: AccountActor, items: list[Addressed]) -> None:
        durable.append(await _ingest(target, items, size))

    async with trio.open_nursery() as nursery:
        for target, items in routed.items():
            nursery.start_soon(ingest, target, items)
    return all(durable)


def _describe_signature(
    hook: InboundHook, credentials: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> str:
    """Which check of a request that is not verified failed: its signature, or only its age."""
    at_any_time = hook.verify_at_any_time
    if at_any_time is not None and at_any_time(credentials, headers, body):
        return TOO_OLD
    return SIGNATURE


def _hook(actor: AccountActor) -> InboundHook | None:
    return actor.spec.ingress if actor.called_by_platform else None
