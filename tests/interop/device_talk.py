"""A linked account of ours and a client of others that write to each other through the sandbox's relay."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs

from tests.device_world import MEI, SHOP, DeviceWorld, device_world

from . import device_peers as peers

SHOP_CHAT, MEI_CHAT = f"{SHOP}@s.whatsapp.net", f"{MEI}@s.whatsapp.net"


@attrs.define
class Talk:
    """Our account SHOP, and a client of others that is the device of MEI."""

    world: DeviceWorld
    client: peers.Client
    shop: str  # the address of SHOP, as the client writes to it

    async def send(self, text: str = "hello", **more: Any) -> str:
        """We send; the message's id."""
        response = await self.world.send(SHOP, MEI_CHAT, text, **more)
        assert response.status_code == 200, response.text
        id: str = response.json()["data"]["message_id"]
        return id

    async def ask(self, do: str, **fields: Any) -> str:
        """The client sends; the message's id."""
        id: str = (await self.client.ask(do, to=self.shop, **fields))["id"]
        return id

    async def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """Our event of this name with these fields."""
        return await self.world.event(SHOP, name, **fields)


@contextlib.asynccontextmanager
async def talk(kind: str, directory: Path, *, lid: bool = True, **more: Any) -> AsyncIterator[Talk]:
    async with device_world(directory, **more) as world:
        await world.link(SHOP, lid_addressed=lid, name="Shop")
        mei = world.relay.account(MEI, lid_addressed=lid, name="Mei")
        async with peers.linked(world.relay, kind, directory / kind, mei) as client:
            shop = world.relay.relay.account(SHOP)
            yield Talk(world, client, str(shop.jid(lid=lid)))
