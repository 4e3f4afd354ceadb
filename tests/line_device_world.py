"""A gateway with the sandbox of LINE's devices and a receiver, and what tests of them say."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx

from tests.device_world import ALL, QUICK
from tests.harness import (
    Client,
    Platform,
    Receiver,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from unifyport.sandbox.line.device.platform import LineDevicePlatform
from unifyport.sandbox.line.device.world import Account, Device, mid_of

SHOP, MEI, TOM = "Shop", "Mei", "Tom"


@attrs.define
class LineDeviceWorld:
    platform: Platform
    inbox: Receiver
    api: Client
    ids: dict[str, str] = attrs.field(factory=dict)  # name -> account

    @property
    def line(self) -> LineDevicePlatform:
        for found in self.platform.sandbox.platforms.values():
            if isinstance(found, LineDevicePlatform):
                return found
        raise AssertionError("LINE's devices are not played")

    async def order(self, what: str, **order: Any) -> Any:
        response = await self.platform.http.post(f"/sandbox/line-device/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def do(self, what: str, **order: Any) -> Any:
        return await self.order("updates", do=what, **order)

    async def says(self, sender: str, to: str, text: str, **more: Any) -> str:
        """A person writes from the phone; the id of the message."""
        told = await self.order("messages", **{"from": sender, "to": to, "text": text, **more})
        return str(told["message_id"])

    async def auth(self, name: str) -> Any:
        return await self.api.data("GET", f"/v1/accounts/{self.ids[name]}/auth")

    async def until_auth(self, name: str, key: str) -> str:
        """What the login shows under this key, once it does."""
        shown = await self.api.until(
            lambda auth: auth.get("auth_payload", {}).get(key), f"/v1/accounts/{self.ids[name]}/auth"
        )
        return str(shown["auth_payload"][key])

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

    async def running(self, name: str) -> Any:
        return await self.api.until(
            lambda account: account["runtime_status"] == "running", f"/v1/accounts/{self.ids[name]}"
        )

    def account(self, name: str) -> Account:
        """The person of this name, at the platform."""
        return self.line.world.account(name)

    def device(self, name: str) -> Device:
        """The newest device of a person, at the platform."""
        return self.account(name).devices[-1]

    async def send(self, sender: str, to: str, text: str = "hello", **more: Any) -> httpx.Response:
        """The answer of `POST /v1/messages`; `to` is a person's name, or the id of a group."""
        group = to.startswith("c") and len(to) == 33
        message = more.pop("message", {"type": "text", "text": text})
        where = {"id": to if group else mid_of(to), "type": "group" if group else "user"}
        body = {"account_id": self.ids[sender], "to": where, "message": message, **more}
        return await self.api("POST", "/v1/messages", body)

    async def sends(self, sender: str, to: str, text: str = "hello", **more: Any) -> str:
        """The id of a message that was sent."""
        answer = await self.send(sender, to, text, **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["message_id"])

    async def act(self, name: str, action: str, **body: Any) -> None:
        """`POST /v1/messages/{action}`."""
        await self.api.data("POST", f"/v1/messages/{action}", {"account_id": self.ids[name], **body})

    async def sent(self) -> list[dict[str, Any]]:
        """What devices sent, as the phones that got it read it."""
        found: list[dict[str, Any]] = (await self.platform.http.get("/sandbox/line-device/messages")).json()
        return found

    def received(self, name: str, event: str = "message.received") -> list[dict[str, Any]]:
        return [found for found in self.inbox.of(event) if found["account_id"] == self.ids[name]]

    def has(self, name: str, message_id: str) -> bool:
        """Whether this message has come."""
        return any(event["message_id"] == message_id for event in self.received(name))

    def texts(self, name: str) -> list[str]:
        return [found["text"] for found in self.received(name)]

    def named(self, name: str, event: str) -> list[dict[str, Any]]:
        """The provider events of this name."""
        found = self.received(name, "provider.event")
        return [each for each in found if each["data"]["event"]["name"] == event]


@contextlib.asynccontextmanager
async def line_device_world(
    directory: Path, *, events: str = ALL, policy: str = QUICK, more: str = ""
) -> AsyncIterator[LineDeviceWorld]:
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url, events=events) + platform.sandbox.config() + policy + more
        async with gateway(settings_of(directory, file, **public(free_port()))) as api:
            world = LineDeviceWorld(platform, inbox, api)
            await world.do("account", name=MEI)
            yield world
