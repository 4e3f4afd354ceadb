"""A platform of the sandbox on its own, without the control port and without a gateway."""

import contextlib
from collections.abc import AsyncIterator

import trio

from unifyport.sandbox.platform import LocalPlatform
from unifyport.sandbox.serving import bind


@contextlib.asynccontextmanager
async def served(platform: LocalPlatform) -> AsyncIterator[dict[str, str]]:
    """Serve it on ports of this machine. Its endpoints, by the names that they have in a configuration."""
    async with trio.open_nursery() as nursery:
        addresses = {}
        for protocol in platform.protocols:
            listener = bind("127.0.0.1", 0)
            addresses[protocol.name] = protocol.address_at(listener)
            nursery.start_soon(protocol.serve, listener)
        yield platform.endpoints(addresses)
        nursery.cancel_scope.cancel()
