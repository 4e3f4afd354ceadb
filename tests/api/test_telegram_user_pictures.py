"""The picture of a group: a basic group and a supergroup, through the API of a personal account."""

from pathlib import Path
from typing import Any

from tests.pictures import JPEG, PNG, Pictures, pictures
from tests.telegram_world import MEI, SHOP, TelegramWorld, telegram_world


async def _set(world: TelegramWorld, group: str, url: str) -> Any:
    body = {"group_id": group, "avatar_url": url}
    return await world.api("POST", f"/v1/accounts/{world.ids[SHOP]}/groups/update-info", body)


async def _check(world: TelegramWorld, served: Pictures, group: str, room: Any) -> None:
    for name, content in (("/a.jpg", JPEG), ("/a.png", PNG)):
        answer = await _set(world, group, served.url + name)
        assert answer.status_code == 200, answer.text
        assert world.user_platform.files.files[room.photo.photo_id].content == content
    assert (await _set(world, group, served.url + "/a.txt")).status_code != 200
    await world.inbox.until(lambda: world.named(MEI, "new_chat_photo"))


async def test_the_picture_of_a_group_is_fetched_and_set(tmp_path: Path) -> None:
    async with pictures(tmp_path) as served, telegram_world(tmp_path, security=served.settings) as world:
        await world.link(SHOP)
        await world.link(MEI)
        group = str((await world.do("group", title="Ops", phones=[SHOP, MEI]))["id"])
        [room] = world.user_platform.server.directory.groups.values()
        await _check(world, served, group, room)


async def test_the_picture_of_a_supergroup_is_fetched_and_set(tmp_path: Path) -> None:
    async with pictures(tmp_path) as served, telegram_world(tmp_path, security=served.settings) as world:
        await world.link(SHOP)
        await world.link(MEI)
        made = await world.do("channel", title="Forum", phones=[SHOP, MEI], megagroup=True)
        [room] = world.user_platform.server.directory.channels.values()
        await _check(world, served, str(made["id"]), room)
        same = {"method": "channels.editPhoto", "code": 400, "name": "CHAT_NOT_MODIFIED"}
        await world.do("error", **same)
        assert (await _set(world, str(made["id"]), served.url + "/a.jpg")).status_code == 200
        forbidden = {"method": "channels.editPhoto", "code": 403, "name": "CHAT_ADMIN_REQUIRED"}
        await world.do("error", **forbidden)
        refused = (await _set(world, str(made["id"]), served.url + "/a.jpg")).json()["error"]
        assert refused["outcome"] == "rejected", refused
