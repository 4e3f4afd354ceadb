"""A gateway with the reference platform and a receiver, and the steps of logins as a caller takes them."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs

from tests.harness import Client, Receiver, endpoint, gateway, receiver, settings_of
from tests.reference.platform import PHONE, ReferencePlatform
from tests.reference.serving import CHANNEL, REGISTRY, places, reference_platform
from unifyport.config.settings import Settings
from unifyport.providers.registry import Registry
from unifyport.server import Parts


@attrs.define
class World:
    platform: ReferencePlatform
    inbox: Receiver
    api: Client
    settings: Settings

    async def account(self, auth_mode: str, provider: str = CHANNEL, **data: Any) -> str:
        body: dict[str, Any] = {"provider": provider, "region": "global", "auth_mode": auth_mode}
        if data:
            body["provider_data"] = data
        return str((await self.api.data("POST", "/v1/accounts", body))["id"])

    async def step(self, account_id: str, step: str, body: Any = None) -> Any:
        return await self.api.data("POST", f"/v1/accounts/{account_id}/auth/{step}", body)

    async def refused(self, account_id: str, step: str, body: Any = None) -> tuple[int, str]:
        response = await self.api("POST", f"/v1/accounts/{account_id}/auth/{step}", body)
        return response.status_code, response.json()["error"]["code"]

    async def status(self, account_id: str, wanted: str) -> Any:
        return await self.api.until(lambda s: s["status"] == wanted, f"/v1/accounts/{account_id}/auth")

    async def running(self, account_id: str) -> Any:
        """The account, once it runs and its identity is durable."""
        return await self.api.until(
            lambda a: a["runtime_status"] == "running" and a.get("provider_account_ref"),
            f"/v1/accounts/{account_id}",
        )

    async def log_in_by_qr(self, account_id: str, phone: str = PHONE) -> None:
        shown = await self.step(account_id, "qr/start")
        self.platform.logins.scan(shown["auth_payload"]["qr_code"], phone)
        await self.running(account_id)

    def of(self, account_id: str, name: str) -> list[dict[str, Any]]:
        return [event for event in self.inbox.of(name) if event["account_id"] == account_id]


@contextlib.asynccontextmanager
async def a_world(
    directory: Path,
    registry: Registry = REGISTRY,
    *channels: str,
    more: str = "",
    parts: Parts | None = None,
    **sections: Any,
) -> AsyncIterator[World]:
    """`channels`: those of `registry` beside the usual ones that the platform stands for."""
    sections = {"security": 'proxy_allow = ["127.0.0.0/8"]\n', **sections}
    async with reference_platform() as reference, receiver() as inbox:
        file = endpoint(inbox.url) + places(reference, *channels) + more
        settings = settings_of(directory, file, registry=registry, **sections)
        async with gateway(settings, list(registry.channels.values()), parts) as api:
            yield World(reference.platform, inbox, api, settings)
