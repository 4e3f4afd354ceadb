"""Platforms that call us: verify, read, route, commit. Only then is there an acknowledgement.

A request without a valid signature learns nothing: an account that does not exist, one of another provider
and a wrong signature get the same outcome after the same work. Which account gets what: `ingress_routing.py`.
"""

import enum
import hmac
import logging
from collections.abc import Callable, Mapping

import trio

from actors.account.actor import AccountActor
from actors.account.platform_calls import BEFORE_LOGIN, SIGNATURE, TOO_OLD
from actors.accounts import Accounts
from unifyport.process.clock import Clock
from unifyport.providers.contract.ingress import InboundHook
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Store, StoreUnavailable

from .entry_turns import STRANGER, EntryTurns
from .ingress_routing import Router, SignedRequest, commit, hook_of, look_through

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
        self._strangers = trio.CapacityLimiter(1)  # long bodies that are not verified, one at a time
        self._clock = clock
        self._ready = ready
        self._router = Router(accounts, clock, dedupe_ms - _DAY_MS)
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
        hook = hook_of(actor) if actor is not None else self._any_hook(provider)
        if hook is None or hook.challenge is None:
            return None
        answer = hook.challenge(actor.credentials if actor is not None else {}, query)
        return answer if actor is not None else None

    def acknowledgement(self, provider: str, account_id: str, body: bytes) -> bytes:
        """The JSON that answers a committed request of a platform that reads our answers; empty: none."""
        actor = self._actor(provider, account_id)
        hook = None if actor is None else hook_of(actor)
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
            hook = hook_of(actor) if actor is not None else None
            if actor is None or hook is None:
                await look_through(body, self._strangers, self._feign, provider, headers, body)
                refused(self._describe_address(provider, account_id))
            elif await self._router.verify_beside(request := SignedRequest(hook, headers, body), actor):
                verified()
                outcome = await self._take(request, actor)
                if outcome is IngressOutcome.COMMITTED:
                    actor.state.calls.accepted(self._clock.now_ms())
                elif actor.known_identity is None:
                    actor.state.calls.refused(self._clock.now_ms(), BEFORE_LOGIN)
                    refused(BEFORE_LOGIN)
                return outcome
            else:
                check = await look_through(
                    body, self._strangers, _describe_signature, hook, actor.credentials, headers, body
                )
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
        return actor if hook_of(actor) is not None else None

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

    def _feign(self, provider: str, headers: Mapping[str, str], body: bytes) -> None:
        """Do the work of a verification, so that the time of the answer says nothing."""
        hook = self._any_hook(provider)
        if hook is not None:
            hook.verify({}, headers, body)
            _describe_signature(hook, {}, headers, body)
        else:
            hmac.digest(b"no account", body, "sha256")

    # -- the events ------------------------------------------------------------------------------------------

    async def _take(self, request: SignedRequest, actor: AccountActor) -> IngressOutcome:
        if actor.known_identity is None:  # before the first login it is not known whom an item is for
            return IngressOutcome.UNAVAILABLE
        routed, durable = await self._router.read(request, actor), False
        with trio.move_on_after(request.hook.commit_seconds):
            durable = await commit(routed, len(request.body))
        return IngressOutcome.COMMITTED if durable else IngressOutcome.UNAVAILABLE


def _describe_signature(
    hook: InboundHook, credentials: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> str:
    """Which check of a request that is not verified failed: its signature, or only its age."""
    at_any_time = hook.verify_at_any_time
    if at_any_time is not None and at_any_time(credentials, headers, body):
        return TOO_OLD
    return SIGNATURE
