"""A device of LINE that this project did not write converses with ours through our sandbox."""

from pathlib import Path
from typing import Any

import pytest

from tests.line_device_world import MEI, SHOP, LineDeviceWorld, line_device_world
from unifyport.sandbox.line.device.world import mid_of

from .device_peers import Client
from .line_devices import chrline, log_in

pytestmark = pytest.mark.interop
RECEIVED, READ, UNSENT = 26, 55, 65


async def fetched(client: Client, type_: int) -> dict[str, Any]:
    """The next operation of this type that the client reads."""
    for _ in range(10):
        for operation in await client.ask("fetch"):
            if operation["type"] == type_:
                return dict(operation)
    raise AssertionError(f"no operation {type_}")


async def text_both_ways(world: LineDeviceWorld, client: Client, to: str, chat: str) -> None:
    for number in range(3):
        sent = await world.sends(SHOP, to, f"{number} こんにちは \N{GRINNING FACE}")
        told = await fetched(client, RECEIVED)
        assert (told["id"], told["text"], told["sealed"]) == (
            sent,
            f"{number} こんにちは \N{GRINNING FACE}",
            True,
        )
        id_ = (await client.ask("send", to=chat, text=f"{number} xin chào"))["id"]
        await world.inbox.until(lambda: world.has(SHOP, id_))  # noqa: B023
        [event] = [event for event in world.received(SHOP) if event["message_id"] == id_]
        assert event["text"] == f"{number} xin chào"


@pytest.mark.parametrize("form", ["requestSQR", "requestSQR2", "requestSQR3"])
async def test_text_both_ways_read_and_unsend(form: str, tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world, chrline(world) as client:
        assert await log_in(world, client, MEI, form) == mid_of(MEI)
        await world.link(SHOP)
        await text_both_ways(world, client, MEI, mid_of(SHOP))

        sent = await world.sends(SHOP, MEI, "read me")
        await fetched(client, RECEIVED)
        await client.ask("read", chat=mid_of(SHOP), message_id=sent)
        await world.inbox.until(lambda: world.received(SHOP, "message.read"))

        id_ = (await client.ask("send", to=mid_of(SHOP), text="oops"))["id"]
        await world.inbox.until(lambda: world.has(SHOP, id_))
        await client.ask("unsend", message_id=id_)
        await world.inbox.until(lambda: world.received(SHOP, "message.deleted"))
        assert world.received(SHOP, "message.deleted")[0]["message_id"] == id_

        chat = {"conversation_id": mid_of(MEI), "message_id": sent}
        await world.act(SHOP, "revoke", **chat)
        assert (await fetched(client, UNSENT))["params"][1] == sent


async def test_a_group(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world, chrline(world) as client:
        await log_in(world, client, MEI)
        await world.link(SHOP)
        group = (await world.do("group", subject="Ops", names=[SHOP, MEI]))["id"]
        await text_both_ways(world, client, group, group)
