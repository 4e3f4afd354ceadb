"""Contacts, conversations and groups of a personal account of Zalo."""

import hashlib
from pathlib import Path
from typing import Any

from tests.pictures import JPEG, PNG, pictures
from tests.zalo_world import MAI, SHOP, TAM, ZaloWorld, zalo_world


async def get(world: ZaloWorld, path: str) -> Any:
    return await world.api.data("GET", f"/v1/accounts/{world.ids[SHOP]}/{path}")


async def post(world: ZaloWorld, path: str, **body: Any) -> Any:
    return await world.api.data("POST", f"/v1/accounts/{world.ids[SHOP]}/{path}", body)


async def refused(world: ZaloWorld, path: str, body: Any = None) -> tuple[int, str]:
    method = "GET" if body is None else "POST"
    answer = await world.api(method, f"/v1/accounts/{world.ids[SHOP]}/{path}", body)
    error = answer.json()["error"]
    return answer.status_code, str(error.get("reason") or error["code"])


async def test_contacts(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI, TAM)
        for friend in (MAI, TAM):
            await world.do("befriend", **{"from": SHOP}, to=friend)
        await world.inbox.until(lambda: len(world.named(SHOP, "friend_add")) == 2)
        first = await get(world, "contacts?limit=1")
        assert [contact["id"] for contact in first["items"]] == [MAI]
        second = await get(world, f"contacts?limit=1&cursor={first['next_cursor']}")
        assert [contact["id"] for contact in second["items"]] == [TAM]
        named = await get(world, "contacts?q=user%207")
        assert [contact["display_name"] for contact in named["items"]] == ["User 7"]
        assert (await get(world, f"contacts/info?contact_id={TAM}"))["display_name"] == "User 7"
        for id_ in ("1234567", "somebody"):
            assert (await refused(world, f"contacts/info?contact_id={id_}"))[0] == 404
        user = world.zalo.world.users[SHOP]
        await post(world, "contacts/block", contact_id=MAI)
        assert [each.id for each in user.blocked] == [MAI]
        await post(world, "contacts/unblock", contact_id=MAI)
        assert not user.blocked


async def test_a_friend_request_is_told_once(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await world.do("friend_request", **{"from": MAI}, to=SHOP, text="let us talk")
        await world.write(MAI, SHOP, "end")
        await world.inbox.until(lambda: world.texts(SHOP) == ["end"])
        [asked] = world.named(SHOP, "friend_req_v2")
        assert asked["data"]["event"]["message"] == "let us talk"
        assert asked["data"]["event"]["direction"] == "inbound"
        assert not world.named(SHOP, "friend_req")


async def test_conversations(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI, TAM)
        await world.do("befriend", **{"from": SHOP}, to=MAI)
        group = (await world.do("group", name="Ops", members=[SHOP, MAI, TAM]))["id"]
        listed = (await get(world, "conversations"))["items"]
        assert {each["conversation_id"]: each["title"] for each in listed} == {MAI: "User 5", group: "Ops"}
        only = (await get(world, "conversations?type=group"))["items"]
        assert [each["conversation_id"] for each in only] == [group]
        info = await get(world, f"conversations/info?conversation_id={group}")
        assert (info["type"], info["title"], info["members_count"]) == ("group", "Ops", 3)
        assert (await get(world, f"conversations/info?conversation_id={MAI}"))["title"] == "User 5"
        path = f"conversations/members?conversation_id={group}&limit=2"
        first = await get(world, path)
        second = await get(world, f"{path}&cursor={first['next_cursor']}")
        roles = {each["peer_id"]: each["role"] for each in (*first["items"], *second["items"])}
        assert roles == {SHOP: "owner", MAI: "member", TAM: "member"}
        assert first["items"][0]["display_name"] == "User 3"
        for id_ in ("g1234567", "somebody"):
            assert (await refused(world, f"conversations/info?conversation_id={id_}"))[0] == 404


async def test_the_accounts_own_view_of_a_conversation(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[SHOP, MAI]))["id"]
        user = world.zalo.world.users[SHOP]
        for chat in (MAI, group):
            await post(world, "conversations/mute", conversation_id=chat)
            await post(world, "conversations/pin", conversation_id=chat)
            await post(world, "conversations/unread", conversation_id=chat)
        assert set(user.muted) == {MAI, group[1:]}
        assert user.pinned == {f"u{MAI}", group}
        for chat in (MAI, group):
            await post(world, "conversations/unmute", conversation_id=chat)
            await post(world, "conversations/unpin", conversation_id=chat)
        assert not user.muted
        assert not user.pinned


