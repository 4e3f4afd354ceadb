"""Who calls: API keys are looked up, held to their rate, and the time of their last use is remembered.

A key is looked up by its hash, so that the time it takes says nothing about any key. The time of use is
written once a minute for each key, and no request waits for that.
"""

from collections import OrderedDict
from collections.abc import Callable

import attrs
import trio

from unifyport.config.declared import hash_key
from unifyport.config.settings import Settings
from unifyport.model.token_bucket import Bucket, Limit
from unifyport.process.clock import Clock
from unifyport.storage.contract import ApiKey, UseApiKey

from .errors import INVALID_KEY, RATE_LIMITED, UseCaseError
from .key_cache import KeyCache
from .writes import TimedWriter

USE_SECONDS = 60.0
MAX_USES = 4096


@attrs.define
class _Use:
    """Of one key. `rate`: requests per second, of `limit`; `written_at`: when its use was last handed to the
    writer, trio's clock.
    """

    rate: float
    limit: Limit | None
    bucket: Bucket = attrs.field(factory=Bucket)
    written_at: float = float("-inf")


@attrs.frozen
class Callers:
    """Admits callers by their API keys.

    The uses of the `MAX_USES` keys that were used last are remembered; the rate of any other begins anew.
    """

    _keys: KeyCache
    _writes: TimedWriter
    _settings: Callable[[], Settings]
    _clock: Clock
    _uses: OrderedDict[str, _Use] = attrs.field(factory=OrderedDict, init=False)  # by id, last used last

    async def admit(self, secret: str) -> ApiKey:
        """The key with this secret. Not a checkpoint if the key is in memory.

        Raises `UseCaseError` for an unknown or inactive key, and for one that is used too often;
        `StoreUnavailable`.
        """
        hash_ = hash_key(secret)
        key = self._keys.find(hash_)
        if key is None:
            key = await self._keys.read(hash_)
        if key is None:
            raise UseCaseError(INVALID_KEY, "the API key is unknown or inactive")
        if key.expires_at is not None and self._clock.has_passed(key.expires_at):
            raise UseCaseError(INVALID_KEY, "the API key has expired")
        self._count(key.id)
        return key

    def knows(self, secret: str | None) -> bool:
        """Whether a key with this secret is in memory; it is not counted as used."""
        return secret is not None and self._keys.find(hash_key(secret)) is not None

    def _count(self, key_id: str) -> None:
        now, use = trio.current_time(), self._use_of(key_id)
        wait = use.bucket.wait(use.limit, now)
        if wait > 0:
            raise UseCaseError(RATE_LIMITED, "this API key is used too often", retry_after=wait)
        use.bucket.take(use.limit, now)
        if now - use.written_at < USE_SECONDS:
            return
        if self._writes.offer(UseApiKey(key_id, self._clock.now_ms())):
            use.written_at = now

    def _use_of(self, key_id: str) -> _Use:
        rate = self._settings().workspace.key_rate or 0.0
        use = self._uses.get(key_id)
        if use is None:
            if len(self._uses) >= MAX_USES:
                self._uses.popitem(last=False)
            use = self._uses[key_id] = _Use(rate, Limit.per_second(rate))
        elif use.rate != rate:
            use.rate, use.limit, use.bucket = rate, Limit.per_second(rate), Bucket()
        self._uses.move_to_end(key_id)
        return use
