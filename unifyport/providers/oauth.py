"""OAuth access tokens that are refreshed (RFC 6749 section 6), for `HttpApi.tokens`.

The first refresh token, the *seed*, is in the credentials, or comes of a consent (`exchange`). Platforms that
rotate refresh tokens accept each of them once, so a pair that was answered and not kept means that the
account is logged out for good. Hence:

- One refresh of a credential at a time in the process, however many tasks and incarnations ask; the others
  share its result, or its failure.
- The refresh call and its commit are shielded from cancellation for 5 s, the only shield around a request to
  a platform. A commit that was cut off all the same is repeated before the tokens are used.
- A send that finishes on a connection that was replaced keeps its tokens, too (`Session.keep`).
- The pair is the session record `("oauth", b"")`, with a hash of the seed in the credentials. After the
  operator or the caller has put another seed there, the record is void.
- A task of the connection (`KeepsTokens`) refreshes ahead of each expiry, so that the tokens of an idle
  account do not expire either.

A kill of the process between the platform's answer and the commit loses the pair: with a platform that
rotates, the next refresh is refused, and the account needs a new seed or consent. So does a time-out after
the platform has carried out the refresh. Nothing on our side can prevent either.
"""

import copy
import hashlib
import math
import secrets
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

import attrs
import msgspec
import trio

from unifyport.model.json_text import UNREADABLE
from unifyport.model.unit import SessionChange

from .contract.errors import ChannelError, LoggedOut, RateLimited, SessionLost, Transient
from .contract.login import Consent
from .contract.session import Session
from .http import HttpApi, nothing_applied
from .oauth_client import CLIENT_REFUSED, Granted, OAuthClient, consent_page
from .shield import shielded

__all__ = ["CLIENT_REFUSED", "RECORD", "Granted", "OAuthClient", "OAuthTokens", "consent_page"]

RECORD = ("oauth", b"")
SHIELD_SECONDS = 5.0
AHEAD_SECONDS = 120.0  # before its expiry a token is refreshed; at most a quarter of its lifetime
MIN_SLEEP_SECONDS, MAX_SLEEP_SECONDS = 1.0, 3600.0  # between two looks at the time of the next refresh
RETRY_SECONDS = 30.0  # after a refresh that failed while the token is still valid


class _Pair(msgspec.Struct):
    """The session record. Times are unix seconds; None: there is no known expiry."""

    seed: bytes
    access_token: str
    refresh_token: str
    renew_at: float | None = None
    expires_at: float | None = None
    consent: bytes = b""  # random; which consent it comes of, b"" if it comes of the seed


@attrs.define(eq=False)
class _Grant:
    """What the tasks and incarnations of one credential share. `lock` is held for a refresh."""

    lock: trio.Lock = attrs.field(factory=trio.Lock)
    pair: _Pair | None = None
    unsaved: bool = False  # `pair` is not known to be durable
    attempts: int = 0
    failure: ChannelError | None = None  # of the last attempt


_grants: WeakValueDictionary[tuple[bytes, bytes], _Grant] = WeakValueDictionary()
_unsaved: set[_Grant] = set()  # keeps those whose commit was cut off until the next one that asks


