"""What a device of LINE sends and gets beside texts, and what it looks up."""

import json
from pathlib import Path

from tests.line_device_world import MEI, SHOP, TOM, line_device_world
from unifyport.sandbox.line.device.world import mid_of


async def test_kinds_that_are_sent(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        text = f"\N{GRINNING FACE} hi {{{{@{mid_of(MEI)}}}}}, {{{{@{mid_of(TOM)}}}}}!"
        await world.sends(SHOP, MEI, message={"type": "text", "text": text}, mentions=[{"id": mid_of(MEI)}])
        place = {"title": "Tower", "address": "Minato", "latitude": 35.65, "longitude": 139.74}
        for field, value in (
            ("sticker", {"packageId": "446", "stickerId": "1988"}),
            ("location", place),
        ):
            await world.sends(SHOP, MEI, message={"type": "text"}, provider_data={field: value})
        card = {"name": "Mei Tan", "phones": [{"number": "+6590000002"}]}
        await world.sends(SHOP, MEI, message={"type": "contact", "contacts": [card]})
        mention, sticker, location, contact = await world.sent()
        assert mention["content"]["text"] == f"\N{GRINNING FACE} hi @{MEI}, {{{{@{mid_of(TOM)}}}}}!"
        # in UTF-16 units: the emoji has two
        [mentioned] = json.loads(mention["metadata"]["MENTION"])["MENTIONEES"]
        assert mentioned == {"S": "6", "E": "10", "M": mid_of(MEI)}
        assert (sticker["content_type"], sticker["metadata"]["STKID"]) == (7, "1988")
        assert (location["content"], location["sealed"]) == ({"location": place}, True)
        assert "FN:Mei Tan" in contact["metadata"]["vCard"]


async def test_kinds_that_come_in(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        place = {"title": "Tower", "address": "Minato", "latitude": 35.65, "longitude": 139.74}
        await world.order("messages", **{"from": MEI, "to": SHOP, "location": place})
        sticker = {"STKID": "1988", "STKPKGID": "446", "STKTXT": "[Hello]"}
        await world.order("messages", **{"from": MEI, "to": SHOP, "content_type": 7, "metadata": sticker})
        mention = {"MENTION": json.dumps({"MENTIONEES": [{"S": "0", "E": "5", "M": mid_of(SHOP)}]})}
        await world.says(MEI, SHOP, "@Shop hi", metadata=mention)
        await world.inbox.until(lambda: len(world.received(SHOP)) == 3)
        location, stuck, mentioned = (event["data"]["message"] for event in world.received(SHOP))
        assert (location["type"], location["location"]["latitude"]) == ("location", 35.65)
        assert (stuck["type"], stuck["sticker"]["sticker_id"]) == ("sticker", "1988")
        [entity] = mentioned["entities"]
        assert (entity["type"], entity["offset"], entity["length"]) == ("text_mention", 0, 5)
        assert entity["user"]["id"] == mid_of(SHOP)


async def test_what_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        for provider_data, said in (
            ({"sticker": {"packageId": "x", "stickerId": "1"}}, "provider_data.sticker.packageId"),
            ({"location": {"latitude": 91, "longitude": 0}}, "provider_data.location.latitude"),
            ({"sticker": {}, "location": {}}, "provider_data.location"),
        ):
            answer = await world.send(SHOP, MEI, message={"type": "text"}, provider_data=provider_data)
            assert answer.status_code == 400, answer.text
            assert said in answer.json()["error"]["message"]
        wrong = {"account_id": world.ids[SHOP], "to": {"id": "+6590000002", "type": "user"}}
        refused = await world.api("POST", "/v1/messages", {**wrong, "message": {"type": "text", "text": "a"}})
        assert refused.json()["error"]["reason"] == "invalid_recipient", refused.text
        assert not await world.sent()


async def test_contacts_and_the_block_list(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP, contacts=[MEI, TOM])
        listed = (await world.api.data("GET", f"/v1/accounts/{id_}/contacts"))["items"]
        assert {each["display_name"] for each in listed} == {MEI, TOM}
        assert not any(each["is_blocked"] for each in listed)
        body = {"contact_id": mid_of(TOM)}
        await world.api.data("POST", f"/v1/accounts/{id_}/contacts/block", body)
        found = await world.api.data("GET", f"/v1/accounts/{id_}/contacts/blocklist")
        assert found["blocklist"] == [mid_of(TOM)]
        await world.says(TOM, SHOP, "can you hear me?")
        await world.says(MEI, SHOP, "hello")
        await world.inbox.until(lambda: world.texts(SHOP))
        assert world.texts(SHOP) == ["hello"]
        await world.api.data("POST", f"/v1/accounts/{id_}/contacts/unblock", body)
        info = await world.api.data("GET", f"/v1/accounts/{id_}/contacts/info?contact_id={mid_of(TOM)}")
        assert (info["display_name"], info["is_blocked"]) == (TOM, False)
        missing = await world.api(
            "GET", f"/v1/accounts/{id_}/contacts/info?contact_id={mid_of('someone else')}"
        )
        assert missing.status_code == 404


async def test_groups_and_their_members(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        group = (await world.do("group", subject="Ops", names=[MEI, SHOP]))["id"]
        [listed] = (await world.api.data("GET", f"/v1/accounts/{id_}/groups"))["items"]
        assert (listed["id"], listed["name"], listed["member_count"]) == (group, "Ops", 2)
        info = await world.api.data("GET", f"/v1/accounts/{id_}/groups/info?group_id={group}")
        assert info["name"] == "Ops"
        path = f"/v1/accounts/{id_}/conversations/members?conversation_id={group}"
        members = {
            each["display_name"]: each["role"] for each in (await world.api.data("GET", path))["items"]
        }
        assert members == {MEI: "owner", SHOP: "member"}
        chat = await world.api.data("GET", f"/v1/accounts/{id_}/conversations/info?conversation_id={group}")
        assert (chat["type"], chat["title"], chat["members_count"]) == ("group", "Ops", 2)
        missing = await world.api("GET", f"/v1/accounts/{id_}/groups/info?group_id={mid_of('no', 'c')}")
        assert missing.status_code == 404
