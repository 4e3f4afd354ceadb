"""kill -9 of a gateway with a device of LINE: see `conversation.py`."""

from pathlib import Path

import attrs
import pytest

from tests.chaos import conversation
from tests.harness import Platform
from tests.line_device_world import SHOP
from unifyport.sandbox.line.device.platform import LineDevicePlatform
from unifyport.sandbox.line.device.world import mid_of

pytestmark = pytest.mark.chaos
NAMES = {mid_of(name): name for name in ("Mei", "Tom", "Yui")}


@attrs.define
class LinePhones:
    line: LineDevicePlatform
    provider: str = "line"
    customers: tuple[str, ...] = tuple(NAMES)

    def write(self, customer: str, text: str) -> None:
        self.line.receive({"from": NAMES[customer], "to": SHOP, "text": text})

    def sent(self) -> list[str]:
        return [told["content"]["text"] for told in self.line.sent()]

    def chat(self, customer: str) -> str:
        return customer

    def scan(self, qr_code: str) -> None:
        self.line.push({"do": "scan", "qr": qr_code, "name": SHOP, "confirm": True})


def phones_of(platforms: Platform) -> LinePhones:
    line = platforms.sandbox.platforms["line-device"]
    assert isinstance(line, LineDevicePlatform)
    for name in (SHOP, *NAMES.values()):
        line.push({"do": "account", "name": name})
    return LinePhones(line)


async def test_a_conversation_goes_on_after_each_kill(tmp_path: Path) -> None:
    await conversation.goes_on_after_each_kill(tmp_path, phones_of)


async def test_killed_before_the_login_is_committed(tmp_path: Path) -> None:
    await conversation.fails_before_the_login_is_committed(tmp_path, phones_of)
