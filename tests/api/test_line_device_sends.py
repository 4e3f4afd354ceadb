"""Sends of a device of LINE: files of each kind, sealed and plain, what is refused, rooms, and own calls."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.line_device_world import MEI, SHOP, TOM, LineDeviceWorld, line_device_world
from unifyport.protocols.letter_sealing.content import key_material_of
from unifyport.protocols.letter_sealing.files import open_file
from unifyport.providers.line.device import directory
from unifyport.sandbox.line.device.world import mid_of

CONTENT = os.urandom(70_000)
FILES = {
    "image": ("a.jpg", "image/jpeg", 1, "emi"),
    "video": ("b.mp4", "video/mp4", 2, "emv"),
    "audio": ("c.m4a", "audio/mp4", 3, "ema"),
    "document": ("d.pdf", "application/pdf", 14, "emf"),
}


def stored(world: LineDeviceWorld, told: dict[str, Any]) -> bytes:
    """The file of a message that was sent, as the phone that gets it reads it."""
    files = world.line.objects.files
    if not told["sealed"]:
        return files["m", told["id"]].content
    metadata = told["metadata"]
    sealed = files[metadata["SID"], metadata["OID"]].content
    return open_file(sealed, key_material_of(told["content"]))


@pytest.mark.parametrize("seals", [True, False], ids=["sealed", "plain"])
async def test_files_of_each_kind_are_sent(tmp_path: Path, seals: bool) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("sealing", name=MEI, on=seals)
        for kind, (name, mime_type, content_type, space) in FILES.items():
            key = await world.upload(CONTENT, name, mime_type)
            sent = await world.sends(SHOP, MEI, message={"type": kind, "file_key": key})
            told = (await world.sent())[-1]
            assert (told["id"], told["sealed"], told["content_type"]) == (sent, seals, content_type)
            assert stored(world, told) == CONTENT
            assert told["metadata"].get("SID", space) == space
        assert len(await world.sent()) == len(FILES)


async def test_a_file_goes_plain_to_a_user_who_has_turned_sealing_off(tmp_path: Path) -> None:
    """Their key is still known here; LINE refuses the sealed message."""
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.sends(SHOP, MEI, "sealed")
        await world.do("sealing", name=MEI, on=False)
        key = await world.upload(CONTENT, "a.jpg", "image/jpeg")
        for _ in range(2):
            sent = await world.sends(SHOP, MEI, message={"type": "image", "file_key": key})
            told = (await world.sent())[-1]
            assert (told["id"], told["sealed"], stored(world, told)) == (sent, False, CONTENT)
        await world.inbox.until(lambda: len(world.received(SHOP, "message.status.updated")) == 3)
        assert len(await world.sent()) == 3


async def test_events_tell_what_was_not_sealed(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        for seals in (True, False):
            await world.do("sealing", name=MEI, on=seals)
            await world.says(MEI, SHOP, "from Mei")
            await world.sends(SHOP, MEI, "to Mei")
            await world.says(SHOP, MEI, "from the phone")
        await world.inbox.until(lambda: len(world.named(SHOP, "message_echo")) == 2)
        await world.inbox.until(lambda: len(world.received(SHOP, "message.status.updated")) == 2)
        for event, seals in zip(world.received(SHOP), (True, False), strict=True):
            assert event["data"]["message"]["sealed"] is seals
        for event, seals in zip(world.named(SHOP, "message_echo"), (True, False), strict=True):
            assert event["data"]["message"]["sealed"] is seals
        for event, seals in zip(world.received(SHOP, "message.status.updated"), (True, False), strict=True):
            assert event["data"]["provider_data"]["message"]["sealed"] is seals


async def test_a_file_takes_no_caption_and_a_plain_one_no_quote(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        theirs = await world.says(MEI, SHOP, "which one?")
        file = {"type": "image", "file_key": await world.upload(CONTENT, "a.jpg", "image/jpeg")}
        refused = await world.send(SHOP, MEI, message={**file, "text": "this one"})
        assert refused.json()["error"]["reason"] == "no_caption", refused.text
        quoting: dict[str, Any] = {"message": file, "reply_to": {"message_id": theirs}}
        await world.sends(SHOP, MEI, **quoting)
        assert (await world.sent())[-1]["related_id"] == theirs
        await world.do("sealing", name=MEI, on=False)
        for _ in range(2):  # LINE refuses the sealed one; then it is known
            refused = await world.send(SHOP, MEI, **quoting)
            assert refused.json()["error"]["reason"] == "quote_not_possible", refused.text
        assert len(await world.sent()) == 1


async def test_what_the_gateway_blocked_itself_is_no_news(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        for action in ("block", "unblock"):
            await world.api.data("POST", f"/v1/accounts/{id_}/contacts/{action}", {"contact_id": mid_of(MEI)})
        await world.do("operation", name=SHOP, type=6, param1=mid_of(TOM))  # on the phone
        await world.inbox.until(lambda: world.named(SHOP, "block_contact"))
        assert len(world.named(SHOP, "block_contact")) == 1
        assert not world.named(SHOP, "unblock_contact")


async def test_a_room_is_a_group(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        room = (await world.do("group", subject="Lunch", names=[MEI, SHOP], room=True))["id"]
        assert room.startswith("r")
        await world.says(MEI, "", "hello", group=room)
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
        [event] = world.received(SHOP)
        assert (event["conversation_id"], event["conversation_type"]) == (room, "group")
        body = {"to": {"id": room, "type": "group"}, "message": {"type": "text", "text": "hi"}}
        sent = await world.api.data("POST", "/v1/messages", {"account_id": world.ids[SHOP], **body})
        [told] = await world.sent()
        assert (told["id"], told["to"], told["sealed"], told["content"]["text"]) == (
            sent["message_id"],
            room,
            True,
            "hi",
        )


@pytest.mark.parametrize(
    ("code", "reason"), [(38, "blocked_by_recipient"), (10, "not_a_member"), (77, "refused_by_platform")]
)
async def test_what_line_refuses(tmp_path: Path, code: int, reason: str) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("refuse", method="sendMessage", code=code)
        refused = await world.send(SHOP, MEI)
        assert refused.json()["error"]["reason"] == reason, refused.text
        await world.sends(SHOP, MEI, "again")


async def test_a_search_looks_up_a_bounded_number_of_contacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MOST_LOOKED_UP", 4)
    monkeypatch.setattr(directory, "AT_A_TIME", 2)
    async with line_device_world(tmp_path) as world:
        names = [f"Person {number}" for number in range(10)]
        await world.do("account", name=SHOP, contacts=names)
        id_ = await world.link(SHOP)
        found, cursor, pages = [], "", 0
        while cursor or not pages:
            path = f"/v1/accounts/{id_}/contacts?q=PERSON%207" + (f"&cursor={cursor}" if cursor else "")
            before = [call["method"] for call in world.line.connections].count("getContacts")
            page = await world.api.data("GET", path)
            asked = [call["method"] for call in world.line.connections].count("getContacts") - before
            assert asked <= 2
            found += [one["display_name"] for one in page["items"]]
            cursor, pages = page["next_cursor"], pages + 1
        assert found == ["Person 7"]
        assert pages == 3