class OAuthTokens:
    """The tokens of one connector. Implements `http.Tokens`.

    `refresh_token` is the seed, empty where all tokens come of a consent. `now` returns unix seconds.
    """

    def __init__(
        self,
        http: HttpApi,
        session: Session,
        client: OAuthClient,
        refresh_token: str = "",
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._session = session
        self._client = client
        self._seed = refresh_token
        self._now = now
        named = [client.token_url, client.client_id, refresh_token]
        self._seed_hash = hashlib.sha256(b"unifyport oauth seed" + msgspec.json.encode(named)).digest()
        self._known: _Grant | None = None
        self._loaded = False

    async def current(self) -> str:
        """A token that has not expired, refreshed if it soon will.

        Raises a failure class: `LoggedOut` if the refresh is refused, `RateLimited`, `SessionLost`,
        `Transient` without `maybe_applied`. Cancelled: a refresh in progress goes on for at most 5 s.
        """
        try:
            return await self._acquire(lambda pair: not _past(pair.renew_at, self._now()))
        except (Transient, RateLimited) as error:
            pair = self._known.pair if self._known is not None else None
            if isinstance(error, SessionLost) or pair is None or _past(pair.expires_at, self._now()):
                raise
            again = self._now() + RETRY_SECONDS
            pair.renew_at = again if pair.expires_at is None else min(again, pair.expires_at)
            return pair.access_token

    async def renew(self, refused: str) -> str:
        """Another token than `refused`. Otherwise as `current`."""
        return await self._acquire(lambda pair: pair.access_token != refused)

    async def exchange(self, consent: Consent) -> None:
        """Exchange the code of a consent for the first pair, and make it part of the session.

        For `authorize`; afterwards requests carry the new token. Raises a failure class: `Rejected` or
        `LoggedOut` if the platform or the human refuses.
        """
        granted = await self._client.exchange(self._http, consent)
        if granted.refresh_token is None:
            raise Transient("oauth_no_refresh_token")
        pair = self._pair_of(granted, granted.refresh_token)
        pair.consent = secrets.token_bytes(16)
        await self._session.commit([SessionChange(*RECORD, msgspec.msgpack.encode(pair))])
        self._known = _grants.setdefault((pair.seed, pair.consent), _Grant(pair=pair))
        self._loaded = True

    async def keep_fresh(self) -> None:
        """Refresh ahead of each expiry, until cancelled; what `KeepsTokens.keep_fresh` does.

        Raises what `current` raises: a refresh that fails while its token is valid is tried again. Cancelled:
        as `current`.
        """
        while True:
            await self.current()
            pair = (await self._find_grant()).pair
            renew_at = math.inf if pair is None or pair.renew_at is None else pair.renew_at
            # In steps, as the wall clock may be moved; and another task may have refreshed it meanwhile.
            await trio.sleep(min(max(renew_at - self._now(), MIN_SLEEP_SECONDS), MAX_SLEEP_SECONDS))

    async def _find_grant(self) -> _Grant:
        """What all who have this account's tokens share. Raises `LoggedOut` where there are none."""
        if self._known is None:
            pair = await self._read()
            if pair is None and not self._seed:
                raise LoggedOut("consent_missing")
            consent = b"" if pair is None else pair.consent
            self._known = _grants.setdefault((self._seed_hash, consent), _Grant())
        return self._known

    async def _acquire(self, is_good: Callable[[_Pair], bool]) -> str:
        grant = await self._find_grant()
        attempts = grant.attempts
        async with grant.lock:
            await self._load(grant)
            await self._save(grant)
            if grant.pair is not None and is_good(grant.pair):
                return grant.pair.access_token
            if grant.failure is not None and grant.attempts != attempts:
                raise copy.copy(grant.failure)  # of the attempt that this task has waited for
            return (await self._refresh(grant)).access_token

    async def _load(self, grant: _Grant) -> None:
        """Read the record, unless an older incarnation has left a newer pair."""
        if self._loaded:
            return
        stored = await self._read()
        if not grant.unsaved:
            grant.pair = stored
        self._loaded = True

    async def _read(self) -> _Pair | None:
        pair = _decode_record(await self._session.get(*RECORD), self._seed_hash)
        if pair is not None:
            self._hide(pair)
        return pair

    async def _save(self, grant: _Grant) -> None:
        if grant.unsaved:
            await self._session.keep(SessionChange(*RECORD, msgspec.msgpack.encode(grant.pair)))
            grant.unsaved = False
            _unsaved.discard(grant)

    async def _refresh(self, grant: _Grant) -> _Pair:
        grant.failure = None
        try:
            await shielded(lambda: self._ask_and_save(grant), SHIELD_SECONDS)
        except ChannelError as error:
            grant.failure = copy.copy(error)  # without its traceback
            raise
        finally:
            grant.attempts += 1
        assert grant.pair is not None
        return grant.pair

    async def _ask_and_save(self, grant: _Grant) -> None:
        token = self._seed if grant.pair is None else grant.pair.refresh_token
        try:
            with nothing_applied():
                granted = await self._client.refresh(self._http, token)
        except LoggedOut as refused:
            if refused.reason != CLIENT_REFUSED or grant.pair is None:
                raise
            # These tokens were good: the app has changed, and they are kept until that is put right.
            raise Transient(CLIENT_REFUSED) from None
        pair = self._pair_of(granted, token)
        pair.consent = b"" if grant.pair is None else grant.pair.consent
        grant.pair, grant.unsaved = pair, True
        _unsaved.add(grant)
        await self._save(grant)

    def _pair_of(self, granted: Granted, refresh_token: str) -> _Pair:
        pair = _Pair(self._seed_hash, granted.access_token, granted.refresh_token or refresh_token)
        self._hide(pair)
        lifetime = granted.expires_in
        if lifetime is not None and math.isfinite(lifetime) and lifetime > 0:
            pair.expires_at = self._now() + lifetime
            pair.renew_at = pair.expires_at - min(AHEAD_SECONDS, lifetime / 4)
            if granted.renew_in is not None:
                pair.renew_at = min(pair.renew_at, self._now() + granted.renew_in)
        return pair

    def _hide(self, pair: _Pair) -> None:
        """Have its tokens blanked in logs."""
        self._http.secrets.register(pair.access_token)
        self._http.secrets.register(pair.refresh_token)


def _past(at: float | None, now: float) -> bool:
    return at is not None and now >= at


def _decode_record(stored: bytes | None, seed_hash: bytes) -> _Pair | None:
    """None: there is none, it came from another seed, or another version wrote it."""
    if stored is None:
        return None
    try:
        pair = msgspec.msgpack.decode(stored, type=_Pair)
    except UNREADABLE:
        return None
    return pair if pair.seed == seed_hash else None
