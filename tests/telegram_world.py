"""A gateway with the sandbox of Telegram's data centres and a receiver, and what tests of them say."""

import functools
from typing import Any

import attrs

from tests.linked_world import LinkedWorld, linked_world
from unifyport.sandbox.telegram.user.platform import UserPlatform

SHOP, MEI, TOM = "6590000001", "6590000002", "6590000003"
APP = {"api_id": "17349", "api_hash": "344583e45741c457fe1862106095a5eb"}


@attrs.define
class TelegramWorld(LinkedWorld):
    NAME = "telegram-user"

    @property
    def user_platform(self) -> UserPlatform:
        return self.played(UserPlatform)

    async def create(self, phone: str, auth_mode: str, **provider_data: Any) -> str:
        """An account of the gateway; its id."""
        data = {**APP, **provider_data}
        if auth_mode == "code":
            data["phone"] = f"+{phone}"
        body = {"provider": "telegram", "auth_mode": auth_mode, "provider_data": data}
        made = await self.api.data("POST", "/v1/accounts", body)
        self.ids[phone] = str(made["id"])
        return self.ids[phone]

    async def give(self, phone: str, what: str, value: str) -> None:
        """The code, or the password."""
        await self.api.data("POST", f"/v1/accounts/{self.ids[phone]}/auth/{what}", {what: value})

    async def start_by_code(self, phone: str) -> str:
        """Begin a login by a code; the code that was sent."""
        if phone not in self.ids:
            await self.create(phone, "code")
        await self.api.data("POST", f"/v1/accounts/{self.ids[phone]}/auth/start")
        await self.auth(phone, "awaiting_code")
        return str((await self.do("code", phone=phone))["code"])

    async def link(self, phone: str, **settings: Any) -> str:
        """A person at the platform, and an account of the gateway that logged in by a code."""
        await self.do("account", phone=phone, **settings)
        await self.give(phone, "code", await self.start_by_code(phone))
        if "password" in settings:
            await self.auth(phone, "awaiting_password")
            await self.give(phone, "password", settings["password"])
        await self.running(phone)
        return self.ids[phone]

    async def start_by_qr(self, phone: str) -> str:
        """Begin a login by a QR code; its text."""
        if phone not in self.ids:
            await self.create(phone, "qrcode")
        await self.api.data("POST", f"/v1/accounts/{self.ids[phone]}/auth/qr/start")
        return await self.until_auth(phone, "qr_code")

    async def account(self, phone: str, runtime_status: str) -> Any:
        """The account, once it has this status."""
        return await self.api.until(
            lambda account: account["runtime_status"] == runtime_status, f"/v1/accounts/{self.ids[phone]}"
        )

    def recipient(self, to: str) -> dict[str, str]:
        return {"id": to, "type": "group" if to.startswith("-") else "user"}


telegram_world = functools.partial(linked_world, TelegramWorld)
