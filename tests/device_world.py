"""A gateway with the sandbox of WhatsApp's linked devices and a receiver, and what tests of them say."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from google.protobuf import json_format

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
    write_config,
)
from unifyport.protocols.whatsapp.media import Decryptor, MediaKind
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message
from unifyport.sandbox.whatsapp.device.directory import Account, Device
from unifyport.sandbox.whatsapp.device.platform import DevicePlatform

SHOP, MEI, TOM = "6590000001", "6590000002", "6590000003"
_FILES = {
    "imageMessage": MediaKind.IMAGE,
    "videoMessage": MediaKind.VIDEO,
    "audioMessage": MediaKind.AUDIO,
    "documentMessage": MediaKind.DOCUMENT,
}
ALL = '["*", "provider.event"]'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "100ms" }\nmax_restarts = 1000\n'


@attrs.define
class DeviceWorld:
    platform: Platform
    inbox: Receiver
    api: Client
    write_more: Callable[[str], object]  # the configuration file, with more at its end
    ids: dict[str, str] = attrs.field(factory=dict)  # phone -> account

    @property
    def relay(self) -> DevicePlatform:
        for found in self.platform.sandbox.platforms.values():
            if isinstance(found, DevicePlatform):
                return found
        raise AssertionError("no relay")

    async def order(self, what: str, **order: Any) -> Any:
        response = await self.platform.http.post(f"/sandbox/whatsapp-device/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def do(self, what: str, **order: Any) -> Any:
        return await self.order("updates", do=what, **order)

    async def link(self, phone: str, **settings: Any) -> str:
        """An account at the platform, and one of the gateway that is linked to it by a QR code."""
        await self.do("account", phone=phone, **settings)
        made = await self.api.data("POST", "/v1/accounts", {"provider": "whatsapp", "auth_mode": "qrcode"})
        await self.scan(phone, made["id"])
        return str(made["id"])

    async def scan(self, phone: str, id_: str) -> None:
        """Link an account of the gateway to one of the platform."""
        self.ids[phone] = id_
        await self.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        shown = await self.api.until(
            lambda auth: auth.get("auth_payload", {}).get("qr_code"), f"/v1/accounts/{id_}/auth"
        )
        await self.do("scan", qr=shown["auth_payload"]["qr_code"], phone=phone)
        await self.running(phone)

    async def running(self, phone: str) -> Any:
        return await self.api.until(
            lambda account: account["runtime_status"] == "running", f"/v1/accounts/{self.ids[phone]}"
        )

    def account(self, phone: str) -> Account:
        """The person with this number, at the relay."""
        return self.relay.relay.account(phone)

    def device(self, phone: str) -> Device:
        """The newest linked device of an account, at the relay."""
        return self.account(phone).companions[-1]

    async def logged_in(self, phone: str, logins: int) -> None:
        """The device has logged in so many times, and the account is up."""
        await self.api.until(
            lambda account: self.device(phone).logins >= logins and account["runtime_status"] == "running",
            f"/v1/accounts/{self.ids[phone]}",
        )

    async def send(self, sender: str, to: str, text: str = "hello", **more: Any) -> httpx.Response:
        """The answer of `POST /v1/messages`."""
        kind = "group" if to.endswith("@g.us") else "user"
        message = more.pop("message", {"type": "text", "text": text})
        body = {"account_id": self.ids[sender], "to": {"id": to, "type": kind}, "message": message, **more}
        return await self.api("POST", "/v1/messages", body)

    async def act(self, phone: str, action: str, **body: Any) -> None:
        """`POST /v1/messages/{action}`."""
        await self.api.data("POST", f"/v1/messages/{action}", {"account_id": self.ids[phone], **body})

    async def read(self, phone: str, chat: str, message_id: str | None = None) -> None:
        order: dict[str, Any] = {"conversation_id": chat}
        if message_id is not None:
            order |= {"up_to_message_id": message_id, "up_to_message_sender_id": chat}
        await self.api.data("POST", f"/v1/accounts/{self.ids[phone]}/conversations/read", order)

    async def upload(self, content: bytes, name: str, mime_type: str) -> str:
        """The key of an uploaded file."""
        response = await self.api.http.post("/v1/media", files={"file": (name, content, mime_type)})
        assert response.is_success, response.text
        return str(response.json()["data"]["file_key"])

    async def sent(self) -> list[dict[str, Any]]:
        """What linked devices sent and phones decrypted."""
        found = (await self.platform.http.get("/sandbox/whatsapp-device/messages")).json()
        return [told for told in found if not told["error"] and told["message"] is not None]

    def file_of(self, told: dict[str, Any]) -> bytes:
        """The file of a message, decrypted as a phone does."""
        message = json_format.ParseDict(told["message"], Message())
        [(field, part)] = [(f.name, part) for f, part in message.ListFields() if f.name in _FILES]
        stored = self.relay.media.get(part.directPath)
        assert stored is not None
        reader = Decryptor(
            part.mediaKey, _FILES[field], file_sha256=part.fileSHA256, file_enc_sha256=part.fileEncSHA256
        )
        return reader.update(stored) + reader.finish()

    async def settled(self, phone: str) -> None:
        """The device has acknowledged everything that the platform has for it."""
        await self.api.until(lambda _: not len(self.device(phone).pending), f"/v1/accounts/{self.ids[phone]}")

    def named(self, phone: str, name: str) -> list[dict[str, Any]]:
        """The provider events of this name."""
        return [
            event
            for event in self.received(phone, "provider.event")
            if event["data"]["event"]["name"] == name
        ]

    def received(self, phone: str, name: str = "message.received") -> list[dict[str, Any]]:
        return [event for event in self.inbox.of(name) if event["account_id"] == self.ids[phone]]

    def has(self, phone: str, message_id: str) -> bool:
        """Whether this message has come."""
        return any(event["message_id"] == message_id for event in self.received(phone))

    def texts(self, phone: str) -> list[str]:
        return [event["text"] for event in self.received(phone)]


async def until(enough: Callable[[], object]) -> None:
    """Wait for what the relay sees, which has no event to wait for."""
    with trio.fail_after(20):
        while not enough():
            await trio.sleep(0.01)


@contextlib.asynccontextmanager
async def device_world(directory: Path, *, events: str = ALL, more: str = "") -> AsyncIterator[DeviceWorld]:
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url, events=events) + platform.sandbox.config() + QUICK + more
        here = public(free_port())
        async with gateway(settings_of(directory, file, **here)) as api:
            yield DeviceWorld(
                platform, inbox, api, lambda more: write_config(directory, more=file + more, **here)
            )
