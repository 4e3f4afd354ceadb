"""A gateway with TikTok's sandbox and a receiver, and what owners, customers and callers do there."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
from unifyport.sandbox.tiktok.business import TikTokPlatform

APP, APP_SECRET = "client-key-1", "client-secret-of-the-test"
BUSINESS, OTHER = "business-000001", "business-000002"
CUSTOMER = "customer-1"
EVERYTHING = '["*", "provider.event"]'


def tiktok_data(business: str = BUSINESS, **more: str) -> dict[str, str]:
    """The credentials of an account whose refresh token was pasted."""
    return {
        "client_key": APP,
        "client_secret": APP_SECRET,
        "refresh_token": f"sandbox-refresh-{business}",
        **more,
    }


def tiktok(name: str = "shop", business: str = BUSINESS, **more: str) -> str:
    lines = ", ".join(f'{key} = "{value}"' for key, value in tiktok_data(business, **more).items())
    return f'\n[[accounts]]\nname = "{name}"\nprovider = "tiktok"\ncredentials = {{ {lines} }}\n'


@attrs.define
class World:
    platform: Platform
    inbox: Receiver
    api: Client

    @property
    def tiktok(self) -> TikTokPlatform:
        found = self.platform.sandbox.platforms["tiktok"]
        assert isinstance(found, TikTokPlatform)
        return found

    async def order(self, what: str, order: dict[str, Any]) -> Any:
        response = await self.platform.http.post(f"/sandbox/tiktok/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def write(self, text: str = "hello", **more: Any) -> Any:
        """A customer writes; returns the platform's ids once the event has arrived."""
        seen = len(self.inbox.of("message.received"))
        written = await self.order("messages", {"from": CUSTOMER, "text": text, **more})
        await self.inbox.until(lambda: len(self.inbox.of("message.received")) > seen)
        return written

    async def online(self, count: int = 1) -> list[Any]:
        """The accounts, once so many run."""
        await self.inbox.until(lambda: len(self.inbox.of("account.started")) >= count)
        found: list[Any] = await self.api.data("GET", "/v1/accounts")
        return found

    async def send(self, account_id: str, to: str, message: Any = None, **more: Any) -> httpx.Response:
        message = {"type": "text", "text": message or "yes"} if not isinstance(message, dict) else message
        body = {"account_id": account_id, "to": {"id": to, "type": "user"}, "message": message, **more}
        return await self.api("POST", "/v1/messages", body)

    async def refused(self, account_id: str, to: str, message: Any = None, **more: Any) -> Any:
        """(status, the error) of a send that is not answered with success."""
        answer = await self.send(account_id, to, message, **more)
        assert not answer.is_success, answer.text
        return answer.status_code, answer.json()["error"]

    async def account(self, **data: str) -> str:
        """An account made through the API; without `data` one that waits for consent."""
        given = data or {"client_key": APP, "client_secret": APP_SECRET}
        body = {"provider": "tiktok", "region": "global", "auth_mode": "token", "provider_data": given}
        return str((await self.api.data("POST", "/v1/accounts", body))["id"])

    async def consent(self, account_id: str) -> Any:
        """Begin the login, and be the browser of the owner on TikTok's page and on the way back."""
        shown = await self.api.data("POST", f"/v1/accounts/{account_id}/auth/start")
        async with httpx.AsyncClient(trust_env=False) as browser:
            there = await browser.get(shown["auth_payload"]["page_url"])
            assert there.status_code == 302, there.text
            back = urlsplit(there.headers["location"])
            await self.api.http.get(f"{back.path}?{back.query}", headers={"x-api-key": ""})
        return shown

    async def auth(self, account_id: str, wanted: str) -> Any:
        return await self.api.until(lambda s: s["status"] == wanted, f"/v1/accounts/{account_id}/auth")


@contextlib.asynccontextmanager
async def a_world(
    directory: Path, more: str | None = None, *, events: str = EVERYTHING
) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        accounts = tiktok() if more is None else more
        file = accounts + endpoint(inbox.url, events=events) + platform.sandbox.config()
        async with gateway(settings_of(directory, file, **public(free_port()))) as api:
            yield World(platform, inbox, api)
