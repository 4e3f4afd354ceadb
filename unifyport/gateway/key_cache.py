"""Active API keys in memory, by their hashes, so that a request with a known key needs no read of the store.

Unknown and inactive keys are never kept: wrong keys cannot fill the memory. A key that was revoked is never
found here

- after the change was answered, where this process made it: the writer drops all keys between the end of a
  commit that may have changed one and its answer, also when the outcome of that commit is unknown;
- one second after the commit, where another process made it: `run` compares the version of the keys that is
  stored with them. What is here is used only for a second after the begin of the last comparison that
  succeeded, so a store that hangs or a loop that lags leads to reads of the store, and not to old keys.

A read that was under way during a drop may have seen the row as it was before. What it found is not kept:
each drop is counted, and the reader compares the count with that from before its read.
"""

import contextlib
import math

import trio

from supervisors import Incarnation
from unifyport.fleet.doorbells import KEYS_TOPIC, Bus
from unifyport.storage.contract import ACTIVE, ApiKey, Store, StoreUnavailable

MAX_KEYS = 4096
CHECK_SECONDS = 0.5
TRUST_SECONDS = 1.0  # from one comparison; longer than the time between two


class KeyCache:
    """Holds at most `MAX_KEYS` keys; one more takes the place of the one that was added first."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._keys: dict[bytes, ApiKey] = {}
        self._drops = 0
        self._version: int | None = None
        self._trusted_until = -math.inf

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, hash_: bytes) -> ApiKey | None:
        """The active key with this hash, if it is in memory."""
        return self._keys.get(hash_) if trio.current_time() < self._trusted_until else None

    async def read(self, hash_: bytes) -> ApiKey | None:
        """The active key with this hash from the store; from then on it is in memory.

        Raises `StoreUnavailable`.
        """
        drops = self._drops
        key = await self._store.api_key(hash_)
        if key is None or key.status != ACTIVE:
            return None
        if drops == self._drops:
            if hash_ not in self._keys and len(self._keys) >= MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            self._keys[hash_] = key
        return key

    def drop(self) -> None:
        """Forget all keys, because one may have changed. Passes no checkpoint."""
        self._keys.clear()
        self._drops += 1

    async def run(self, incarnation: Incarnation) -> None:
        """Compare the version every `CHECK_SECONDS`, and when the bell of the keys rings, until stopped."""
        incarnation.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._compare_forever)
            await incarnation.stopping()
            nursery.cancel_scope.cancel()

    async def _compare_forever(self) -> None:
        rung = self._bus.count(KEYS_TOPIC)
        while True:
            with contextlib.suppress(StoreUnavailable):
                await self._compare()
            rung = await self._bus.wait(KEYS_TOPIC, rung, CHECK_SECONDS)

    async def _compare(self) -> None:
        began = trio.current_time()
        version = await self._store.keys_version()
        if version != self._version:
            self._version = version
            self.drop()
        self._trusted_until = began + TRUST_SECONDS
