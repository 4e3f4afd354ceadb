"""A gateway with a platform whose accounts consent by OAuth, and a receiver."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import trio

from tests.harness import Client, Receiver, endpoint, gateway, receiver, settings_of, write_config
from tests.reference.oauth import CHANNEL, NAME, SCOPES, Grants, Running, oauth_platform
from unifyport.providers.registry import Registry

PUBLIC = 'public_url = "http://127.0.0.1:1"'


@attrs.define
class World:
    api: Client
    grants: Grants
    inbox: Receiver
    directory: Path
    platform: Running

    async def reload(self, secret: str) -> None:
        """The file gets another secret of the app."""
        more = self.platform.table(secret) + endpoint(self.inbox.url)
        write_config(self.directory, more=more, server=PUBLIC)
        await self.api.data("POST", "/v1/reload", {})

    async def create(self, **data: str) -> str:
        body = {"provider": NAME, "provider_data": data}
        return str((await self.api.data("POST", "/v1/accounts", body))["id"])

    async def auth(self, account: str, status: str) -> Any:
        return await self.api.until(lambda s: s["status"] == status, f"/v1/accounts/{account}/auth")

    async def running(self, account: str) -> Any:
        return await self.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account}")

    async def consent(self, account: str, user: str) -> None:
        shown = await self.api.data("POST", f"/v1/accounts/{account}/auth/start")
        assert shown["status"] == "awaiting_code"
        assert shown["auth_payload"]["consent"] == {"scopes": SCOPES}
        assert "auth_fields" not in shown
        answered = await self.api("GET", self.grants.consent(shown["auth_payload"]["page_url"], user))
        assert answered.status_code == 200
        await self.auth(account, "authorized")

    async def refreshed(self, times: int) -> None:
        with trio.fail_after(20):
            while self.grants.refreshes < times:
                await self.grants.news.wait()


@contextlib.asynccontextmanager
async def world(directory: Path, lifetime: float = 7200.0) -> AsyncIterator[World]:
    async with oauth_platform() as platform, receiver() as inbox:
        platform.grants.lifetime = lifetime
        more = platform.table() + endpoint(inbox.url)
        settings = settings_of(directory, more, registry=Registry([CHANNEL]), server=PUBLIC)
        async with gateway(settings, [CHANNEL]) as api:
            yield World(api, platform.grants, inbox, directory, platform)
