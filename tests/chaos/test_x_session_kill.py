"""kill -9 of a gateway with an account of X by session: see `conversation.py`."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.chaos import conversation
from tests.harness import Platform
from tests.x_session_world import PASSCODE, SHOP
from unifyport.sandbox.x.web.platform import XWebPlatform

pytestmark = pytest.mark.chaos


@attrs.define
class XBrowsers:
    x: XWebPlatform
    provider: str = "x"
    customers: tuple[str, ...] = ("9007199254741001", "9007199254741003", "22")

    async def exported(self) -> dict[str, Any]:
        """Customers have written before, so that their conversations have keys."""
        found = await self.x.push({"do": "session", "user": SHOP, "passcode": PASSCODE})
        for customer in self.customers:
            self.write(customer, "from before the login")
        return {"session": found["cookies"], "pin": PASSCODE}

    def write(self, customer: str, text: str) -> None:
        self.x.receive({"from": customer, "to": SHOP, "text": text})

    def sent(self) -> list[str]:
        """As customers could verify and decrypt it."""
        return [
            event["content"]["text"]
            for customer in self.customers
            for event in self.x.people.told(customer, SHOP)
            if event.get("sender_id") == SHOP and "text" in event.get("content", {})
        ]

    def chat(self, customer: str) -> str:
        return customer

    def scan(self, qr_code: str) -> None:
        raise NotImplementedError


class OlderMessages(XBrowsers):
    """The same without encryption, with people who have no keys."""

    async def exported(self) -> dict[str, Any]:
        found = await self.x.push({"do": "session", "user": SHOP, "passcode": PASSCODE})
        return {"session": found["cookies"], "pin": PASSCODE}

    def write(self, customer: str, text: str) -> None:
        place = self.x.mail.place(customer, f"{customer}-{SHOP}")
        assert place is not None
        self.x.mail.write(customer, place, text)

    def sent(self) -> list[str]:
        return [each["text"] for each in self.x.mail.sent]


def browsers_of(platforms: Platform) -> XBrowsers:
    x = platforms.sandbox.platforms["x-session"]
    assert isinstance(x, XWebPlatform)
    return XBrowsers(x)


async def test_a_conversation_goes_on_after_each_kill(tmp_path: Path) -> None:
    await conversation.goes_on_after_each_kill(tmp_path, browsers_of)


@pytest.mark.skipif(not conversation.KILLS, reason="only with CHAOS=full")
async def test_a_conversation_without_encryption_goes_on_after_each_kill(tmp_path: Path) -> None:
    def phones(platforms: Platform) -> OlderMessages:
        return OlderMessages(browsers_of(platforms).x)

    await conversation.goes_on_after_each_kill(tmp_path, phones)


async def test_killed_before_the_login_is_committed(tmp_path: Path) -> None:
    await conversation.fails_before_the_login_is_committed(tmp_path, browsers_of)
