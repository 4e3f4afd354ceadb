"""A personal account of Zalo, through the API: logged in, and texts both ways."""

from pathlib import Path

from tests.zalo_world import MAI, SHOP, zalo_world


async def test_linked_by_a_qr_code_texts_both_ways(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == SHOP
        assert account["provider_profile"]["display_name"] == "User 3"
        await world.write(MAI, SHOP, "xin chào", name="Mai")
        await world.inbox.until(lambda: world.texts(SHOP) == ["xin chào"])
        [event] = world.received(SHOP)
        assert (event["conversation_id"], event["from"], event["sender_name"]) == (MAI, MAI, "Mai")
        message_id = await world.sent_id(SHOP, MAI, "chào Mai")
        [told] = await world.sent()
        assert (told["id"], told["to"], told["text"]) == (message_id, MAI, "chào Mai")
        await world.order("receipts", message_id=message_id, status="delivered")
        await world.order("receipts", message_id=message_id, status="read")
        await world.inbox.until(lambda: world.received(SHOP, "message.read"))
        [read] = world.received(SHOP, "message.read")
        assert (read["account_id"], read["message_id"]) == (id_, message_id)
        assert not world.named(SHOP, "message_echo")
