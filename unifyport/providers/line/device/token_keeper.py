"""The newest tokens of a device: durable before they are used, refreshed by one task at a time.

Incarnations of an account share them while they run (`_shared`), as a send that finishes on a replaced
connection needs the pair that its successor got. A refresh and the commit of its answer are cut off by a
cancellation only after 5 s: the server may accept a refresh token once.

What each refusal asks for: `tokens.py`. There is never another login by ourselves.
"""

import logging
from weakref import WeakValueDictionary

import attrs
import msgspec
import trio

from unifyport.model.json_text import UNREADABLE
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut, Transient
from unifyport.providers.contract.session import Session
from unifyport.providers.http import nothing_applied
from unifyport.providers.shield import shielded

from . import tokens as rules
from .gateway import Gateway
from .records import TOKENS
from .tokens import Decision, RefreshArguments, RefreshRequest, RefreshResult, RetryPolicy, Tokens

log = logging.getLogger(__name__)
SHIELD_SECONDS = 5.0
MIN_SLEEP, MAX_SLEEP = 1.0, 3600.0  # between two looks at the time of the next refresh


class _Stored(msgspec.Struct, array_like=True):
    access: str
    refresh: str
    refresh_at: float
    number: int = 0
    initial_delay: int | None = None
    max_delay: int | None = None
    multiplier: float | None = None


@attrs.define(eq=False)
class _Shared:
    """What the incarnations of one login share. `failures` since the last refresh that succeeded."""

    lock: trio.Lock = attrs.field(factory=trio.Lock)
    tokens: Tokens | None = None
    failures: int = 0


_shared: WeakValueDictionary[str, _Shared] = WeakValueDictionary()


def dump(tokens: Tokens) -> bytes:
    """The record of a pair."""
    retry = tokens.retry
    return msgspec.msgpack.encode(
        _Stored(
            tokens.access,
            tokens.refresh,
            tokens.refresh_at,
            tokens.number,
            retry.initial_delay,
            retry.max_delay,
            retry.multiplier,
        )
    )


def _load(data: bytes) -> Tokens:
    stored = msgspec.msgpack.decode(data, type=_Stored)
    retry = RetryPolicy(stored.initial_delay, stored.max_delay, stored.multiplier)
    return Tokens(stored.access, stored.refresh, stored.refresh_at, retry, stored.number)


class TokenKeeper:
    """The tokens of one connector. `login`: that of `records.Me`."""

    def __init__(self, context: ConnectorContext, gateway: Gateway, login: str) -> None:
        self._session: Session = context.session
        self._secrets = context.secrets
        self._clock = context.clock
        self._gateway = gateway
        self._here = _shared.setdefault(login, _Shared())

    async def current(self) -> Tokens:
        """A pair that is not due to be refreshed, or that could not be refreshed yet.

        Raises `LoggedOut`, and `Transient` without `maybe_applied`.
        """
        known = await self._known()
        if not known.due(self._now()):
            return known
        async with self._here.lock:
            known = await self._known()
            if known.due(self._now()):
                try:
                    await self._refresh(known)
                except Transient as error:
                    log.info("line: tokens were not refreshed: %s", error.reason)
                    await self._put_off(known)
            return await self._known()

    @property
    def newest(self) -> Tokens | None:
        """The newest pair; None before the first use."""
        return self._here.tokens

    async def decide(self, decision: Decision, used: Tokens) -> None:
        """Do what a refusal of the pair `used` asks for: afterwards `current` has a newer one.

        Raises `LoggedOut`, `Transient`.
        """
        async with self._here.lock:
            known = await self._known()
            if known.number <= used.number and decision is Decision.REFRESH:
                await self._refresh(known)

    async def replace(self, used: Tokens, access: str) -> None:
        """Keep the access token that an answer brought, unless there is a newer one."""
        async with self._here.lock:
            known = await self._known()
            if known.number == used.number:
                await self._keep(rules.replaced(known, access))

    async def keep_fresh(self) -> None:
        """See `KeepsTokens.keep_fresh`."""
        while True:
            known = await self.current()
            await trio.sleep(min(max(known.refresh_at - self._now(), MIN_SLEEP), MAX_SLEEP))

    # -- inside ---------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock.now_ms() / 1000

    async def _known(self) -> Tokens:
        if self._here.tokens is None:
            stored = await self._session.get(*TOKENS)
            if stored is None:
                raise LoggedOut("not_linked")
            try:
                self._here.tokens = _load(stored)
            except UNREADABLE:
                raise LoggedOut("session_unreadable") from None
            self._hide(self._here.tokens)
        return self._here.tokens

    async def _refresh(self, known: Tokens) -> None:
        await shielded(lambda: self._ask_and_keep(known), SHIELD_SECONDS)

    async def _ask_and_keep(self, known: Tokens) -> None:
        request = RefreshArguments(RefreshRequest(known.refresh))
        with nothing_applied():
            answer, _ = await self._gateway.call(
                rules.REFRESH_PATH, rules.REFRESH, request, RefreshResult, access=known.access
            )
        assert isinstance(answer, RefreshResult)
        if answer.error is not None and rules.after_refusal(answer.error) is Decision.LOGGED_OUT:
            raise LoggedOut("session_expired")
        newer = rules.refreshed(known, answer.success, self._now()) if answer.success is not None else None
        if newer is None:
            raise Transient("tokens_not_refreshed")
        await self._keep(newer)
        self._here.failures = 0

    async def _put_off(self, known: Tokens) -> None:
        """Try again after the server's delay; until then the old pair is used as long as it is accepted."""
        self._here.failures += 1
        later = self._now() + known.retry.delay(self._here.failures)
        self._here.tokens = attrs.evolve(known, refresh_at=later)

    async def _keep(self, newer: Tokens) -> None:
        self._hide(newer)
        await self._session.keep(SessionChange(*TOKENS, dump(newer)))
        self._here.tokens = newer

    def _hide(self, known: Tokens) -> None:
        """Have the tokens blanked in logs."""
        self._secrets.register(known.access)
        if known.refresh:
            self._secrets.register(known.refresh)
