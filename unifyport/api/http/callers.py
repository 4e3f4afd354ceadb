"""Who calls: API keys are looked up, held to their rate, and the time of their last use is remembered.

A key is looked up by the hash of it in an index, so that how long that takes says nothing about any key; there is no
cache, so that a dead key is dead at once. The time of use is written once a minute for each key.
"""

import contextlib

import attrs
import trio

from unifyport.config.declared import hash_key
from unifyport.gateway.gateway import Gateway, WriteRefused
from unifyport.model.pace import Pace
from unifyport.storage.contract import ApiKey, StoreUnavailable, UseApiKey

from .errors import INVALID_KEY, MISSING_KEY, RATE_LIMITED, ApiError

USE_SECONDS = 60.0


@attrs.define
class _Seen:
    """A key in use. `written_at`: when its use was last written, trio's clock."""

    pace: Pace
    rate: float
    written_at: float = float("-inf")


class Callers:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._seen: dict[str, _Seen] = {}  # by key id: at most as many as there are keys

    async def admit(self, secret: str | None) -> ApiKey:
        """The key of a request. Raises `ApiError`: 401, or 429 when it comes too often."""
        if not secret:
            raise ApiError(401, MISSING_KEY.code, "send the API key in the header X-Api-Key")
        key = await self._gateway.store.api_key(hash_key(secret))
        if key is None or key.status != "active":
            raise ApiError(401, INVALID_KEY.code, "the API key is unknown or inactive")
        now, seen = trio.current_time(), self._of(key)
        wait = seen.pace.opens_at(now) - now
        if wait > 0:
            raise ApiError(429, RATE_LIMITED.code, "this API key is used too often", retry_after=wait)
        seen.pace.started(now)
        if now - seen.written_at >= USE_SECONDS:
            seen.written_at = now
            await self._remember(key)
        return key

    def _of(self, key: ApiKey) -> _Seen:
        rate = self._gateway.settings.workspace.key_rate or 0.0
        seen = self._seen.get(key.id)
        if seen is None or seen.rate != rate:
            written_at = float("-inf") if seen is None else seen.written_at
            seen = self._seen[key.id] = _Seen(Pace(rate), rate, written_at)
        return seen

    async def _remember(self, key: ApiKey) -> None:
        """Nobody's request fails for this."""
        with contextlib.suppress(StoreUnavailable, WriteRefused):
            await self._gateway.write(UseApiKey(key.id, self._gateway.now_ms()))
