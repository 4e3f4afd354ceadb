"""A gateway with the sandbox of Zalo's web client and a receiver, and what tests of personal accounts say."""

import contextlib
import json
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
from unifyport.sandbox.zalo.personal.platform import ZaloPersonalPlatform

SHOP, MAI, TAM = "9007199254740993", "9007199254740995", "9007199254740997"  # above 2**53
ALL = '["*", "provider.event"]'
LOCAL = 'media_allow = ["127.0.0.0/8"]\nproxy_allow = ["127.0.0.0/8"]\n'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "100ms" }\nmax_restarts = 1000\n'


@attrs.define
class ZaloWorld:
    platform: Platform
    inbox: Receiver
    api: Client
    ids: dict[str, str] = attrs.field(factory=dict)  # user -> account

    @property
    def zalo(self) -> ZaloPersonalPlatform:
        found = self.platform.sandbox.platforms["zalo-personal"]
        assert isinstance(found, ZaloPersonalPlatform)
        return found

    async def order(self, what: str, **order: Any) -> Any:
        response = await self.platform.http.post(f"/sandbox/zalo-personal/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def do(self, what: str, **order: Any) -> Any:
        return await self.order("updates", do=what, **order)

    async def write(self, sender: str, to: str, text: str = "hello", **more: Any) -> str:
        """A user writes on the phone; the id of the message."""
        said = {"text": text} if "media" not in more and "message" not in more else {}
        order = {"from": sender, "to": to, **said, **more}
        return str((await self.order("messages", **order))["message_id"])

    async def users(self, *ids: str) -> None:
        for id_ in ids:
            if id_ not in self.zalo.world.users:
                await self.do("account", id=id_, name=f"User {id_[-1]}")

    # -- accounts of the gateway ----------------------------------------------------------------------------

    async def account(self, user: str, auth_mode: str = "qrcode") -> str:
        """An account of the gateway for this user, which is not logged in."""
        await self.users(user)
        made = await self.api.data("POST", "/v1/accounts", {"provider": "zalo", "auth_mode": auth_mode})
        self.ids[user] = id_ = str(made["id"])
        return id_

    async def shown(self, user: str, sequence: int = 1) -> dict[str, Any]:
        """What is shown of the login in its step of this number."""
        state = await self.api.until(
            lambda auth: auth.get("auth_payload", {}).get("sequence", 0) >= sequence,
            f"/v1/accounts/{self.ids[user]}/auth",
        )
        return dict(state["auth_payload"])

    async def link(self, user: str) -> str:
        """An account that is linked by a QR code."""
        id_ = await self.account(user)
        await self.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        shown = await self.shown(user)
        await self.do("scan", qr=shown["qr_code"], user=user, confirm=True)
        await self.running(user)
        return id_

    async def give_session(self, user: str, exported: dict[str, Any]) -> httpx.Response:
        body = {"session": json.dumps(exported)}
        return await self.api("POST", f"/v1/accounts/{self.ids[user]}/auth/session", body)

    async def running(self, user: str) -> Any:
        return await self.api.until(
            lambda account: account["runtime_status"] == "running", f"/v1/accounts/{self.ids[user]}"
        )

    async def auth(self, user: str, status: str) -> Any:
        return await self.api.until(
            lambda auth: auth["status"] == status, f"/v1/accounts/{self.ids[user]}/auth"
        )

    # -- messages -------------------------------------------------------------------------------------------

    async def send(self, sender: str, to: str, text: str = "hello", **more: Any) -> httpx.Response:
        """The answer of `POST /v1/messages`."""
        kind = "group" if to.startswith("g") else "user"
        message = more.pop("message", {"type": "text", "text": text})
        body = {"account_id": self.ids[sender], "to": {"id": to, "type": kind}, "message": message, **more}
        return await self.api("POST", "/v1/messages", body)

    async def sent_id(self, sender: str, to: str, text: str = "hello", **more: Any) -> str:
        response = await self.send(sender, to, text, **more)
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["message_id"])

    async def act(self, user: str, action: str, **body: Any) -> None:
        """`POST /v1/messages/{action}`."""
        await self.api.data("POST", f"/v1/messages/{action}", {"account_id": self.ids[user], **body})

    async def upload(self, content: bytes, name: str, mime_type: str) -> str:
        """The key of an uploaded file."""
        response = await self.api.http.post("/v1/media", files={"file": (name, content, mime_type)})
        assert response.is_success, response.text
        return str(response.json()["data"]["file_key"])

    async def sent(self) -> list[dict[str, Any]]:
        """What web clients sent."""
        return list((await self.platform.http.get("/sandbox/zalo-personal/messages")).json())

    # -- events ---------------------------------------------------------------------------------------------

    def received(self, user: str, name: str = "message.received") -> list[dict[str, Any]]:
        return [event for event in self.inbox.of(name) if event["account_id"] == self.ids[user]]

    def named(self, user: str, name: str) -> list[dict[str, Any]]:
        """The provider events of this name."""
        return [
            event for event in self.received(user, "provider.event") if event["data"]["event"]["name"] == name
        ]

    async def told(self, user: str, text: str) -> None:
        """Wait until a message with this text has come."""
        await self.inbox.until(lambda: text in self.texts(user))

    async def came(self, user: str, name: str) -> None:
        """Wait until an event of this name has come."""
        await self.inbox.until(lambda: self.received(user, name))

    async def logged_in(self, user: str, logins: int) -> None:
        """Wait until the account is up, and has logged in so often."""
        await self.api.until(
            lambda found: found["runtime_status"] == "running" and self.logins(user) == logins,
            f"/v1/accounts/{self.ids[user]}",
        )

    def logins(self, user: str) -> int:
        """How often sessions of a user have asked for the login info."""
        return sum(session.logins for session in self.zalo.world.users[user].sessions)

    def texts(self, user: str) -> list[str]:
        return [event["text"] for event in self.received(user)]


@contextlib.asynccontextmanager
async def zalo_world(directory: Path, *, events: str = ALL, policy: str = QUICK) -> AsyncIterator[ZaloWorld]:
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url, events=events) + platform.sandbox.config() + policy
        local = public(free_port()) | {"security": LOCAL}
        async with gateway(settings_of(directory, file, **local)) as api:
            yield ZaloWorld(platform, inbox, api)
