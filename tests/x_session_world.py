"""A gateway with the sandbox of X's web application and a receiver, and what tests of sessions say."""

import functools
from typing import Any

import attrs
import httpx

from tests.linked_world import LinkedWorld, linked_world
from unifyport.sandbox.x.web.platform import XWebPlatform

SHOP, ANN, BOB = "111", "9007199254740993", "22"
PASSCODE = "4711"


@attrs.define
class XSessionWorld(LinkedWorld):
    NAME = "x-session"

    @property
    def x(self) -> XWebPlatform:
        return self.played(XWebPlatform)

    # -- accounts of the gateway ----------------------------------------------------------------------------

    async def account(self, user: str) -> str:
        """An account of the gateway for this user, which is not logged in."""
        made = await self.api.data("POST", "/v1/accounts", {"provider": "x", "auth_mode": "session"})
        self.ids[user] = id_ = str(made["id"])
        return id_

    async def cookies(self, user: str, passcode: str | None = PASSCODE) -> dict[str, str]:
        """Of a browser in which this user logs in. With a passcode the user's keys are kept in realms."""
        given = {} if passcode is None else {"passcode": passcode}
        return dict((await self.do("session", user=user, **given))["cookies"])

    async def give_session(self, user: str, exported: Any, pin: str | None = PASSCODE) -> httpx.Response:
        body = {"session": exported, **({} if pin is None else {"pin": pin})}
        return await self.api("POST", f"/v1/accounts/{self.ids[user]}/auth/session", body)

    async def link(self, user: str, pin: str | None = PASSCODE) -> str:
        """An account that has imported a session and runs."""
        id_ = await self.account(user)
        answer = await self.give_session(user, await self.cookies(user), pin)
        assert answer.is_success, answer.text
        await self.running(user)
        return id_

    async def met(self, text: str = "hello") -> str:
        """`SHOP` has imported a session and runs, and `ANN` has written; the id of that message."""
        await self.link(SHOP)
        message_id = await self.write(ANN, SHOP, text)
        await self.told(SHOP, text)
        return message_id

    # -- messages -------------------------------------------------------------------------------------------

    def recipient(self, to: str) -> dict[str, str]:
        return {"id": to, "type": "group" if to.startswith("g") or to in self.x.mail.places else "user"}

    async def write(self, sender: str, to: str, text: str = "hello", **more: Any) -> str:
        """A person writes in an app of X; the id of the message."""
        order = {"from": sender, "to": to, "text": text, **more}
        return str((await self.order("messages", **order))["message_id"])

    # -- events ---------------------------------------------------------------------------------------------

    async def told(self, user: str, text: str) -> None:
        """Wait until a message with this text has come."""
        await self.inbox.until(lambda: text in self.texts(user))

    async def came(self, user: str, name: str) -> dict[str, Any]:
        """The newest event of this name, once there is one."""
        await self.inbox.until(lambda: self.received(user, name))
        return self.received(user, name)[-1]


x_session_world = functools.partial(linked_world, XSessionWorld)
