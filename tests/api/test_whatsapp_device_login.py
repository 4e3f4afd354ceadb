"""A login of a linked device, as a caller and a receiver of webhooks see it."""

from pathlib import Path
from typing import Any

import pytest

from tests.device_world import SHOP, DeviceWorld, device_world
from unifyport.providers.whatsapp.device import linking


async def begin(world: DeviceWorld) -> str:
    """An account whose login shows a QR code: its path."""
    made = await world.api.data("POST", "/v1/accounts", {"provider": "whatsapp", "auth_mode": "qrcode"})
    world.ids[SHOP] = made["id"]
    path = f"/v1/accounts/{made['id']}"
    await world.api.data("POST", f"{path}/auth/qr/start")
    return path


def codes(world: DeviceWorld) -> list[dict[str, Any]]:
    return [event["data"] for event in world.inbox.of("account.auth.required")]


async def test_a_code_is_shown_scanned_and_the_account_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "FIRST_SECONDS", 0.2)
    async with device_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        path = await begin(world)
        await world.inbox.until(lambda: len(codes(world)) >= 2)
        first, second = codes(world)[:2]
        assert first["auth_payload"]["qr_code"] != second["auth_payload"]["qr_code"]
        assert first["expires_at"] < second["expires_at"]
        checked = await world.api.data("POST", f"{path}/auth/qr/check")
        assert checked["status"] == "awaiting_qr_scan"
        code = second["auth_payload"]["qr_code"]
        assert checked["auth_payload"]["qr_code"] == code
        await world.do("scan", qr=code, phone=SHOP)
        await world.inbox.until(lambda: world.received(SHOP, "account.started"))
        [succeeded] = world.received(SHOP, "account.auth.succeeded")
        assert succeeded["data"]["account"]["provider_account_ref"] == SHOP
        names = [event["type"] for event in world.inbox.deliveries]
        assert names.index("account.auth.succeeded") < names.index("account.started")


async def test_a_number_that_links_with_a_passkey_only_is_explained(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.do("account", phone=SHOP, passkey=True)
        path = await begin(world)
        shown = await world.api.until(
            lambda auth: auth.get("auth_payload", {}).get("qr_code"), f"{path}/auth"
        )
        await world.do("scan", qr=shown["auth_payload"]["qr_code"], phone=SHOP)
        failed = await world.api.until(lambda auth: auth["status"] == "failed", f"{path}/auth")
        assert failed["last_error"] == "passkey_required"
        assert "passkey" in failed["auth_payload"]["detail"]
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.failed"))
