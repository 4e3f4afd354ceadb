"""A gateway with the sandbox of WhatsApp's linked devices and a receiver, and what tests of them say."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import trio
from google.protobuf import json_format

from tests.linked_world import LinkedWorld, linked_world
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


@attrs.define
class DeviceWorld(LinkedWorld):
    NAME = "whatsapp-device"
    config: Path = attrs.field(init=False)  # the configuration file

    @property
    def relay(self) -> DevicePlatform:
        return self.played(DevicePlatform)

    def write_more(self, more: str) -> None:
        """Append to the configuration file."""
        with self.config.open("a") as file:
            file.write(more)

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
        await self.do("scan", qr=await self.until_auth(phone, "qr_code"), phone=phone)
        await self.running(phone)

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

    def recipient(self, to: str) -> dict[str, str]:
        return {"id": to, "type": "group" if to.endswith("@g.us") else "user"}

    async def read(self, phone: str, chat: str, message_id: str | None = None) -> None:
        order: dict[str, Any] = {"conversation_id": chat}
        if message_id is not None:
            order |= {"up_to_message_id": message_id, "up_to_message_sender_id": chat}
        await self.api.data("POST", f"/v1/accounts/{self.ids[phone]}/conversations/read", order)

    async def sent(self) -> list[dict[str, Any]]:
        """What linked devices sent and phones decrypted."""
        return [told for told in await super().sent() if not told["error"] and told["message"] is not None]

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


async def until(enough: Callable[[], object]) -> None:
    """Wait for what the relay sees, which has no event to wait for."""
    with trio.fail_after(20):
        while not enough():
            await trio.sleep(0.01)


@contextlib.asynccontextmanager
async def device_world(directory: Path, **parts: str) -> AsyncIterator[DeviceWorld]:
    async with linked_world(DeviceWorld, directory, **parts) as world:
        world.config = directory / "unifyport.toml"
        yield world
