"""kill -9 of a gateway with a personal account of Zalo: see `conversation.py`."""

from pathlib import Path

import attrs
import pytest

from tests.chaos import conversation
from tests.harness import Platform
from tests.zalo_world import SHOP
from unifyport.sandbox.zalo.personal.platform import ZaloPersonalPlatform

pytestmark = pytest.mark.chaos


@attrs.define
class ZaloPhones:
    zalo: ZaloPersonalPlatform
    provider: str = "zalo"
    customers: tuple[str, ...] = ("9007199254741001", "9007199254741003", "9007199254741005")

    def write(self, customer: str, text: str) -> None:
        self.zalo.receive({"from": customer, "to": SHOP, "text": text})

    def sent(self) -> list[str]:
        return [told["text"] for told in self.zalo.sent()]

    def chat(self, customer: str) -> str:
        return customer

    def scan(self, qr_code: str) -> None:
        self.zalo.push({"do": "scan", "qr": qr_code, "user": SHOP, "confirm": True})


def phones_of(platforms: Platform) -> ZaloPhones:
    zalo = platforms.sandbox.platforms["zalo-personal"]
    assert isinstance(zalo, ZaloPersonalPlatform)
    phones = ZaloPhones(zalo)
    for id_ in (SHOP, *phones.customers):
        zalo.push({"do": "account", "id": id_, "name": f"User {id_[-2:]}"})
    return phones


async def test_a_conversation_goes_on_after_each_kill(tmp_path: Path) -> None:
    await conversation.goes_on_after_each_kill(tmp_path, phones_of)


async def test_killed_before_the_login_is_committed(tmp_path: Path) -> None:
    await conversation.fails_before_the_login_is_committed(tmp_path, phones_of)
