"""A gateway with the sandbox of LINE's devices and a receiver, and what tests of them say."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs

from tests.linked_world import LinkedWorld, linked_world
from unifyport.sandbox.line.device.platform import LineDevicePlatform
from unifyport.sandbox.line.device.world import Account, Device, mid_of

SHOP, MEI, TOM = "Shop", "Mei", "Tom"


@attrs.define
class LineDeviceWorld(LinkedWorld):
    NAME = "line-device"

    @property
    def line(self) -> LineDevicePlatform:
        return self.played(LineDevicePlatform)

    async def says(self, sender: str, to: str, text: str, **more: Any) -> str:
        """A person writes from the phone; the id of the message."""
        told = await self.order("messages", **{"from": sender, "to": to, "text": text, **more})
        return str(told["message_id"])

    async def begin(self, name: str, **settings: Any) -> str:
        """An account at the platform and one of the gateway; the text of the QR code of its login."""
        await self.do("account", name=name, **settings)
        made = await self.api.data("POST", "/v1/accounts", {"provider": "line", "auth_mode": "qrcode"})
        self.ids[name] = made["id"]
        await self.api.data("POST", f"/v1/accounts/{made['id']}/auth/qr/start")
        return await self.until_auth(name, "qr_code")

    async def link(self, name: str, **settings: Any) -> str:
        """An account that is logged in by QR code and PIN; its id."""
        await self.do("scan", qr=await self.begin(name, **settings), name=name)
        await self.do("enter_pin", pin=await self.until_auth(name, "pin"), name=name)
        await self.running(name)
        return self.ids[name]

    def account(self, name: str) -> Account:
        """The person of this name, at the platform."""
        return self.line.world.account(name)

    def device(self, name: str) -> Device:
        """The newest device of a person, at the platform."""
        return self.account(name).devices[-1]

    def recipient(self, to: str) -> dict[str, str]:
        """`to` is a person's name, or the id of a group."""
        if to.startswith("c") and len(to) == 33:
            return {"id": to, "type": "group"}
        return {"id": mid_of(to), "type": "user"}

    sends = LinkedWorld.sent_id


@contextlib.asynccontextmanager
async def line_device_world(directory: Path, **parts: str) -> AsyncIterator[LineDeviceWorld]:
    async with linked_world(LineDeviceWorld, directory, **parts) as world:
        await world.do("account", name=MEI)
        yield world
