"""The control port: JSON over HTTP, on loopback, playing the customers' side of every platform."""

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import trio
from quart import Response, request

from unifyport.model.toml_strings import toml_string
from unifyport.providers.contract.base import Channel

from .http import as_json
from .loading import load_platforms
from .platform import Platform
from .serving import bind, listen, new_app

CONTROL_PORT = 9100


class Sandbox:
    """The local platforms of `channels` and their control port. `endpoints` is filled once they listen.

    Raises `WrongDeclaration`.
    """

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._by_channel = load_platforms(channels)
        self.platforms: dict[str, Platform] = {
            platform.name: platform for platforms in self._by_channel.values() for platform in platforms
        }
        self.endpoints: dict[str, dict[str, str]] = {}
        self.app = new_app("sandbox")
        add = self.app.add_url_rule
        add("/sandbox", "index", self._index, methods=["GET"])
        add("/sandbox/<channel>/messages", "receive", self._order("receive"), methods=["POST"])
        add("/sandbox/<channel>/updates", "push", self._order("push"), methods=["POST"])
        add("/sandbox/<channel>/webhooks", "connect", self._order("connect"), methods=["POST"])
        add("/sandbox/<channel>/webhooks", "calls", self._calls, methods=["GET"])
        add("/sandbox/<channel>/receipts", "receipt", self._order("receipt"), methods=["POST"])
        add("/sandbox/<channel>/faults", "fault", self._order("order_fault"), methods=["POST"])
        add("/sandbox/<channel>/faults", "restore", self._restore, methods=["DELETE"])
        add("/sandbox/<channel>/messages", "sent", self._sent, methods=["GET"])
        add("/sandbox/<channel>/connections", "connections", self._connections, methods=["GET"])

    async def run(
        self,
        host: str = "127.0.0.1",
        port: int = CONTROL_PORT,
        *,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve the control port, and each protocol on the ports after it, until cancelled. 0: any ports.

        `task_status` gets the control port's URL. Raises `NotLoopback`, `ValueError`, `OSError`.
        """
        ports = itertools.count(port + 1) if port else itertools.repeat(0)
        async with trio.open_nursery() as nursery:
            for channel, platform in self._all():
                nursery.start_soon(platform.run)
                addresses = {}
                for protocol in platform.protocols:
                    listener = bind(host, next(ports))
                    addresses[protocol.name] = protocol.address_at(listener)
                    nursery.start_soon(protocol.serve, listener)
                self.endpoints.setdefault(channel, {}).update(platform.endpoints(addresses))
            task_status.started(await nursery.start(listen, self.app, host, port))

    def _all(self) -> Iterator[tuple[str, Platform]]:
        for channel, platforms in self._by_channel.items():
            for platform in platforms:
                yield channel, platform

    def config(self) -> str:
        """The TOML that points a gateway at this sandbox."""
        lines = []
        for channel, endpoints in self.endpoints.items():
            lines.append(f"[providers.{channel}]")
            lines += [f"{name} = {toml_string(value)}" for name, value in endpoints.items()]
        return "\n".join(lines) + "\n"

    # -- handlers ------------------------------------------------------------------------------------------

    async def _index(self) -> Response:
        await trio.lowlevel.checkpoint()
        return as_json({"providers": self.endpoints})

    def _order(self, verb: str) -> Callable[..., Any]:
        async def handle(channel: str) -> Response:
            platform = self.platforms.get(channel)
            if platform is None:
                return as_json({"error": f"no such channel: {channel}"}, 404)
            if (
                request.mimetype != "application/json"
            ):  # browsers send it across origins only after a preflight
                return as_json({"error": "send the body as Content-Type: application/json"}, 415)
            order = await request.get_json(silent=True)
            if not isinstance(order, dict):
                return as_json({"error": "the body must be a JSON object"}, 400)
            act = getattr(platform, verb, None)
            if act is None:
                return as_json({"error": f"{channel} does not support this"}, 404)
            try:
                result = act(order)
                return as_json((await result if inspect.isawaitable(result) else result) or {"ok": True})
            except ValueError as error:
                return as_json({"error": str(error)}, 400)

        return handle

    async def _restore(self, channel: str) -> Response:
        return await self._about(channel, _restored)

    async def _sent(self, channel: str) -> Response:
        return await self._about(channel, lambda platform: platform.sent())

    async def _calls(self, channel: str) -> Response:
        return await self._about(channel, lambda platform: platform.calls())

    async def _connections(self, channel: str) -> Response:
        return await self._about(channel, lambda platform: list(platform.connections))

    async def _about(self, channel: str, query: Callable[[Platform], Any]) -> Response:
        await trio.lowlevel.checkpoint()
        platform = self.platforms.get(channel)
        if platform is None:
            return as_json({"error": f"no such channel: {channel}"}, 404)
        return as_json(query(platform))


def _restored(platform: Platform) -> dict[str, bool]:
    platform.restore()
    return {"ok": True}
