"""OAuth access tokens that are refreshed (RFC 6749 section 6), for `HttpApi.tokens`.

The credentials hold a refresh token, the *seed*. Platforms that rotate refresh tokens accept each of them
once, so a pair that was answered and not kept means that the account is logged out for good. Hence:

- One refresh of a credential at a time in the process, however many tasks and incarnations ask; the others
  share its result, or its failure.
- The refresh call and its commit are shielded from cancellation for 5 s, the only shield around a request to
  a platform. A commit that was cut off all the same is repeated before the tokens are used.
- A send that finishes on a connection that was replaced keeps its tokens, too (`Session.keep`).
- The pair is the session record `("oauth", b"")`, with a hash of the seed that it came from. After the
  operator or the caller has put another seed into the credentials, the record is void.

A kill of the process between the platform's answer and the commit loses the pair: with a platform that
rotates, the next refresh is refused, and the account needs a new seed. So does a time-out after the platform
has carried out the refresh. Nothing on our side can prevent either.
"""

import base64
import copy
import hashlib
import math
import time
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote, urlencode
from weakref import WeakValueDictionary

import attrs
import msgspec
import trio

from unifyport.model.unit import SessionChange
from unifyport.net.clients import Response
from unifyport.process.redaction import register_fleeting

from .contract.errors import ChannelError, LoggedOut, RateLimited, SessionLost, Transient
from .contract.session import Session
from .http import HttpApi, nothing_applied

RECORD = ("oauth", b"")
SHIELD_SECONDS = 5.0
REFRESH_SECONDS = 20.0
AHEAD_SECONDS = 120.0  # before its expiry a token is refreshed; at most a quarter of its lifetime
RETRY_SECONDS = 30.0  # after a refresh that failed while the token is still valid
_DEFAULT_WAIT = 30.0
# RFC 6749 section 5.2. Another try with the same credentials cannot succeed.
_REFUSALS = {
    "invalid_grant": "refresh_token_refused",
    "invalid_client": "oauth_client_refused",
    "unauthorized_client": "oauth_client_refused",
    "invalid_request": "oauth_invalid_request",  # some platforms say this of a refresh token that is void
    "invalid_scope": "oauth_invalid_scope",
    "unsupported_grant_type": "oauth_unsupported_grant_type",
}

Token = Annotated[str, msgspec.Meta(pattern=r"^[!-~]+$", max_length=8192)]  # goes into a header


@attrs.frozen
class OAuthClient:
    """The registered app. Without a secret it is a public client. `in_body`: where the platform wants the id
    and the secret; the default is HTTP Basic (RFC 6749 section 2.3.1).
    """

    token_url: str
    client_id: str
    client_secret: str = attrs.field(default="", repr=False)
    in_body: bool = False


class _Answer(msgspec.Struct):
    """RFC 6749 section 5.1. Without `refresh_token` the old one stays valid."""

    access_token: Token
    refresh_token: Token | None = None
    expires_in: float | None = None  # seconds


class _Error(msgspec.Struct):
    error: str = ""


class _Pair(msgspec.Struct):
    """The session record. Times are unix seconds; None: there is no known expiry."""

    seed: bytes
    access_token: str
    refresh_token: str
    renew_at: float | None = None
    expires_at: float | None = None


@attrs.define(eq=False)
class _Grant:
    """What the tasks and incarnations of one credential share. `lock` is held for a refresh."""

    lock: trio.Lock = attrs.field(factory=trio.Lock)
    pair: _Pair | None = None
    unsaved: bool = False  # `pair` is not known to be durable
    attempts: int = 0
    failure: ChannelError | None = None  # of the last attempt


_grants: WeakValueDictionary[bytes, _Grant] = WeakValueDictionary()
_unsaved: set[_Grant] = set()  # keeps those whose commit was cut off until the next one that asks


