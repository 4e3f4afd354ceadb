"""Contacts, conversations and groups of a personal account of Zalo."""

from pathlib import Path
from typing import Any

from tests.zalo_world import MAI, SHOP, TAM, ZaloWorld, zalo_world


async def ask(world: ZaloWorld, path: str, **query: Any) -> Any:
    """The answer of a list or a look-up of the account."""
    answer = await world.api("GET", f"/v1/accounts/{world.ids[SHOP]}/{path}", params=query)
    assert answer.is_success, answer.text
    return answer.json()


async def do(world: ZaloWorld, method: str, path: str, body: Any = None) -> Any:
    answer = await world.api(method, f"/v1/accounts/{world.ids[SHOP]}/{path}", body)
    assert answer.is_success, answer.text
    return answer.json().get("data")


async def test_contacts(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI, TAM)
        for friend in (MAI, TAM):
            await world.do("befriend", **{"from": SHOP}, to=friend)
        await world.inbox.until(lambda: len(world.named(SHOP, "friend_add")) == 2)
        first = await ask(world, "contacts", limit=1)
        assert [contact["id"] for contact in first["data"]["contacts"]] == [MAI], first
        found = await ask(world, f"contacts/{TAM}")
        assert found["data"]["display_name"] == "User 7"
        missing = await world.api("GET", f"/v1/accounts/{world.ids[SHOP]}/contacts/1234567")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "contact_not_found")
        user = world.zalo.world.users[SHOP]
        await do(world, "POST", f"contacts/{MAI}/block")
        assert user.blocked
        await do(world, "POST", f"contacts/{MAI}/unblock")
        assert not user.blocked
