"""What an account of X by session does and is told beyond texts: changes, files, groups, lists, forgeries."""

import base64
from pathlib import Path
from typing import Any

import attrs
import httpx

from tests.x_session_world import ANN, BOB, SHOP, XSessionWorld, x_session_world
from unifyport.protocols.xchat import decode_event, encode_event

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9000  # several parts


PLACE = f"{SHOP}:{ANN}"


def _told(world: XSessionWorld, user: str = ANN, place: str = PLACE) -> list[dict[str, Any]]:
    """What the person could verify and decrypt."""
    return world.x.people.told(user, place)


async def get(world: XSessionWorld, path: str) -> Any:
    return await world.api.data("GET", f"/v1/accounts/{world.ids[SHOP]}/{path}")


async def post(world: XSessionWorld, path: str, **body: Any) -> Any:
    return await world.api.data("POST", f"/v1/accounts/{world.ids[SHOP]}/{path}", body)


async def test_changes_of_the_account(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        hello = await world.met()
        target = {"conversation_id": ANN}
        await world.act(
            SHOP, "reaction", **target, message_id=hello, sender_id=ANN, emoji="\N{THUMBS UP SIGN}"
        )
        sent = await world.sent_id(SHOP, ANN, "first", reply_to={"message_id": hello})
        await world.act(SHOP, "edit", **target, message_id=sent, content="second")
        await post(world, "conversations/read", **target, message_id=hello)
        await world.act(SHOP, "revoke", **target, message_id=sent)
        told = [event.get("content", {}).get("content_type", event["type"]) for event in _told(world)]
        made = [kind for kind in told if kind != "ReadReceipt"]
        assert made[-4:] == ["Reaction", "Text", "Edit", "MessageDeleted"], told
        place = world.x.chat.conversations[PLACE]
        await world.inbox.until(lambda: SHOP in place.read)
        assert not world.named(SHOP, "message_echo")


async def test_changes_of_people(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        hello = await world.met()
        await world.do("react", **{"from": ANN}, message_id=hello, emoji="🔥")
        reaction = await world.came(SHOP, "message.reaction")
        assert (reaction["target_message_id"], reaction["reaction"]) == (hello, "🔥")
        await world.write(ANN, SHOP, "a reply", reply_to=hello)
        await world.told(SHOP, "a reply")
        assert world.received(SHOP)[-1]["data"]["message"]["reply_to_message_id"] == hello
        await world.do("edit", message_id=hello, text="hello again")
        edited = await world.came(SHOP, "message.updated")
        assert (edited["message_id"], edited["text"]) == (hello, "hello again")
        await world.do("delete", message_id=hello)
        assert (await world.came(SHOP, "message.deleted"))["message_id"] == hello


async def test_files_both_ways(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met()
        media = {"type": "image", "content": base64.b64encode(PNG).decode(), "name": "a.png"}
        await world.write(ANN, SHOP, "look", media=media)
        await world.told(SHOP, "look")
        event = next(event for event in world.received(SHOP) if event["text"] == "look")
        [attachment] = event["data"]["message"]["attachments"]
        async with httpx.AsyncClient() as client:
            fetched = await client.get(attachment["url"])
        assert fetched.content == PNG
        key = await world.upload(PNG, "b.png", "image/png")
        message = {"type": "image", "file_key": key, "caption": "ours"}
        answer = await world.send(SHOP, ANN, message=message)
        assert answer.is_success, answer.text
        told = _told(world)[-1]
        [file] = told["attachments"]
        assert world.x.people.file(ANN, PLACE, file["media_hash_key"], told["key_version"]) == PNG


async def test_a_group(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met()
        group = (await world.do("group", name="Ops", members=[ANN, SHOP, BOB]))["id"]
        await world.write(BOB, group, "all of you")
        await world.told(SHOP, "all of you")
        event = world.received(SHOP)[-1]
        assert (event["conversation_id"], event["conversation_type"]) == (group, "group")
        await world.sent_id(SHOP, group, "here")
        assert any(event.get("content", {}).get("text") == "here" for event in _told(world, BOB, group))
        await post(world, "conversations/mute", conversation_id=group)
        found = await get(world, f"conversations/info?conversation_id={group}")
        assert (found["type"], found["title"], found["is_muted"]) == ("group", "Ops", True)
        members = await get(world, f"conversations/members?conversation_id={group}")
        assert {each["peer_id"] for each in members["items"]} == {SHOP, ANN, BOB}
        listed = await get(world, "conversations")
        assert {each["conversation_id"] for each in listed["items"]} == {group, ANN}
        assert (await get(world, f"contacts/info?contact_id={ANN}"))["id"] == ANN
        assert (await get(world, f"groups/info?group_id={group}"))["name"] == "Ops"


async def test_forged_events_are_quarantined_and_shown_to_nobody(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        hello = await world.met()
        place = world.x.chat.conversations[PLACE]
        event = decode_event(next(each.encoded for each in place.events if each.message_id == hello))
        forged: list[dict[str, Any]] = [
            {"message_id": "another"},
            {"sender_id": SHOP, "message_id": "ours"},
            {"signature": None, "message_id": "unsigned"},
        ]
        for changes in forged:
            await world.do("put", event=encode_event(attrs.evolve(event, **changes)))
        await world.write(ANN, SHOP, "still there")
        await world.told(SHOP, "still there")
        assert world.texts(SHOP) == ["hello", "still there"]
        assert not world.named(SHOP, "message_echo")
        metrics = (await world.api.http.get("/metrics")).text
        assert "unifyport_quarantined_total 3" in metrics
