"""A connector in use, by sends, look-ups and probes side by side. Not a lease of the fleet."""

import contextlib
from collections.abc import AsyncIterator

import trio

from unifyport.providers.contract.base import Connector

from .connectors import close


class ConnectionLease:
    """A connector and its users: sends, look-ups, probes. Once retired, the last user closes it."""

    def __init__(self, connector: Connector, account_id: str) -> None:
        self.connector = connector
        self._account_id = account_id
        self._uses: set[trio.CancelScope] = set()
        self.in_service = True  # until the connection ends or another one takes its place
        self._retired = False
        self._idle = trio.Event()
        self._idle.set()

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[Connector]:
        """Use the connector. Ends early, without an error, when `cut` is called."""
        with trio.CancelScope() as scope:
            if not self._uses:
                self._idle = trio.Event()
            self._uses.add(scope)
            try:
                yield self.connector
            finally:
                self._uses.discard(scope)
                if not self._uses:
                    self._idle.set()
                await self._close_if_unused()

    async def wait_idle(self) -> None:
        """Wait until no user is left."""
        await self._idle.wait()

    def cut(self) -> None:
        """Cancel every use: the grace of a stop has passed."""
        for scope in self._uses:
            scope.cancel()

    async def retire(self) -> None:
        """No use begins after this; close now if there is none."""
        self._retired = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._retired and not self._uses:
            await close(self._account_id, self.connector)
