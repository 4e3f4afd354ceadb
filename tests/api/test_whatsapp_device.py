"""Linked devices of WhatsApp through the API: two accounts of one gateway write to each other."""

from pathlib import Path

from tests.device_world import MEI, SHOP, device_world


async def test_linked_by_a_qr_code_texts_both_ways(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(MEI)
        sent = await world.send(SHOP, f"+{MEI}", "hello")
        assert sent.status_code == 200, sent.text
        await world.inbox.until(lambda: world.texts(MEI))
        [event] = world.received(MEI)
        assert event["text"] == "hello"
        assert event["message_id"] == sent.json()["data"]["message_id"]
        assert event["data"]["conversation"]["id"] == f"{SHOP}@s.whatsapp.net"
        answered = await world.send(MEI, event["data"]["conversation"]["id"], "hi there")
        assert answered.status_code == 200, answered.text
        await world.inbox.until(lambda: world.texts(SHOP))
        assert world.texts(SHOP) == ["hi there"]
        await world.inbox.until(lambda: world.received(SHOP, "message.delivered"))
