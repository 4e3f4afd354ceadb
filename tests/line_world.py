"""What tests of LINE share: an account, its channel at the sandbox, orders to the sandbox."""

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
from unifyport.sandbox.line.messaging import LinePlatform
from unifyport.sandbox.line.state import Channel, id_of

CHANNEL = "1656789012"
CHANNEL_SECRET = "0123456789abcdef0123456789abcdef"
MEI = id_of("U", "Mei")
TEAM = id_of("C", "team")


def line_data(channel: str = CHANNEL, **more: str) -> dict[str, str]:
    """The credentials of a channel. Without an access token the gateway issues tokens itself."""
    return {"channel_id": channel, "channel_secret": CHANNEL_SECRET, **more}


def line(name: str = "line", channel: str = CHANNEL, **more: str) -> str:
    lines = ", ".join(f'{key} = "{value}"' for key, value in line_data(channel, **more).items())
    return f'\n[[accounts]]\nname = "{name}"\nprovider = "line"\ncredentials = {{ {lines} }}\n'


@attrs.define
class World:
    """A gateway with one account of LINE, a receiver, and the sandbox."""

    api: Client
    inbox: Receiver
    platform: Platform
    account: dict[str, Any]

    @property
    def line(self) -> LinePlatform:
        return line_of(self.platform)

    @property
    def channel(self) -> Channel:
        return self.line.channels[CHANNEL]

    async def order(self, what: str, order: dict[str, Any]) -> Any:
        return await order_line(self.platform, what, order)

    async def write(self, text: str = "hello", **more: Any) -> Any:
        """A customer writes; returns once the event has arrived."""
        written = await self.order("messages", {"text": text, **more})
        await self.received(written["message_id"])
        return written

    async def received(self, message_id: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [e for e in self.inbox.of("message.received") if e["message_id"] == message_id]

        await self.inbox.until(found)
        return found()[0]

    async def send(
        self,
        message: dict[str, Any] | None = None,
        to: str = MEI,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Any:
        """The answer to a send, a text if no message is given."""
        body = {
            "account_id": self.account["id"],
            "to": {"id": to, "type": "user" if to.startswith("U") else "group"},
            "message": message or {"type": "text", "text": "yes"},
            **more,
        }
        return await self.api("POST", "/v1/messages", body, headers=headers)

    async def sent(self, message: dict[str, Any] | None = None, to: str = MEI, **more: Any) -> Any:
        answer = await self.send(message, to, **more)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def path(self, rest: str) -> str:
        return f"/v1/accounts/{self.account['id']}/{rest}"


def line_of(platform: Platform) -> LinePlatform:
    found = platform.sandbox.platforms["line"]
    assert isinstance(found, LinePlatform)
    return found


async def order_line(platform: Platform, what: str, order: dict[str, Any]) -> Any:
    response = await platform.http.post(f"/sandbox/line/{what}", json=order)
    assert response.is_success, response.text
    return response.json()


@contextlib.asynccontextmanager
async def world(
    directory: Path, account: str = "", *, events: str = '["*", "provider.event"]', more: str = ""
) -> AsyncIterator[World]:
    """Once the account is connected and LINE calls the gateway."""
    async with sandbox() as platform, receiver() as inbox:
        config = (account or line()) + endpoint(inbox.url, events=events) + platform.sandbox.config() + more
        async with gateway(settings_of(directory, config, **public(free_port()))) as api:
            await inbox.until(lambda: inbox.of("account.started"))
            [found] = await api.data("GET", "/v1/accounts")
            yield World(api, inbox, platform, found)
