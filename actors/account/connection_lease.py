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
        self.in_service = True  # until the connection ends or another one takes its place
        self.was_cut = False
        self._account_id = account_id
        self._uses: set[trio.CancelScope] = set()
        self._retired = self._closed = False
        self._idle = trio.Event()  # set and replaced when the last user leaves

    def enter(self, scope: trio.CancelScope) -> None:
        """The task in `scope` uses the connector. `cut` cancels the scope."""
        self._uses.add(scope)

    def leave(self, scope: trio.CancelScope) -> None:
        """It does so no longer; it calls `close_if_unused` soon."""
        self._uses.discard(scope)
        if not self._uses:
            self._idle.set()

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[Connector]:
        """Use the connector. Ends early, without an error, when `cut` is called."""
        with trio.CancelScope() as scope:
            self.enter(scope)
            try:
                yield self.connector
            finally:
                self.leave(scope)
                await self.close_if_unused()

    async def wait_idle(self) -> None:
        """Wait until no user is left."""
        while self._uses:
            if self._idle.is_set():
                self._idle = trio.Event()
            await self._idle.wait()

    def cut(self) -> None:
        """Cancel every use: the grace of a stop has passed."""
        self.was_cut = True
        for scope in self._uses:
            scope.cancel()

    async def retire(self) -> None:
        """No use begins after this; close now if there is none."""
        self._retired = True
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        """Close the connector if it is retired and has no user. Not a checkpoint otherwise."""
        if self._retired and not self._uses and not self._closed:
            self._closed = True
            await close(self._account_id, self.connector)
