"""zca-js, a Zalo web client that this project did not write, and the platform that it connects to."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import trio

from unifyport.sandbox.serving import bind
from unifyport.sandbox.zalo.personal.platform import ZaloPersonalPlatform

from . import device_peers, peers
from .device_peers import Client, Failed

__all__ = ["Client", "Failed", "Zalo", "build", "client", "zalo"]


@attrs.define
class Zalo:
    """The platform alone, without a gateway."""

    platform: ZaloPersonalPlatform

    def user(self, name: str) -> str:
        """The id of a new user."""
        return self.platform.world.add_user(name).id

    def do(self, what: str, **order: Any) -> Any:
        return self.platform.push({"do": what, **order})


@contextlib.asynccontextmanager
async def zalo() -> AsyncIterator[Zalo]:
    """The platform, listening on ports of its own."""
    platform = ZaloPersonalPlatform()
    async with trio.open_nursery() as nursery:
        addresses = {}
        for protocol in platform.protocols:
            listener = bind("127.0.0.1", 0)
            addresses[protocol.name] = protocol.address_at(listener)
            nursery.start_soon(protocol.serve, listener)
        nursery.start_soon(platform.run)
        platform.endpoints(addresses)
        yield Zalo(platform)
        nursery.cancel_scope.cancel()


def build() -> None:
    """Install zca-js if it is not there yet; skips the test where it cannot be."""
    _program()


def _program() -> list[str]:
    return [peers.node_program(), str(peers.node(peers.HERE / "zalo") / "zca_peer.mjs")]


@contextlib.asynccontextmanager
async def started(
    platform: ZaloPersonalPlatform, session: dict[str, Any] | None = None
) -> AsyncIterator[Client]:
    """A client that shows a QR code, or that has a session."""
    at = platform.addresses
    where = [at["personal_url"], at["personal_socket_url"]]
    command = [*_program(), *where, *([json.dumps(session)] if session is not None else [])]
    async with device_peers.started("zca-js", command) as running:
        yield running


@contextlib.asynccontextmanager
async def client(platform: ZaloPersonalPlatform, user: str) -> AsyncIterator[Client]:
    """A client of this user that is connected; it got its session as an export."""
    session = platform.push({"do": "export", "user": user})
    async with started(platform, session) as running:
        assert (await running.event("open"))["id"] == user
        yield running
