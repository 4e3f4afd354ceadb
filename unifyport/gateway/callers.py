"""Who calls: API keys are looked up, held to their rate, and the time of their last use is remembered.

A key is looked up in an index by its hash, so that the time it takes says nothing about any key. There is no
cache, so that a deactivated key is refused at once. The time of use is written once a minute for each key.
"""

import contextlib
from collections.abc import Callable

import attrs
import trio

from unifyport.config.declared import hash_key
from unifyport.config.settings import Settings
from unifyport.model.token_bucket import Bucket, Limit
from unifyport.storage.contract import ApiKey, Store, StoreUnavailable, UseApiKey

from .errors import INVALID_KEY, RATE_LIMITED, UseCaseError
from .writes import TimedWriter, WriteRefused

USE_SECONDS = 60.0


@attrs.define
class _Seen:
    """A key in use. `written_at`: when its use was last written, trio's clock."""

    rate: float
    limit: Limit | None
    bucket: Bucket = attrs.field(factory=Bucket)
    written_at: float = float("-inf")


@attrs.frozen
class Callers:
    """Admits callers by their API keys."""

    _store: Store
    _writes: TimedWriter
    _settings: Callable[[], Settings]
    _now_ms: Callable[[], int]
    _seen: dict[str, _Seen] = attrs.field(factory=dict, init=False)  # by key id: at most one for each key

    async def admit(self, secret: str) -> ApiKey:
        """The key with this secret.

        Raises `UseCaseError` for an unknown or inactive key, and for one that is used too often;
        `StoreUnavailable`.
        """
        key = await self._store.api_key(hash_key(secret))
        if key is None or key.status != "active":
            raise UseCaseError(INVALID_KEY, "the API key is unknown or inactive")
        now, seen = trio.current_time(), self._seen_of(key)
        wait = seen.bucket.wait(seen.limit, now)
        if wait > 0:
            raise UseCaseError(RATE_LIMITED, "this API key is used too often", retry_after=wait)
        seen.bucket.take(seen.limit, now)
        if now - seen.written_at >= USE_SECONDS:
            seen.written_at = now
            await self._remember(key)
        return key

    def _seen_of(self, key: ApiKey) -> _Seen:
        rate = self._settings().workspace.key_rate or 0.0
        seen = self._seen.get(key.id)
        if seen is None or seen.rate != rate:
            written_at = float("-inf") if seen is None else seen.written_at
            seen = self._seen[key.id] = _Seen(rate, Limit.per_second(rate), written_at=written_at)
        return seen

    async def _remember(self, key: ApiKey) -> None:
        """A use that cannot be written is not an error of the request."""
        with contextlib.suppress(StoreUnavailable, WriteRefused):
            await self._writes.write(UseApiKey(key.id, self._now_ms()))
