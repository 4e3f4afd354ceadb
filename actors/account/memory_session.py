"""The session of a connector that logs in or logs out, in memory."""

from collections.abc import Collection, Mapping, Sequence

import trio

from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.session import check_changes, check_place


class MemorySession:
    """The session of a connector that logs in or out: changes are collected, and `Authorization` makes them
    durable.

    Implements `Session`; `records` are what the store holds (empty for a login).
    """

    def __init__(self, records: Mapping[tuple[str, bytes], bytes]) -> None:
        self.records = dict(records)

    def changes(self) -> list[SessionChange]:
        """What makes an empty session this one."""
        return [SessionChange(name, key, value) for (name, key), value in self.records.items()]

    async def get(self, name: str, key: bytes = b"") -> bytes | None:
        check_place(name, key)
        await trio.lowlevel.checkpoint()
        return self.records.get((name, key))

    async def scan(
        self, name: str, prefix: bytes = b"", *, after: bytes | None = None, limit: int = 100
    ) -> list[tuple[bytes, bytes]]:
        await trio.lowlevel.checkpoint()
        found = [
            (key, value)
            for (of, key), value in self.records.items()
            if of == name and key.startswith(prefix) and (after is None or key > after)
        ]
        return sorted(found)[:limit]

    async def seen(self, keys: Collection[bytes]) -> set[bytes]:
        await trio.lowlevel.checkpoint()
        return set()

    async def commit(self, changes: Sequence[SessionChange]) -> None:
        check_changes(changes)
        for change in changes:
            if change.value is None:
                self.records.pop((change.name, change.key), None)
            else:
                self.records[change.name, change.key] = change.value
        await trio.lowlevel.checkpoint()

    async def keep(self, change: SessionChange) -> None:
        await self.commit([change])

    async def sending(
        self,
        message: OutboundMessage,
        changes: Sequence[SessionChange] = (),
        *,
        client_ref: str | None = None,
    ) -> None:
        raise RuntimeError("no message is in progress while an account logs in or out")
