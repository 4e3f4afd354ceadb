"""A user of X by the session of a browser, through the API: imported, and texts both ways."""

from pathlib import Path

from tests.x_session_world import ANN, SHOP, x_session_world


async def test_imported_texts_both_ways(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        id_ = await world.account(SHOP)
        asked = (await world.api.data("GET", f"/v1/accounts/{id_}/auth"))["auth_fields"]
        assert [field["type"] for field in asked] == ["session_url", "pin"]
        assert (await world.give_session(SHOP, await world.cookies(SHOP))).is_success
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == SHOP
        message_id = await world.write(ANN, SHOP, "hello")
        await world.told(SHOP, "hello")
        [event] = world.received(SHOP)
        assert (event["message_id"], event["conversation_id"], event["from"]) == (message_id, ANN, ANN)
        sent = await world.sent_id(SHOP, ANN, "welcome")
        assert "welcome" in str(world.x.people.told(ANN, f"{SHOP}:{ANN}"))
        assert [each["message_id"] for each in await world.sent()] == [sent]
        await world.order("receipts", message_id=sent, user=ANN)
        read = await world.came(SHOP, "message.read")
        assert read["message_id"] == sent
        assert not world.named(SHOP, "message_echo")
