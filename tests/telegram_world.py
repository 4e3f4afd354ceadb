"""A gateway with the sandbox of Telegram's data centres and a receiver, and what tests of them say."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx

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
from unifyport.sandbox.telegram.user.platform import UserPlatform

SHOP, MEI, TOM = "6590000001", "6590000002", "6590000003"
APP = {"api_id": "17349", "api_hash": "344583e45741c457fe1862106095a5eb"}
ALL = '["*", "provider.event"]'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "100ms" }\nmax_restarts = 1000\n'


@attrs.define
class TelegramWorld:
    platform: Platform
    inbox: Receiver
    api: Client
    ids: dict[str, str] = attrs.field(factory=dict)  # phone -> account

    @property
    def user_platform(self) -> UserPlatform:
        for found in self.platform.sandbox.platforms.values():
            if isinstance(found, UserPlatform):
                return found
        raise AssertionError("no data centres")

    async def order(self, what: str, **order: Any) -> Any:
        response = await self.platform.http.post(f"/sandbox/telegram-user/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def do(self, what: str, **order: Any) -> Any:
        return await self.order("updates", do=what, **order)

    async def create(self, phone: str, auth_mode: str, **provider_data: Any) -> str:
        """An account of the gateway; its id."""
        data = {**APP, **provider_data}
        if auth_mode == "code":
            data["phone"] = f"+{phone}"
        body = {"provider": "telegram", "auth_mode": auth_mode, "provider_data": data}
        made = await self.api.data("POST", "/v1/accounts", body)
        self.ids[phone] = str(made["id"])
        return self.ids[phone]

    async def auth(self, phone: str, status: str) -> dict[str, Any]:
        """The login of an account, once it has this status."""
        path = f"/v1/accounts/{self.ids[phone]}/auth"
        found: dict[str, Any] = await self.api.until(lambda auth: auth["status"] == status, path)
        return found

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
        shown = await self.api.until(
            lambda auth: auth.get("auth_payload", {}).get("qr_code"), f"/v1/accounts/{self.ids[phone]}/auth"
        )
        return str(shown["auth_payload"]["qr_code"])

    async def running(self, phone: str) -> Any:
        return await self.account(phone, "running")

    async def account(self, phone: str, runtime_status: str) -> Any:
        """The account, once it has this status."""
        return await self.api.until(
            lambda account: account["runtime_status"] == runtime_status, f"/v1/accounts/{self.ids[phone]}"
        )

    async def explained(self, phone: str) -> dict[str, Any]:
        return dict(await self.api.data("GET", f"/v1/accounts/{self.ids[phone]}/explain"))

    async def send(self, sender: str, to: str, text: str = "hello", **more: Any) -> httpx.Response:
        """The answer of `POST /v1/messages`."""
        kind = more.pop("kind", "group" if to.startswith("-") else "user")
        message = more.pop("message", {"type": "text", "text": text})
        body = {"account_id": self.ids[sender], "to": {"id": to, "type": kind}, "message": message, **more}
        return await self.api("POST", "/v1/messages", body)

    def received(self, phone: str, name: str = "message.received") -> list[dict[str, Any]]:
        return [event for event in self.inbox.of(name) if event["account_id"] == self.ids[phone]]

    def texts(self, phone: str) -> list[str]:
        return [event["text"] for event in self.received(phone)]


@contextlib.asynccontextmanager
async def telegram_world(
    directory: Path, *, events: str = ALL, more: str = ""
) -> AsyncIterator[TelegramWorld]:
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url, events=events) + platform.sandbox.config() + QUICK + more
        async with gateway(settings_of(directory, file, **public(free_port()))) as api:
            yield TelegramWorld(platform, inbox, api)
