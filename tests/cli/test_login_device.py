"""`unifyport login` of a linked device: the phone scans the QR code, or its owner types the code."""

from pathlib import Path

import pytest

from tests.cli.test_login import Terminal
from tests.device_world import SHOP, device_world


@pytest.mark.parametrize("auth_mode", ["qrcode", "code"])
async def test_a_device_is_linked_at_the_terminal(tmp_path: Path, auth_mode: str) -> None:
    async with device_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        data = {"provider_data": {"phone": SHOP}} if auth_mode == "code" else {}
        body = {"provider": "whatsapp", "auth_mode": auth_mode, **data}
        id_ = (await world.api.data("POST", "/v1/accounts", body))["id"]
        more = ["--code"] if auth_mode == "code" else []
        async with Terminal(world.api, id_, *more) as terminal:
            shown: dict[str, str] = {}
            while not shown:
                shown = (await terminal.state()).get("auth_payload", {})
            if auth_mode == "qrcode":
                await world.do("scan", qr=shown["qr_code"], phone=SHOP)
            else:
                await world.do("enter_code", code=shown["verify_code"].replace("-", ""), phone=SHOP)
            while (await terminal.state())["status"] != "authorized":
                continue
            assert await terminal.ended() == 0


async def test_a_code_is_for_accounts_with_a_phone(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        body = {"provider": "whatsapp", "auth_mode": "qrcode"}
        id_ = (await world.api.data("POST", "/v1/accounts", body))["id"]
        async with Terminal(world.api, id_, "--code") as terminal:
            assert await terminal.ended() == 2