class OAuthTokens:
    """The tokens of one connector. Implements `http.Tokens`.

    `refresh_token` is the seed. `now` returns unix seconds.
    """

    def __init__(
        self,
        http: HttpApi,
        session: Session,
        client: OAuthClient,
        refresh_token: str,
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
        self._grant = _grants.setdefault(self._seed_hash, _Grant())
        self._loaded = False

    async def current(self) -> str:
        """A token that has not expired, refreshed if it soon will.

        Raises a failure class: `LoggedOut` if the refresh is refused, `RateLimited`, `SessionLost`,
        `Transient` without `maybe_applied`. Cancelled: a refresh in progress goes on for at most 5 s.
        """
        try:
            return await self._acquire(lambda pair: not _past(pair.renew_at, self._now()))
        except (Transient, RateLimited) as error:
            pair = self._grant.pair
            if isinstance(error, SessionLost) or pair is None or _past(pair.expires_at, self._now()):
                raise
            pair.renew_at = self._now() + RETRY_SECONDS
            return pair.access_token

    async def renew(self, refused: str) -> str:
        """Another token than `refused`. Otherwise as `current`."""
        return await self._acquire(lambda pair: pair.access_token != refused)

    async def _acquire(self, is_good: Callable[[_Pair], bool]) -> str:
        grant = self._grant
        attempts = grant.attempts
        async with grant.lock:
            await self._load()
            await self._save()
            if grant.pair is not None and is_good(grant.pair):
                return grant.pair.access_token
            if grant.failure is not None and grant.attempts != attempts:
                raise copy.copy(grant.failure)  # of the attempt that this task has waited for
            return (await self._refresh()).access_token

    async def _load(self) -> None:
        """Read the record, unless an older incarnation has left a newer pair."""
        if self._loaded:
            return
        stored = await self._session.get(*RECORD)
        if not self._grant.unsaved:
            self._grant.pair = _decode_record(stored, self._seed_hash)
        self._loaded = True

    async def _save(self) -> None:
        grant = self._grant
        if grant.unsaved:
            await self._session.keep(SessionChange(*RECORD, msgspec.msgpack.encode(grant.pair)))
            grant.unsaved = False
            _unsaved.discard(grant)

    async def _refresh(self) -> _Pair:
        grant = self._grant
        grant.failure = None
        try:
            await _shielded(self._ask_and_save)
        except ChannelError as error:
            grant.failure = copy.copy(error)  # without its traceback
            raise
        finally:
            grant.attempts += 1
        assert grant.pair is not None
        return grant.pair

    async def _ask_and_save(self) -> None:
        grant = self._grant
        token = self._seed if grant.pair is None else grant.pair.refresh_token
        with nothing_applied():
            answer = await self._ask(token)
        grant.pair = self._pair_of(answer, token)
        grant.unsaved = True
        _unsaved.add(grant)
        await self._save()

    async def _ask(self, refresh_token: str) -> _Answer:
        client = self._client
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if client.client_secret and not client.in_body:
            basic = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
        else:
            fields["client_id"] = client.client_id
            if client.client_secret:
                fields["client_secret"] = client.client_secret
        answer = await self._http.request(
            "POST",
            client.token_url,
            body=urlencode(fields).encode(),
            headers=headers,
            timeout=REFRESH_SECONDS,
            authorized=False,
        )
        if answer.status != 200:
            raise _failure(answer)
        try:
            return msgspec.json.decode(
                answer.body, type=_Answer, strict=False
            )  # "expires_in": "7200" happens
        except msgspec.DecodeError:
            raise Transient("oauth_malformed_answer") from None

    def _pair_of(self, answer: _Answer, refresh_token: str) -> _Pair:
        pair = _Pair(self._seed_hash, answer.access_token, answer.refresh_token or refresh_token)
        register_fleeting(pair.access_token)
        register_fleeting(pair.refresh_token)
        lifetime = answer.expires_in
        if lifetime is not None and math.isfinite(lifetime) and lifetime > 0:
            pair.expires_at = self._now() + lifetime
            pair.renew_at = pair.expires_at - min(AHEAD_SECONDS, lifetime / 4)
        return pair


async def _shielded(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work`; it is cancelled from outside only after `SHIELD_SECONDS`. Raises what it raises."""
    failure: ChannelError | None = None
    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.shield = True
        nursery.start_soon(_lift_shield, nursery.cancel_scope)
        try:
            await work()
        except ChannelError as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _lift_shield(scope: trio.CancelScope) -> None:
    await trio.sleep(SHIELD_SECONDS)
    scope.shield = False


def _past(at: float | None, now: float) -> bool:
    return at is not None and now >= at


def _decode_record(stored: bytes | None, seed_hash: bytes) -> _Pair | None:
    """None: there is none, it came from another seed, or another version wrote it."""
    if stored is None:
        return None
    try:
        pair = msgspec.msgpack.decode(stored, type=_Pair)
    except msgspec.DecodeError:
        return None
    if pair.seed != seed_hash:
        return None
    register_fleeting(pair.access_token)
    register_fleeting(pair.refresh_token)
    return pair


def _failure(answer: Response) -> ChannelError:
    """The failure class of a refresh that did not succeed."""
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        return RateLimited(float(wait) if wait.isascii() and wait.isdigit() else _DEFAULT_WAIT)
    try:
        error = msgspec.json.decode(answer.body, type=_Error).error
    except msgspec.DecodeError:
        error = ""
    if answer.status in (400, 401) and error in _REFUSALS:
        return LoggedOut(_REFUSALS[error])
    return Transient(f"oauth_http_{answer.status}")