async def test_a_group_is_made_and_changed(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI, TAM)
        group = (await post(world, "groups/create", name="Ops", members=[MAI]))["id"]
        [listed] = (await get(world, "groups"))["items"]
        assert (listed["id"], listed["name"], listed["member_count"]) == (group, "Ops", 2)
        for action in ("add", "promote", "demote", "remove"):
            await post(world, "groups/members", group_id=group, action=action, member_id=TAM)
        await post(world, "groups/update-info", group_id=group, name="Operations")
        await world.inbox.until(lambda: "renamed" in str(world.received(SHOP, "group.updated")))
        kinds = [c["kind"] for e in world.received(SHOP, "group.updated") for c in e["data"]["changes"]]
        assert kinds == ["member_added", "member_added", "promoted", "demoted", "member_removed", "renamed"]
        assert (await get(world, f"groups/info?group_id={group}"))["name"] == "Operations"
        described = {"group_id": group, "description": "ours"}
        assert (await refused(world, "groups/update-info", described))[1] == "not_supported"
        await post(world, "groups/leave", group_id=group)
        assert (await refused(world, f"groups/info?group_id={group}"))[1] == "group_not_found"
        assert (await refused(world, "groups/leave", {"group_id": group}))[1] == "group_not_found"


async def test_the_picture_of_a_group_is_fetched_and_set(tmp_path: Path) -> None:
    async with pictures(tmp_path) as served, zalo_world(tmp_path, security=served.settings) as world:
        await world.link(SHOP)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[SHOP, MAI]))["id"]
        for name, content in (("/a.jpg", JPEG), ("/a.png", PNG)):
            await post(world, "groups/update-info", group_id=group, avatar_url=served.url + name)
            assert hashlib.sha256(content).hexdigest() in world.zalo.world.groups[group[1:]].picture
        foreign = (await world.do("group", name="Theirs", members=[MAI]))["id"]
        body = {"group_id": foreign, "avatar_url": f"{served.url}/a.jpg"}
        assert (await refused(world, "groups/update-info", body))[1] == "group_not_found"


async def test_requests_to_join_a_group(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI, TAM)
        group = (await world.do("group", name="Ops", members=[SHOP]))["id"]
        await post(world, "groups/join-approval-mode", group_id=group, enabled=True)
        for user in (MAI, TAM):
            await world.do("ask_to_join", group=group, user=user)
        await world.inbox.until(lambda: len(world.received(SHOP, "group.join_request")) == 2)
        listed = await get(world, f"groups/join-requests?group_id={group}")
        assert [each["id"] for each in listed["items"]] == [MAI, TAM]
        update = "groups/join-requests/update"
        await post(world, update, group_id=group, action="approve", member_ids=[MAI])
        await post(world, update, group_id=group, action="reject", member_ids=[TAM])
        members = (await get(world, f"conversations/members?conversation_id={group}"))["items"]
        assert [each["peer_id"] for each in members] == [SHOP, MAI]
        code = f"groups/invite-code?group_id={group}"
        assert (await refused(world, code))[1] == "no_invite_link"
        await world.do("link", group=group)
        assert (await get(world, code))["invite_url"].startswith("https://")


async def test_we_are_removed_from_a_group(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[MAI, SHOP]))["id"]
        await world.do("leave", group=group, user=SHOP, by=MAI)
        await world.inbox.until(lambda: "member_removed" in str(world.received(SHOP, "group.updated")))
        [event] = [e for e in world.received(SHOP, "group.updated") if "member_removed" in str(e)]
        assert event["data"]["changes"][0]["member_ids"] == [SHOP]
        answer = await world.send(SHOP, group)
        assert answer.json()["error"]["reason"] == "not_a_member"
