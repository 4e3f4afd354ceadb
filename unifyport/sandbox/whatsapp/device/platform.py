"""WhatsApp's multi-device protocol, played on loopback: the relay, its media server, and the control port."""

from collections.abc import Awaitable
from typing import Any

import trio
from quart import Response

from ...http import HttpPlatform, as_json, http
from ...sockets import WebSocket, websocket
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
FIRST_LID = 100_000_000_000_000


class DevicePlatform(HttpPlatform):
    """Accounts exist once the control port, or a test, has added them (`account`)."""

    name = "whatsapp-device"

    def __init__(self) -> None:
        super().__init__()
        self.keys = ServerKeys()
        self.media = MediaServer(self)
        self.relay = Relay(Settings(self.media))
        self.orders = Orders(self.relay, self.media)
        self.phones: dict[Account, Phone] = {}
        self.phone_media = PhoneMedia(self.media)
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
            # A device that nobody links is disconnected when its last code has expired.
            pairing = link.hello.payload.HasField("devicePairingData")
            with trio.move_on_after(LIFE_SECONDS if pairing else float("inf")):
                await link.run(lambda node: self.relay.handle(link, device, node))
        finally:
            self.links.discard(link)
            self.relay.leave(link, device)

    def account(self, phone: str, **settings: Any) -> Account:
        """A new account, with a LID made from its phone number. Raises `ValueError` if it exists."""
        lid = settings.pop("lid", None) or str(FIRST_LID + int(phone))
        name = settings.pop("name", None) or f"+{phone}"
        account = self.relay.directory.add(Account(phone, lid, name, **settings))
        self.phones[account] = Phone(self.relay, account, self.phone_media)
        return account

    # -- the control port ------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes. Raises `ValueError`."""
        raise ValueError("the phones of customers cannot write yet")

    def push(self, order: dict[str, Any]) -> dict[str, Any] | Awaitable[None] | None:
        """Everything that a phone, its owner or the platform does. Raises `ValueError`."""
        if order.get("do") == "account":
            wanted = {name: value for name, value in order.items() if name not in ("do", "phone")}
            account = self.account(str(order.get("phone")), **wanted)
            return {"jid": str(account.phone_jid), "lid": str(account.lid_jid)}
        return self.orders.obey(order)

    def sent(self) -> list[dict[str, Any]]:
        return [
            {
                "id": sent.node.get("id"),
                "from": str(sent.sender.phone_jid),
                "to": sent.node.get("to"),
                "error": sent.error,
            }
            for sent in self.relay.messages.sent
        ]

    def rate_limited(self, seconds: int) -> Response:
        return as_json({"error": "rate limited"}, 429)

    def failed(self) -> Response:
        return as_json({"error": "internal error"}, 500)
