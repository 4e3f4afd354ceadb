"""The session that a login will replace, which the login can read from."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

import trio

from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.session import MAX_PAGE, check_place
from unifyport.storage.contract import Store, StoreUnavailable

from .failures import ROAD_RETRY_SECONDS

T = TypeVar("T")


class FormerSession:
    """Implements the reads of `Session` record by record, as most logins want one or none of thousands.

    The reads wait while the store is unavailable; the time of the login bounds that.
    """

    def __init__(self, store: Store, account_no: int) -> None:
        self._store = store
        self._no = account_no

    async def get(self, name: str, key: bytes = b"") -> bytes | None:
        check_place(name, key)
        return await self._read(lambda: self._store.session_record(self._no, name, key))

    async def scan(
        self, name: str, prefix: bytes = b"", *, after: bytes | None = None, limit: int = 100
    ) -> list[tuple[bytes, bytes]]:
        if not 0 < limit <= MAX_PAGE:
            raise ValueError(f"limit: must be from 1 to {MAX_PAGE}")
        check_place(name, prefix)
        return await self._read(
            lambda: self._store.session_page(self._no, name, prefix=prefix, after=after, limit=limit)
        )

    async def seen(self, keys: Collection[bytes]) -> set[bytes]:
        return await self._read(lambda: self._store.seen(self._no, list(keys)))

    async def commit(self, changes: Sequence[SessionChange]) -> None:
        raise RuntimeError("a former session is read only")

    async def keep(self, change: SessionChange) -> None:
        raise RuntimeError("a former session is read only")

    async def sending(
        self,
        message: OutboundMessage,
        changes: Sequence[SessionChange] = (),
        *,
        client_ref: str | None = None,
    ) -> None:
        raise RuntimeError("a former session is read only")

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read()
            except StoreUnavailable:
                await trio.sleep(ROAD_RETRY_SECONDS)
