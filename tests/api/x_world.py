"""A gateway with the sandbox of X and a receiver, and what tests of the channel say often."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs

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
from unifyport.providers.registry import Registry
from unifyport.sandbox.x.api import XPlatform

ME, MEI = "1111", "2222"
APP = {
    "client_id": "client-of-the-test",
    "client_secret": "client-secret-of-the-test",
    "bearer_token": "bearer-of-the-test",
    "consumer_secret": "sandbox-consumer-secret",
}
ALL = '["*", "provider.event"]'


def x_data(user: str = ME, **more: str) -> dict[str, str]:
    """The credentials of an account; a user's first refresh token is any text with the user's id."""
    return {**APP, "refresh_token": f"refresh-{user}-seed", **more}


def x_account(name: str = "x", user: str = ME, receive: str = "poll", **more: str) -> str:
    lines = ", ".join(f'{key} = "{value}"' for key, value in x_data(user, **more).items())
    declared = f'\n[[accounts]]\nname = "{name}"\nprovider = "x"\nreceive = "{receive}"\n'
    return f"{declared}credentials = {{ {lines} }}\n"


@attrs.define
class World:
    platform: Platform
    inbox: Receiver
    api: Client
    id: str = ""

    @property
    def x(self) -> XPlatform:
        platform = self.platform.sandbox.platforms["x"]
        assert isinstance(platform, XPlatform)
        return platform

    async def order(self, what: str, **order: Any) -> Any:
        response = await self.platform.http.post(f"/sandbox/x/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def write(self, text: str, **more: Any) -> Any:
        return await self.order("messages", text=text, **more)

    async def send(self, to: str = MEI, kind: str = "user", **more: Any) -> Any:
        """The answer of `POST /v1/messages`."""
        message = more.pop("message", {"type": "text", "text": "hello"})
        body = {"account_id": self.id, "to": {"id": to, "type": kind}, "message": message, **more}
        return await self.api("POST", "/v1/messages", body)

    async def connected(self, user: str = ME) -> None:
        """The account is up: X has its subscriptions, and the stream is open."""
        await self.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{self.id}")
        hooks = self.x.deliveries.webhooks
        await self.api.until(lambda _: bool(hooks or self.x.open), f"/v1/accounts/{self.id}")

    def texts(self) -> list[str]:
        return [event["text"] for event in self.inbox.of("message.received")]


@contextlib.asynccontextmanager
async def x_world(
    directory: Path,
    accounts: str | None = None,
    *,
    events: str = ALL,
    more: str = "",
    options: str = "",
    registry: Registry | None = None,
) -> AsyncIterator[World]:
    """`accounts`: of the file; None: the usual one. `options`: lines of `[providers.x]`. `registry`: of the
    gateway, in place of the standard one.
    """
    declared = x_account() if accounts is None else accounts
    async with sandbox(registry) as platform, receiver() as inbox:
        config = platform.sandbox.config().replace("[providers.x]\n", f"[providers.x]\n{options}\n")
        file = declared + endpoint(inbox.url, events=events) + config + more
        settings = settings_of(directory, file, registry=registry, **public(free_port()))
        channels = None if registry is None else list(registry.channels.values())
        async with gateway(settings, channels) as api:
            world = World(platform, inbox, api)
            if declared:
                found = await api.data("GET", "/v1/accounts")
                world.id = found[0]["id"]
                await world.connected()
            yield world
