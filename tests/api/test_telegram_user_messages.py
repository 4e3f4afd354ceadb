"""Messages of a personal account of Telegram, through the API and the sandbox's data centres."""

from pathlib import Path

from tests.telegram_world import MEI, SHOP, telegram_world


async def test_texts_go_both_ways(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.link(SHOP, name="Shop")
        mei = (await world.do("account", phone=MEI, name="Mei"))["id"]
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "hello 😀"})
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello 😀"])
        event = world.received(SHOP)[0]
        assert event["data"]["conversation"]["id"] == str(mei)
        assert event["data"]["sender"]["name"] == "Mei"
        answer = await world.send(SHOP, str(mei), "good day")
        assert answer.status_code == 200, answer.text
