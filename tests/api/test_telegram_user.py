"""Personal accounts of Telegram through the API: how they log in, and how a login ends."""

from pathlib import Path

from tests.telegram_world import SHOP, telegram_world


async def test_logged_in_by_a_code(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        made = await world.do("account", phone=SHOP, name="Shop", username="shop")
        code = await world.start_by_code(SHOP)
        asked = await world.auth(SHOP, "awaiting_code")
        delivery = asked["auth_payload"]["code_delivery"]
        assert delivery["type"] == "app"
        assert delivery["length"] == len(code)
        await world.give(SHOP, "code", code)
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == str(made["id"])
        assert account["provider_profile"]["phone"] == f"+{SHOP}"
        assert account["provider_profile"]["username"] == "shop"
