"""What a personal account of Telegram is sent that cannot be read, or has numbers without a range: it costs
itself only.
"""

from pathlib import Path

import trio
from telethon.tl import TLObject

from tests.telegram_world import MEI, SHOP, TelegramWorld, telegram_world


class Unknown(TLObject):
    """An object of no layer that the client knows."""

    def _bytes(self) -> bytes:
        return bytes.fromhex("efbeadde")


async def _channel(world: TelegramWorld) -> str:
    """An account that is in a channel; the channel's id."""
    await world.do("account", phone=MEI)
    await world.do("account", phone=SHOP)
    channel = str((await world.do("channel", title="News", phones=[MEI, SHOP]))["id"])
    await world.give(SHOP, "code", await world.start_by_code(SHOP))
    await world.running(SHOP)
    for to in (SHOP, channel):
        await _write(world, to, f"first in {to}")
    await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
    return channel


async def _write(world: TelegramWorld, to: str, text: str) -> None:
    await world.order("messages", **{"from": MEI, "to": to, "text": text})


def _poison(world: TelegramWorld, to: str) -> None:
    customers = world.user_platform.customers
    customers.write(customers.person(MEI), customers.chat(to), "poison", media=Unknown())


def _calls(world: TelegramWorld) -> list[str]:
    return [seen.method for seen in world.user_platform.server.seen]


async def test_a_message_that_cannot_be_read_costs_itself_only(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        channel = await _channel(world)
        for to in (SHOP, channel):
            await world.do("gap")
            await _write(world, to, f"before it in {to}")
            for _ in range(2):
                _poison(world, to)
            await _write(world, to, f"after it in {to}")
        expected = {
            f"{when} in {to}" for to in (SHOP, channel) for when in ("first", "before it", "after it")
        }
        await world.inbox.until(lambda: len(world.texts(SHOP)) >= len(expected))
        for to in (SHOP, channel):
            await _write(world, to, f"last in {to}")
        await world.inbox.until(lambda: len(world.texts(SHOP)) >= len(expected) + 2)
        assert sorted(world.texts(SHOP)) == sorted([*expected, f"last in {SHOP}", f"last in {channel}"])
        page = await world.api.data("GET", "/v1/quarantine")
        assert len(page["items"]) == 2 * (2 + 1)  # each message, and the difference in which they were
        before = len(_calls(world))
        await trio.sleep(1)  # what would be a loop has no end to wait for
        assert _calls(world)[before:] == []
