"""A gateway with the sandbox of Zalo's web client and a receiver, and what tests of personal accounts say."""

import functools
import json
from typing import Any

import attrs
import httpx

from tests.linked_world import LinkedWorld, linked_world
from unifyport.sandbox.zalo.personal.platform import ZaloPersonalPlatform

SHOP, MAI, TAM = "9007199254740993", "9007199254740995", "9007199254740997"  # above 2**53
LOCAL = 'media_allow = ["127.0.0.0/8"]\nproxy_allow = ["127.0.0.0/8"]\n'


@attrs.define
class ZaloWorld(LinkedWorld):
    NAME = "zalo-personal"

    @property
    def zalo(self) -> ZaloPersonalPlatform:
        return self.played(ZaloPersonalPlatform)

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

    async def give_session(self, user: str, exported: Any) -> httpx.Response:
        body = {"session": json.dumps(exported)}
        return await self.api("POST", f"/v1/accounts/{self.ids[user]}/auth/session", body)

    # -- messages -------------------------------------------------------------------------------------------

    def recipient(self, to: str) -> dict[str, str]:
        return {"id": to, "type": "group" if to.startswith("g") else "user"}

    # -- events ---------------------------------------------------------------------------------------------

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


zalo_world = functools.partial(linked_world, ZaloWorld, security=LOCAL)
