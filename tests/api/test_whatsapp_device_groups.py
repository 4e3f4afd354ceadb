"""Groups of a linked device through the API, and the list of blocked contacts."""

from pathlib import Path

from tests.device_world import MEI, SHOP, TOM, device_world
from tests.pictures import JPEG, pictures
from unifyport.protocols.binary_node import Jid


async def test_a_group_is_made_and_changed(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.link(MEI)
        await world.do("account", phone=TOM)
        path = f"/v1/accounts/{id_}/groups"
        made = await world.api.data("POST", f"{path}/create", {"name": "Ops", "members": [f"+{MEI}"]})
        group = made["id"]
        [listed] = (await world.api.data("GET", path))["items"]
        assert (listed["id"], listed["name"], listed["member_count"]) == (group, "Ops", 2)
        change = {"group_id": group, "action": "add", "member_id": TOM}
        await world.api.data("POST", f"{path}/members", change)
        await world.api.data("POST", f"{path}/update-info", {"group_id": group, "name": "Operations"})
        found = await world.api.data("GET", f"{path}/info?group_id={group}")
        assert (found["name"], found["member_count"]) == ("Operations", 3)
        await world.inbox.until(lambda: len(world.received(MEI, "group.updated")) >= 2)
        kinds = [
            change["kind"] for e in world.received(MEI, "group.updated") for change in e["data"]["changes"]
        ]
        assert {"member_added", "renamed"} <= set(kinds)


async def test_the_picture_of_a_group_is_fetched_and_set(tmp_path: Path) -> None:
    async with pictures(tmp_path) as served, device_world(tmp_path, security=served.settings) as world:
        id_ = await world.link(SHOP)
        await world.link(MEI)
        group = (await world.do("group", subject="Ops", phones=[SHOP, MEI]))["id"]
        path = f"/v1/accounts/{id_}/groups/update-info"
        for name, status in (("/a.jpg", 200), ("/a.png", 500)):
            body = {"group_id": group, "avatar_url": served.url + name}
            answer = await world.api("POST", path, body)
            assert answer.status_code == status, answer.text
        assert answer.json()["error"]["reason"] == "picture_not_jpeg"
        found = world.relay.relay.groups.find(Jid.parse(group))
        assert found is not None
        assert found.picture == JPEG
        await world.inbox.until(lambda: world.named(MEI, "picture"))


async def test_the_disappearing_timer_of_a_group(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        group = (await world.do("group", subject="Ops", phones=[SHOP, MEI]))["id"]
        await world.do("timer", group=group, seconds=86_400)
        assert (await world.send(SHOP, group, "soon gone")).status_code == 200
        [told] = await world.sent()
        assert told["message"]["extendedTextMessage"]["contextInfo"]["expiration"] == 86_400
