"""Stanzas that were read and not handled yet, within bounds of number and bytes."""

from collections import deque

import trio

from unifyport.protocols.binary_node import Node

MOST_STANZAS = 1000
MOST_BYTES = 32 * 1024 * 1024
BATCH = 64
BATCH_BYTES = 1024 * 1024


class Inbox:
    def __init__(self) -> None:
        self._waiting: deque[tuple[Node, int]] = deque()
        self._bytes = 0
        self._filled = trio.Event()
        self._emptied = trio.Event()

    async def put(self, node: Node, size: int) -> None:
        """Waits while it is full: the connection is then not read."""
        while self._waiting and (len(self._waiting) >= MOST_STANZAS or self._bytes + size > MOST_BYTES):
            self._emptied = trio.Event()
            await self._emptied.wait()
        self._waiting.append((node, size))
        self._bytes += size
        self._filled.set()

    async def take(self) -> list[tuple[Node, int]]:
        """The next stanzas, with their sizes, in order; at least one."""
        while not self._waiting:
            self._filled = trio.Event()
            await self._filled.wait()
        found: list[tuple[Node, int]] = []
        total = 0
        while self._waiting and len(found) < BATCH and total < BATCH_BYTES:
            node, size = self._waiting.popleft()
            found.append((node, size))
            self._bytes -= size
            total += size
        self._emptied.set()
        return found
