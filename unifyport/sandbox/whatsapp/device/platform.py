"""WhatsApp's multi-device protocol, played on loopback: the relay, its media server, and the control port."""

from collections.abc import Awaitable
from typing import Any

import trio
from quart import Response

from ...http import HttpPlatform, as_json, http
from ...sockets import WebSocket, websocket
from .customers import Customers
from .directory import Account
from .link import BadClient, Link, shake_hands
from .media import MediaServer
from .orders import Orders
from .pairing import LIFE_SECONDS
from .phone import Phone
from .phone_media import PhoneMedia
from .relay import Relay
from .settings import Settings
from .trust import ServerKeys

ORIGIN = "https://web.whatsapp.com"  # of every client


class DevicePlatform(HttpPlatform):
    """Accounts exist once the control port, or a test, has added them (`account`)."""

    name = "whatsapp-device"

    def __init__(self) -> None:
        super().__init__()
        self.keys = ServerKeys()
        self.media = MediaServer(self)
        self.relay = Relay(Settings(self.media))
        self.customers = Customers(self.relay, PhoneMedia(self.media))
        self.orders = Orders(self.relay, self.media, self.customers)
        self.links: set[Link] = set()
        self.addresses: dict[str, str] = {}  # what `endpoints` gave out
        self.protocols = [
            websocket(self, "chat", ("device_url",), self._attend, origin=ORIGIN),
            http(self.app, "media", ("device_media_url",)),
        ]

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """Also the key that clients are to trust."""
        self.media.base_url = addresses["media"]
        self.addresses = {**super().endpoints(addresses), "device_root_key": self.keys.root.public.hex()}
        return self.addresses

    async def _attend(self, websocket: WebSocket) -> None:
        try:
            link = await shake_hands(websocket, self.keys)
            await self._serve(link)
        except* BadClient:
            websocket.reset()

    async def _serve(self, link: Link) -> None:
        device = self.relay.open(link)
        self.links.add(link)
        try:
            # A device that no phone links is disconnected when its last code has expired.
            pairing = link.hello.payload.HasField("devicePairingData")
            with trio.move_on_after(LIFE_SECONDS if pairing else float("inf")):
                await link.run(lambda node: self.relay.handle(link, device, node))
        finally:
            self.links.discard(link)
            self.relay.leave(link, device)

    def account(self, phone: str, **settings: Any) -> Account:
        """A new person, with a phone. Raises `ValueError` if there is one with this number."""
        return self.customers.account(phone, **settings)

    @property
    def phones(self) -> dict[Account, Phone]:
        return self.customers.phones

    # -- the control port ------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A person writes from a phone: `Customers.receive`. Raises `ValueError`."""
        return self.customers.receive(order)

    def receipt(self, order: dict[str, Any]) -> None:
        """Raises `ValueError`."""
        self.customers.receipt(order)

    def push(self, order: dict[str, Any]) -> dict[str, Any] | Awaitable[None] | None:
        """What a phone, its owner or the platform does, by the name in `do`. Raises `ValueError`."""
        return self.orders.obey(order)

    def sent(self) -> list[dict[str, Any]]:
        return self.customers.sent()

    def rate_limited(self, seconds: int) -> Response:
        return as_json({"error": "rate limited"}, 429)

    def failed(self) -> Response:
        return as_json({"error": "internal error"}, 500)
