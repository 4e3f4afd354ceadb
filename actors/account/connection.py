"""A connector in use by several tasks: the reader, sends in flight and look-ups."""

import trio

from unifyport.providers.contract.base import Connector


class ConnectionLease:
    """A connector in use; closed by whoever is last to use it once it was retired."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self._users = 0
        self._retired = False
        self._idle = trio.Event()
        self._idle.set()

    def __enter__(self) -> Connector:
        self._users += 1
        self._idle = trio.Event() if self._users == 1 else self._idle
        return self.connector

    def __exit__(self, *exc_info: object) -> None:
        self._users -= 1
        if self._users == 0:
            self._idle.set()

    async def idle(self) -> None:
        await self._idle.wait()

    async def retire(self) -> None:
        """No new users; close now if there are none."""
        self._retired = True
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        if self._retired and self._users == 0:
            await self.connector.aclose()
