"""A gateway with the sandbox and a receiver, and what tests of accounts of people say.

The channels of such accounts add their logins and the people of their platforms: `device_world` (WhatsApp),
`line_device_world`, `telegram_world` and `zalo_world`.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

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

ALL = '["*", "provider.event"]'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "100ms" }\nmax_restarts = 1000\n'
Played = TypeVar("Played")


@attrs.define
class LinkedWorld:
    """The world of a channel. Its tests name a `person` by a phone number, a name or an id."""

    NAME: ClassVar[str]  # of the platform in the sandbox

    platform: Platform
    inbox: Receiver
    api: Client
    ids: dict[str, str] = attrs.field(factory=dict)  # person -> account

    def played(self, kind: type[Played]) -> Played:
        """The platform in the sandbox."""
        found = self.platform.sandbox.platforms[self.NAME]
        assert isinstance(found, kind)
        return found

    async def order(self, what: str, **order: Any) -> Any:
        response = await self.platform.http.post(f"/sandbox/{self.NAME}/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def do(self, what: str, **order: Any) -> Any:
        return await self.order("updates", do=what, **order)

    async def sent(self) -> list[dict[str, Any]]:
        """What accounts sent, as the platform tells it."""
        return list((await self.platform.http.get(f"/sandbox/{self.NAME}/messages")).json())

    # -- accounts of the gateway ----------------------------------------------------------------------------

    async def running(self, person: str) -> Any:
        """The account, once it runs."""
        return await self.api.until(
            lambda account: account["runtime_status"] == "running", f"/v1/accounts/{self.ids[person]}"
        )

    async def stop(self, person: str) -> None:
        """Stop the account, and wait until it has stopped."""
        path = f"/v1/accounts/{self.ids[person]}"
        await self.api.data("POST", f"{path}/runtime/stop")
        await self.api.until(lambda account: account["runtime_status"] == "stopped", path)

    async def start(self, person: str) -> None:
        """Start the account, and wait until it runs."""
        await self.api.data("POST", f"/v1/accounts/{self.ids[person]}/runtime/start")
        await self.running(person)

    async def auth(self, person: str, status: str) -> Any:
        """The login of an account, once it has this status."""
        path = f"/v1/accounts/{self.ids[person]}/auth"
        return await self.api.until(lambda auth: auth["status"] == status, path)

    async def until_auth(self, person: str, key: str) -> str:
        """What the login of an account shows under this key, once it does."""
        path = f"/v1/accounts/{self.ids[person]}/auth"
        shown = await self.api.until(lambda auth: auth.get("auth_payload", {}).get(key), path)
        return str(shown["auth_payload"][key])

    # -- messages -------------------------------------------------------------------------------------------

    def recipient(self, to: str) -> dict[str, str]:
        """`to` of `POST /v1/messages`."""
        raise NotImplementedError

    async def send(self, sender: str, to: str, text: str = "hello", **more: Any) -> httpx.Response:
        """The answer of `POST /v1/messages`."""
        message = more.pop("message", {"type": "text", "text": text})
        body = {"account_id": self.ids[sender], "to": self.recipient(to), "message": message, **more}
        return await self.api("POST", "/v1/messages", body)

    async def sent_id(self, sender: str, to: str, text: str = "hello", **more: Any) -> str:
        """The id of a message that was sent."""
        response = await self.send(sender, to, text, **more)
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["message_id"])

    async def act(self, person: str, action: str, **body: Any) -> None:
        """`POST /v1/messages/{action}`."""
        await self.api.data("POST", f"/v1/messages/{action}", {"account_id": self.ids[person], **body})

    async def upload(self, content: bytes, name: str, mime_type: str) -> str:
        """The key of an uploaded file."""
        response = await self.api.http.post("/v1/media", files={"file": (name, content, mime_type)})
        assert response.is_success, response.text
        return str(response.json()["data"]["file_key"])

    # -- events ---------------------------------------------------------------------------------------------

    def received(self, person: str, name: str = "message.received") -> list[dict[str, Any]]:
        """The events of this type."""
        return [event for event in self.inbox.of(name) if event["account_id"] == self.ids[person]]

    async def event(self, person: str, name: str, **fields: Any) -> dict[str, Any]:
        """The first event of this type with these fields, once it has come."""

        def fitting() -> list[dict[str, Any]]:
            found = self.received(person, name)
            return [event for event in found if all(event.get(n) == v for n, v in fields.items())]

        await self.inbox.until(fitting)
        return fitting()[0]

    def named(self, person: str, name: str) -> list[dict[str, Any]]:
        """The provider events of this name."""
        found = self.received(person, "provider.event")
        return [event for event in found if event["data"]["event"]["name"] == name]

    def has(self, person: str, message_id: str) -> bool:
        """Whether this message has come."""
        return any(event["message_id"] == message_id for event in self.received(person))

    def texts(self, person: str) -> list[str]:
        return [event["text"] for event in self.received(person)]


World = TypeVar("World", bound=LinkedWorld)


@contextlib.asynccontextmanager
async def linked_world(
    world: type[World],
    directory: Path,
    *,
    events: str = ALL,
    policy: str = QUICK,
    more: str = "",
    security: str = "",
) -> AsyncIterator[World]:
    """A world of this class. `policy` and `more` are appended to the configuration."""
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url, events=events) + platform.sandbox.config() + policy + more
        settings = settings_of(directory, file, **public(free_port()), security=security)
        async with gateway(settings) as api:
            yield world(platform, inbox, api)
